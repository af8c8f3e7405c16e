/* SPDX-License-Identifier: Apache-2.0 */
/* An approximate index may miss items; what it lists has the right scores and order. All lists read: the whole list. */
#include "fake_model.h"

#include "base/blas.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "ranking/index.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ITEMS = 40000, WIDTH = 64, CENTRES = 300, LISTS = 200, K = 10, USERS = 40 };

/* Around centres, of uneven length. */
static void draw(float *out, const float *centres, struct rng *r) {
    const float *centre = centres + rng_below(r, CENTRES) * WIDTH;
    const double length = exp(0.2 * rng_normal(r));
    for (size_t k = 0; k < WIDTH; k++) out[k] = (float)(length * ((double)centre[k] + 0.7 * rng_normal(r)));
}

struct fixture {
    struct fake_model *model;
    struct index index;
    struct parallel *parallel;
    float users[USERS * WIDTH];
};

static void make_index(struct fixture *f, size_t probe, struct index *out) {
    const struct index_setting setting = {.approximate = true, .probe = probe, .seed = 44};
    assert_int_equal(index_create(&f->model->scorer, &setting, f->parallel, out, NULL), GENAIR_OK);
    assert_non_null(out->screen);
    assert_non_null(out->partition);
    assert_int_equal(out->partition->n_lists, LISTS);
}

static int set_up(void **state) {
    static struct fixture f;
    static float centres[CENTRES * WIDTH];
    struct rng r = rng_start(7, RNG_TEST, 0);
    for (size_t i = 0; i < CENTRES * WIDTH; i++) centres[i] = (float)rng_normal(&r);
    blas_use_one_thread();
    f.model = fake_model(ITEMS, WIDTH, 0, 1);
    for (size_t i = 1; i <= ITEMS; i++) draw(f.model->vectors + i * WIDTH, centres, &r);
    for (size_t u = 0; u < USERS; u++) draw(f.users + u * WIDTH, centres, &r);
    if (parallel_create(3, &f.parallel, NULL) != GENAIR_OK) return 1;
    make_index(&f, 8, &f.index);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    index_free(&f->index);
    parallel_free(f->parallel);
    fake_model_free(f->model);
    return 0;
}

struct found {
    struct scored entries[K];
    size_t n;
    struct screen_reading reading;
};

static struct found exact(const struct fixture *f, size_t user, const struct choice *c) {
    struct found out;
    struct topk best = {.k = K, .entries = out.entries};
    assert_int_equal(screen_best(f->index.screen, f->users + user * WIDTH, c, &best, &out.reading, NULL), GENAIR_OK);
    out.n = best.n;
    return out;
}

static struct found near(const struct fixture *f, size_t user, const struct choice *c, size_t probe) {
    struct found out;
    struct topk best = {.k = K, .entries = out.entries};
    assert_int_equal(screen_best_near(f->index.screen, f->users + user * WIDTH, c, probe, &best, &out.reading, NULL), GENAIR_OK);
    out.n = best.n;
    return out;
}

static size_t common(const struct found *a, const struct found *b) {
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++)
        for (size_t j = 0; j < b->n; j++)
            n += a->entries[i].id == b->entries[j].id && a->entries[i].score == b->entries[j].score;
    return n;
}

static void expect_equal(struct found a, struct found b) {
    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++) {
        assert_int_equal(a.entries[i].id, b.entries[i].id);
        assert_memory_equal(&a.entries[i].score, &b.entries[i].score, sizeof(float));
    }
}

/* Right scores, in order, of items that may be listed. */
static void expect_sound(const struct fixture *f, size_t user, const struct choice *c, struct found list) {
    for (size_t i = 0; i < list.n; i++) {
        const struct scored e = list.entries[i];
        const float score = kernels_select(NULL)->dot(f->users + user * WIDTH, f->model->vectors + e.id * WIDTH, WIDTH);
        assert_memory_equal(&score, &e.score, sizeof score);
        assert_true(i == 0 || scored_before(list.entries[i - 1], e));
        if (c) assert_true(choice_admits(c, e.id));
    }
}

/* The share of the best that is found, of which all lists must be sound. */
static double recall(const struct fixture *f, const struct choice *c, size_t probe, double *read) {
    size_t found = 0, of = 0;
    *read = 0;
    for (size_t u = 0; u < USERS; u++) {
        const struct found whole = exact(f, u, c), some = near(f, u, c, probe);
        assert_int_equal(some.n, whole.n);
        expect_sound(f, u, c, some);
        found += common(&whole, &some);
        of += whole.n;
        *read += (double)some.reading.codes / ITEMS / USERS;
    }
    return (double)found / (double)of;
}

static void most_are_found_in_few_lists(void **state) {
    const struct fixture *f = *state;
    double read;
    assert_true(recall(f, NULL, 8, &read) >= 0.97);
    assert_true(read < 0.08); /* 8 of 200 lists */
    const double one = recall(f, NULL, 1, &read);
    assert_true(one >= 0.8 && read < 0.02);
    assert_true(recall(f, NULL, 64, &read) >= one);
}

/* The index itself finds what a definition finds: all lists, and the codes in the lists' order. */
static void all_lists_give_the_whole_list(void **state) {
    const struct fixture *f = *state;
    for (size_t u = 0; u < USERS; u++) {
        struct scored entries[K];
        struct topk best = {.k = K, .entries = entries};
        for (uint32_t i = 1; i <= ITEMS; i++)
            topk_push(&best, kernels_select(NULL)->dot(f->users + u * WIDTH, f->model->vectors + i * WIDTH, WIDTH), i);
        topk_sort(&best);
        struct found expected = {.n = best.n};
        memcpy(expected.entries, entries, sizeof entries);
        expect_equal(expected, exact(f, u, NULL));
        expect_equal(expected, near(f, u, NULL, LISTS));
        expect_equal(expected, near(f, u, NULL, 65536));
        assert_int_equal(near(f, u, NULL, LISTS).reading.codes, ITEMS);
    }
}

/* The best are excluded; a third is allowed, for which three times the lists are read; too few are left in the lists: then the
 * list is the whole one. */
static void filters_hold(void **state) {
    const struct fixture *f = *state;
    static uint32_t third[ITEMS / 3];
    const size_t n_third = sizeof third / sizeof *third;
    double read, read_all;
    for (uint32_t i = 0; i < n_third; i++) third[i] = 3 * (i + 1);
    const struct choice some = {.allowed = third, .n_allowed = n_third, .only_allowed = true}, none = {.only_allowed = true};
    assert_true(recall(f, &some, 8, &read) >= 0.97);
    (void)recall(f, NULL, 8, &read_all);
    assert_true(read > 2 * read_all && read < 4 * read_all);
    for (size_t u = 0; u < USERS; u++) {
        const struct found first = exact(f, u, NULL);
        uint32_t excluded[ITEMS];
        size_t n = 0;
        for (uint32_t i = 1; i <= ITEMS; i++)
            for (size_t j = 0; j < 5; j++)
                if (first.entries[j].id == i) excluded[n++] = i;
        const struct choice rest = {.excluded = excluded, .n_excluded = n};
        const struct found left = near(f, u, &rest, 8);
        assert_int_equal(left.n, K);
        expect_sound(f, u, &rest, left);
        n = 0; /* all but every 1,000th: in one list there are not ten */
        for (uint32_t i = 1; i <= ITEMS; i++)
            if (i % 1000) excluded[n++] = i;
        const struct choice few = {.excluded = excluded, .n_excluded = n};
        expect_equal(exact(f, u, &few), near(f, u, &few, 1));
        assert_int_equal(near(f, u, &none, 8).n, 0);
    }
}

static void the_same_seed_gives_the_same_bytes(void **state) {
    const struct fixture *f = *state;
    const struct partition *a = f->index.partition;
    struct parallel *alone;
    assert_int_equal(parallel_create(1, &alone, NULL), GENAIR_OK);
    for (uint64_t seed = 44; seed < 46; seed++) {
        struct partition *b;
        assert_int_equal(partition_create(&f->model->scorer, seed, alone, &b, NULL), GENAIR_OK);
        const bool same = memcmp(a->centres, b->centres, LISTS * WIDTH * sizeof *a->centres) == 0 &&
                          memcmp(a->start, b->start, (LISTS + 1) * sizeof *a->start) == 0 &&
                          memcmp(a->items, b->items, ITEMS * sizeof *a->items) == 0;
        assert_int_equal(same, seed == 44);
        partition_free(b);
    }
    parallel_free(alone);
}

/* Every item stands in one list, ascending. */
static void every_item_has_a_list(void **state) {
    const struct fixture *f = *state;
    const struct partition *p = f->index.partition;
    static uint8_t seen[ITEMS + 1];
    assert_int_equal(p->start[0], 0);
    assert_int_equal(p->start[LISTS], ITEMS);
    for (size_t l = 0; l < LISTS; l++)
        for (size_t i = p->start[l]; i < p->start[l + 1]; i++) {
            assert_true(i == p->start[l] || p->items[i - 1] < p->items[i]);
            seen[p->items[i]]++;
        }
    for (size_t i = 1; i <= ITEMS; i++) assert_int_equal(seen[i], 1);
}

/* What is alike to items is not looked for in lists: exact. Items in one list only, zeros among the vectors. */
static void degenerate_vectors(void **state) {
    const struct fixture *f = *state;
    struct fake_model *m = fake_model(ITEMS, WIDTH, 0, 1);
    struct index index;
    const struct index_setting setting = {.approximate = true, .probe = 1, .seed = 1};
    for (size_t i = 1; i <= ITEMS; i++) memset(m->vectors + i * WIDTH, 0, WIDTH * sizeof *m->vectors);
    for (size_t i = 1; i <= 3; i++) m->vectors[i * WIDTH] = (float)i;
    assert_int_equal(index_create(&m->scorer, &setting, f->parallel, &index, NULL), GENAIR_OK);
    struct scored entries[3];
    struct topk best = {.k = 3, .entries = entries};
    const float user[WIDTH] = {1}, wrong[WIDTH] = {NAN};
    assert_int_equal(screen_best_near(index.screen, user, NULL, 1, &best, NULL, NULL), GENAIR_OK);
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(entries[i].id, 3 - i);
    best.n = 0;
    assert_int_equal(screen_best_near(index.screen, wrong, NULL, 1, &best, NULL, NULL), GENAIR_FORMAT);
    index_free(&index);
    m->vectors[5 * WIDTH + 2] = INFINITY;
    assert_int_equal(index_create(&m->scorer, &setting, f->parallel, &index, NULL), GENAIR_OK);
    assert_null(index.partition);
    assert_null(index.screen);
    index_free(&index);
    struct scorer small = f->model->scorer;
    small.n_items = 1000;
    assert_int_equal(index_create(&small, &setting, f->parallel, &index, NULL), GENAIR_OK);
    assert_null(index.screen); /* nothing to gain: every item is scored */
    assert_int_equal(index.probe, 0);
    fake_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_are_found_in_few_lists),
        cmocka_unit_test(all_lists_give_the_whole_list),
        cmocka_unit_test(filters_hold),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(every_item_has_a_list),
        cmocka_unit_test(degenerate_vectors),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
