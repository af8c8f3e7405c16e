/* SPDX-License-Identifier: Apache-2.0 */
/* Ranks by tiles and by rows against a float64 loop over all items, for several numbers of threads.
 */
#include "fake_dataset.h"
#include "fake_model.h"

#include "base/alloc.h"
#include "base/size.h"
#include "ranking/rank.h"
#include "ranking/ranking.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const int threads[] = {1, 2, 3, 5};

static struct ranking_result evaluate(int n_threads, const struct scorer *s,
                                      const struct dataset *d, enum part part,
                                      enum protocol protocol) {
    genair_status st = {0};
    struct parallel *p;
    struct ranking_result r;
    assert_int_equal(parallel_create(n_threads, &p, &st), GENAIR_OK);
    if (ranking_evaluate(p, s, d, part, protocol, &r, &st) != GENAIR_OK) fail_msg("%s", st.message);
    parallel_free(p);
    return r;
}

static void row_of(const struct fake_model *m, const struct dataset *d, uint32_t user,
                   uint32_t length, double *row) {
    double sum[512] = {0};
    for (uint32_t i = 0; i < length; i++)
        for (size_t j = 0; j < m->width; j++)
            sum[j] += (double)m->vectors[d->item[d->start[user] + i] * m->width + j];
    for (uint32_t i = 1; i <= d->n_items; i++) {
        row[i] = 0;
        for (size_t j = 0; j < m->width; j++)
            row[i] += sum[j] * (double)m->vectors[i * m->width + j];
    }
}

static bool in_history(const struct dataset *d, uint32_t user, uint32_t length, uint32_t item) {
    for (uint32_t i = 0; i < length; i++)
        if (d->item[d->start[user] + i] == item) return true;
    return false;
}

static struct placing naive(const struct dataset *d, const double *row, enum part part,
                            uint32_t user, enum protocol protocol, double slack) {
    const uint32_t length = target_position(d, part, user),
                   target = d->item[d->start[user] + length];
    struct placing p = {0, 0};
    uint32_t n = d->n_items;
    const uint32_t *others = NULL;
    if (protocol == PROTOCOL_SAMPLED) others = dataset_candidates(d, (int)part, user, &n);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t item = others ? others[i] : i + 1;
        if (!others && (item == target || in_history(d, user, length, item))) continue;
        p.rank += row[item] >= row[target] - slack;
        p.ties += row[item] == row[target];
    }
    return p;
}

static void expect_same(const struct ranking_result *a, const struct ranking_result *b) {
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->user, b->user, a->n * sizeof *a->user);
    assert_memory_equal(a->rank, b->rank, a->n * sizeof *a->rank);
    assert_memory_equal(a->ties, b->ties, a->n * sizeof *a->ties);
    assert_int_equal(a->n_tied, b->n_tied);
    assert_memory_equal(&a->metrics, &b->metrics, sizeof a->metrics);
    assert_memory_equal(&a->optimistic, &b->optimistic, sizeof a->optimistic);
    assert_true(!a->list == !b->list);
    if (a->list) assert_memory_equal(a->list, b->list, a->n * RANKING_LIST * sizeof *a->list);
}

static size_t n_repeated; /* targets that are in their history */

/* A list holds nothing of the history, the target neither when it is in there, and what it holds comes in order. */
static void check_list(const struct ranking_result *r, size_t i, const struct dataset *d, const double *row) {
    const uint32_t *list = r->list + i * RANKING_LIST, length = target_position(d, r->part, r->user[i]);
    uint32_t n = 0, n_better = 0;
    for (uint32_t item = 1; item <= d->n_items; item++) n += !in_history(d, r->user[i], length, item);
    for (size_t k = 0; k < RANKING_LIST; k++) {
        assert_int_equal(list[k] != 0, k < n);
        if (!list[k]) break;
        assert_false(in_history(d, r->user[i], length, list[k]));
        assert_true(k == 0 || row[list[k - 1]] >= row[list[k]]);
    }
    for (uint32_t item = 1; item <= d->n_items && n; item++)
        n_better += row[item] > row[list[n < RANKING_LIST ? n - 1 : RANKING_LIST - 1]] && !in_history(d, r->user[i], length, item);
    assert_true(n_better < RANKING_LIST);
    n_repeated += in_history(d, r->user[i], length, r->target[i]);
}

/* Small integers: every product is exact, so the tiles must agree with the loop in every tie. */
static void check_exact(uint32_t n_users, uint32_t n_items, size_t width) {
    struct dataset *d = fake_dataset(n_users, n_items, 7);
    struct fake_model *m = fake_model(n_items, width, 1, 8);
    double *row = mem_array(n_items + 1, sizeof *row);
    for (int part = 0; part < 2; part++)
        for (int protocol = 0; protocol < 2; protocol++) {
            struct ranking_result a =
                evaluate(1, &m->scorer, d, (enum part)part, (enum protocol)protocol);
            struct ranking_result b =
                evaluate(2, &m->rows, d, (enum part)part, (enum protocol)protocol);
            expect_same(&a, &b);
            assert_int_equal(a.n, count_targets(d, (enum part)part));
            size_t n_tied = 0;
            for (size_t i = 0; i < a.n; i++) {
                row_of(m, d, a.user[i], target_position(d, (enum part)part, a.user[i]), row);
                const struct placing p =
                    naive(d, row, (enum part)part, a.user[i], (enum protocol)protocol, 0);
                if (p.rank != a.rank[i] || p.ties != a.ties[i])
                    fail_msg("width %zu, %u items, protocol %d, user %u: expected rank %u (%u "
                             "tied), found %u (%u)",
                             width, n_items, protocol, a.user[i], p.rank, p.ties, a.rank[i],
                             a.ties[i]);
                n_tied += p.ties > 0;
                if (a.list) check_list(&a, i, d, row);
            }
            assert_int_equal(a.n_tied, n_tied);
            ranking_result_free(&a);
            ranking_result_free(&b);
        }
    mem_free(row);
    fake_model_free(m);
    fake_dataset_free(d);
}

static void ranks_are_those_of_the_loop(void **state) {
    (void)state;
    check_exact(300, 1300, 128);
    check_exact(301, 1025, 37);
    check_exact(150, 511, 16);
    check_exact(150, 512, 1);
    check_exact(140, 513, 5);
    check_exact(50, 3, 8);
    check_exact(20, 1, 8);
    check_exact(40, SLAB_ITEMS + 100, 2);
    assert_true(n_repeated > 20);
}

/* Of two chunks of users and two slabs of items the users of the second chunk, whose slabs are loaded again. */
static void slabs_are_loaded_again(void **state) {
    (void)state;
    enum { USERS = 10200, ITEMS = SLAB_ITEMS + 300, FIRST = 64 * TILE_USERS };
    struct dataset *d = fake_dataset(USERS, ITEMS, 5);
    struct fake_model *m = fake_model(ITEMS, 2, 1, 6);
    double *row = mem_array(ITEMS + 1, sizeof *row);
    struct ranking_result r = evaluate(2, &m->scorer, d, PART_TEST, PROTOCOL_FULL);
    assert_true(r.n > FIRST);
    for (size_t i = FIRST; i < r.n; i++) {
        row_of(m, d, r.user[i], target_position(d, PART_TEST, r.user[i]), row);
        const struct placing p = naive(d, row, PART_TEST, r.user[i], PROTOCOL_FULL, 0);
        assert_int_equal(r.rank[i], p.rank);
        assert_int_equal(r.ties[i], p.ties);
    }
    ranking_result_free(&r);
    mem_free(row);
    fake_model_free(m);
    fake_dataset_free(d);
}

static void threads_do_not_matter(void **state) {
    (void)state;
    struct dataset *d = fake_dataset(9500, 700, 3); /* two chunks of users */
    struct fake_model *m = fake_model(700, 48, 0, 4);
    for (int protocol = 0; protocol < 2; protocol++) {
        struct ranking_result one = evaluate(1, &m->scorer, d, PART_TEST, (enum protocol)protocol);
        for (size_t t = 1; t < COUNT(threads); t++) {
            struct ranking_result more =
                evaluate(threads[t], &m->scorer, d, PART_TEST, (enum protocol)protocol);
            expect_same(&one, &more);
            ranking_result_free(&more);
        }
        ranking_result_free(&one);
    }
    fake_model_free(m);
    fake_dataset_free(d);
}

/* Products rounded to float32: the rank lies between those of the float64 loop with the bar a
 * little higher and a little lower. 2^-23 * width * |u| |v| bounds the error of a sum of width
 * products. */
static void rounding_moves_ranks_within_bounds(void **state) {
    (void)state;
    enum { ITEMS = 1500, WIDTH = 64 };
    struct dataset *d = fake_dataset(200, ITEMS, 5);
    struct fake_model *m = fake_model(ITEMS, WIDTH, 0, 6);
    double row[ITEMS + 1];
    struct ranking_result r = evaluate(2, &m->scorer, d, PART_TEST, PROTOCOL_FULL);
    const double slack = 2e-3;
    size_t decided = 0;
    for (size_t i = 0; i < r.n; i++) {
        row_of(m, d, r.user[i], target_position(d, PART_TEST, r.user[i]), row);
        const struct placing low = naive(d, row, PART_TEST, r.user[i], PROTOCOL_FULL, -slack);
        const struct placing high = naive(d, row, PART_TEST, r.user[i], PROTOCOL_FULL, slack);
        assert_true(r.rank[i] >= low.rank && r.rank[i] <= high.rank);
        decided += low.rank == high.rank;
    }
    assert_true(decided > r.n * 8 / 10);
    ranking_result_free(&r);
    fake_model_free(m);
    fake_dataset_free(d);
}

/* Two items with the same vector have the same score wherever they stand in the tiles. */
static void equal_vectors_tie(void **state) {
    (void)state;
    enum { ITEMS = 1100, WIDTH = 96 };
    struct dataset *d = fake_dataset(400, ITEMS, 11);
    struct fake_model *m = fake_model(ITEMS, WIDTH, 0, 12);
    for (size_t i = 1; i <= ITEMS / 2; i++)
        memcpy(m->vectors + (ITEMS + 1 - i) * WIDTH, m->vectors + i * WIDTH,
               WIDTH * sizeof *m->vectors);
    struct ranking_result r = evaluate(2, &m->scorer, d, PART_TEST, PROTOCOL_FULL);
    for (size_t i = 0; i < r.n; i++) {
        const uint32_t twin = ITEMS + 1 - r.target[i];
        const uint32_t length = target_position(d, PART_TEST, r.user[i]);
        assert_int_equal(r.ties[i], in_history(d, r.user[i], length, twin) ? 0 : 1);
    }
    ranking_result_free(&r);
    fake_model_free(m);
    fake_dataset_free(d);
}

/* The lists are the best of whole rows. */
static void lists_hold_the_best(void **state) {
    (void)state;
    enum { ITEMS = 900, WIDTH = 12 };
    struct dataset *d = fake_dataset(60, ITEMS, 21);
    struct fake_model *m = fake_model(ITEMS, WIDTH, 1, 22);
    struct ranking_result r = evaluate(3, &m->scorer, d, PART_TEST, PROTOCOL_FULL);
    double row[ITEMS + 1];
    for (size_t i = 0; i < r.n; i++) {
        const uint32_t length = target_position(d, PART_TEST, r.user[i]);
        row_of(m, d, r.user[i], length, row);
        for (uint32_t k = 0; k < RANKING_LIST; k++) {
            uint32_t best = 0;
            for (uint32_t item = 1; item <= ITEMS; item++) {
                if (item != r.target[i] && in_history(d, r.user[i], length, item)) continue;
                if (isfinite(row[item]) && (best == 0 || row[item] > row[best])) best = item;
            }
            assert_int_equal(r.list[i * RANKING_LIST + k], best);
            row[best] = -(double)INFINITY;
        }
    }
    ranking_result_free(&r);
    fake_model_free(m);
    fake_dataset_free(d);
}

static void expect_failure(const struct scorer *s, const struct dataset *d, enum protocol protocol,
                           const char *part_of_message) {
    genair_status st = {0};
    struct parallel *p;
    struct ranking_result r = {.n = 77};
    assert_int_equal(parallel_create(2, &p, &st), GENAIR_OK);
    assert_int_equal(ranking_evaluate(p, s, d, PART_TEST, protocol, &r, &st), GENAIR_FORMAT);
    if (!strstr(st.message, part_of_message))
        fail_msg("'%s' lacks '%s'", st.message, part_of_message);
    assert_int_equal(r.n, 77);
    parallel_free(p);
}

static struct fake_model *poisoned;
static genair_code encode_nan(void *model, const struct histories *h, float *out,
                              genair_status *st) {
    const genair_code code = poisoned->scorer.encode(model, h, out, st);
    if (h->n > 40) out[40 * poisoned->width + 3] = NAN;
    return code;
}

static genair_code scores_inf(void *model, const struct histories *h, float *out,
                              genair_status *st) {
    const genair_code code = poisoned->rows.scores(model, h, out, st);
    out[2] = INFINITY;
    return code;
}

static void numbers_that_are_none_are_refused(void **state) {
    (void)state;
    struct dataset *d = fake_dataset(300, 600, 41);
    poisoned = fake_model(600, 32, 0, 42);
    struct scorer s = poisoned->scorer;
    s.encode = encode_nan;
    char user[32];
    size_t at = 0;
    uint32_t u = 0;
    for (; at <= 40; u++)
        at += d->test[u] != UINT32_MAX;
    snprintf(user, sizeof user, "user 'u%u'", u - 1);
    expect_failure(&s, d, PROTOCOL_FULL, user);
    expect_failure(&s, d, PROTOCOL_SAMPLED, user);
    struct scorer rows = poisoned->rows;
    rows.scores = scores_inf;
    for (u = 0; d->test[u] == UINT32_MAX;)
        u++;
    snprintf(user, sizeof user, "user 'u%u'", u);
    expect_failure(&rows, d, PROTOCOL_FULL, user);
    poisoned->vectors[17 * 32 + 1] = INFINITY;
    expect_failure(&poisoned->scorer, d, PROTOCOL_FULL, "item 'i17'");
    poisoned->vectors[17 * 32 + 1] = 3e38f; /* finite, but its products need not be */
    expect_failure(&poisoned->scorer, d, PROTOCOL_FULL, "user 'u");
    fake_model_free(poisoned);
    fake_dataset_free(d);
}

static void nobody_to_rank(void **state) {
    (void)state;
    struct dataset *d = fake_dataset(0, 5, 1);
    struct fake_model *m = fake_model(5, 4, 1, 1);
    struct ranking_result r = evaluate(2, &m->scorer, d, PART_TEST, PROTOCOL_FULL);
    assert_int_equal(r.n, 0);
    assert_true(r.metrics.mrr == 0 && r.optimistic.mrr == 0);
    ranking_result_free(&r);
    fake_model_free(m);
    fake_dataset_free(d);
}

static void rows_with_exclusions(void **state) {
    (void)state;
    const float scores[] = {3, 1, 3, 2, 3, 5};
    uint32_t excluded[] = {5, 2, 0, 2};
    const size_t n = ids_distinct(excluded, COUNT(excluded));
    assert_int_equal(n, 3);
    struct placing p = rank_in_row(scores, COUNT(scores), 2, NULL, 0);
    assert_int_equal(p.rank, 3);
    assert_int_equal(p.ties, 2);
    p = rank_in_row(scores, COUNT(scores), 2, excluded,
                    n); /* the target itself is in the history */
    assert_int_equal(p.rank, 1);
    assert_int_equal(p.ties, 1);
    const uint32_t others[] = {1, 0, 4};
    p = rank_among(scores, 2, others, COUNT(others));
    assert_int_equal(p.rank, 2);
    assert_int_equal(p.ties, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_those_of_the_loop),
        cmocka_unit_test(slabs_are_loaded_again),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(rounding_moves_ranks_within_bounds),
        cmocka_unit_test(equal_vectors_tie),
        cmocka_unit_test(lists_hold_the_best),
        cmocka_unit_test(numbers_that_are_none_are_refused),
        cmocka_unit_test(nobody_to_rank),
        cmocka_unit_test(rows_with_exclusions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
