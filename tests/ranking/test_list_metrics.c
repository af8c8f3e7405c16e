/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of lists against the same by their definitions, on lists that are made up. */
#include "fake_dataset.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "ranking/list_metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { USERS = 700, ITEMS = 40, MOST = 9 };

/* Counts of item pairs, dense; the sparse table is made from it. */
static uint32_t together[ITEMS + 1][ITEMS + 1];

struct table {
    uint64_t start[ITEMS + 2];
    uint32_t item[ITEMS * ITEMS], count[ITEMS * ITEMS];
};

static void draw_table(struct dataset *d, struct table *t) {
    struct rng r = rng_start(5, RNG_TEST, 1);
    memset(together, 0, sizeof together);
    for (uint32_t i = 1; i <= ITEMS; i++)
        for (uint32_t j = 1; j < i; j++)
            if (rng_below(&r, 3) == 0) together[i][j] = together[j][i] = 1 + (uint32_t)rng_below(&r, MOST);
    together[3][2] = together[2][3] = MOST;
    uint64_t n = 0;
    for (uint32_t i = 0; i <= ITEMS; i++) {
        t->start[i] = n;
        for (uint32_t j = 1; i > 0 && j <= ITEMS; j++)
            if (together[i][j]) {
                t->item[n] = j;
                t->count[n++] = together[i][j];
            }
    }
    t->start[ITEMS + 1] = n;
    d->cooccurrence = (struct cooccurrence){ITEMS, MOST, n / 2, t->start, t->item, t->count};
}

/* Distinct items in each list; the last user has none, the one before two. */
static struct ranking_result draw_lists(const struct dataset *d) {
    struct ranking_result r = {.part = PART_TEST, .protocol = PROTOCOL_FULL};
    r.user = mem_array(USERS, sizeof *r.user);
    r.list = mem_zeros(USERS, RANKING_LIST * sizeof *r.list);
    for (uint32_t u = 0; u < USERS; u++)
        if (d->test[u] != UINT32_MAX) r.user[r.n++] = u;
    for (size_t i = 0; i + 1 < r.n; i++) {
        struct rng random = rng_start(6, RNG_TEST, i);
        const uint32_t first = (uint32_t)rng_below(&random, ITEMS), n = i + 2 == r.n ? 2 : RANKING_LIST;
        for (uint32_t k = 0; k < n; k++)
            r.list[i * RANKING_LIST + k] = 1 + (first + k * (k + 1) / 2) % (ITEMS - 5); /* five never listed */
        for (uint32_t k = 0; k < n; k++)
            for (uint32_t j = 0; j < k; j++)
                if (r.list[i * RANKING_LIST + j] == r.list[i * RANKING_LIST + k])
                    r.list[i * RANKING_LIST + k] = ITEMS - 4 + (k % 5 < 4 ? k % 5 : 0);
    }
    return r;
}

static struct list_metrics compute(const struct ranking_result *r, const struct dataset *d, int threads) {
    struct parallel *p;
    struct list_metrics m;
    assert_int_equal(parallel_create(threads, &p, NULL), GENAIR_OK);
    assert_int_equal(list_metrics_compute(p, r, d, &m, NULL), GENAIR_OK);
    parallel_free(p);
    return m;
}

static void expect(double want, double got) {
    if (!(fabs(want - got) < 1e-12 * (1 + fabs(want)))) fail_msg("expected %.17g, found %.17g", want, got);
}

/* Gini as the mean absolute difference of all pairs over twice the mean. */
static double naive_gini(const double *x, size_t n) {
    double sum = 0, differences = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        for (size_t j = 0; j < n; j++)
            differences += fabs(x[i] - x[j]);
    }
    return differences / (2 * (double)n * sum);
}

static void agree_with_their_definitions(void **state) {
    (void)state;
    struct dataset *d = fake_dataset(USERS, ITEMS, 3);
    struct table *table = mem_zeros(1, sizeof *table);
    draw_table(d, table);
    struct ranking_result r = draw_lists(d);
    assert_true(r.n > 300);
    const struct list_metrics m = compute(&r, d, 3), alone = compute(&r, d, 1);
    assert_memory_equal(&m, &alone, sizeof m);

    double times[ITEMS] = {0}, popularity = 0, bits = 0, n = 0, all = 0, diversity = 0, of_lists = 0,
           of_histories = 0;
    for (uint32_t i = 1; i <= ITEMS; i++)
        all += d->popularity[i];
    for (size_t i = 0; i + 1 < r.n; i++) { /* the last has an empty list */
        double list_sum = 0, distance = 0, pairs = 0, history = 0, length = 0;
        for (size_t k = 0; k < RANKING_LIST && r.list[i * RANKING_LIST + k]; k++) {
            const uint32_t item = r.list[i * RANKING_LIST + k];
            times[item - 1]++;
            list_sum += d->popularity[item];
            bits -= log2((d->popularity[item] ? d->popularity[item] : 1) / all);
            for (size_t j = 0; j < k; j++, pairs++)
                distance += 1 - log(1 + (double)together[item][r.list[i * RANKING_LIST + j]]) / log(1 + (double)MOST);
            n++;
            length = (double)k + 1;
        }
        popularity += list_sum;
        diversity += distance / pairs;
        of_lists += list_sum / length;
        for (uint32_t k = 0; k < d->test[r.user[i]]; k++)
            history += d->popularity[d->item[d->start[r.user[i]] + k]];
        of_histories += history / d->test[r.user[i]];
    }
    double distinct = 0;
    for (size_t i = 0; i < ITEMS; i++)
        distinct += times[i] > 0;
    expect(distinct / ITEMS, m.coverage);
    expect(naive_gini(times, ITEMS), m.gini);
    expect(popularity / n, m.popularity);
    expect(of_lists / of_histories - 1, m.popularity_lift);
    expect(bits / n, m.novelty);
    expect(diversity / (double)(r.n - 1), m.diversity);
    assert_true(m.coverage < 1 && m.gini > 0.05 && m.diversity > 0.1 && m.diversity < 0.99);
    ranking_result_free(&r);
    mem_free(table);
    fake_dataset_free(d);
}

static void everything_alike_and_one_alone(void **state) {
    (void)state;
    struct dataset *d = fake_dataset(USERS, ITEMS, 3);
    struct table *table = mem_zeros(1, sizeof *table);
    draw_table(d, table);
    struct ranking_result r = draw_lists(d);
    r.n = ITEMS; /* item i is in ten lists, whatever i */
    for (uint32_t i = 0; i < ITEMS; i++)
        for (uint32_t k = 0; k < RANKING_LIST; k++)
            r.list[i * RANKING_LIST + k] = 1 + (i + k) % ITEMS;
    expect(0, compute(&r, d, 2).gini);
    memset(r.list, 0, ITEMS * RANKING_LIST * sizeof *r.list);
    for (uint32_t i = 0; i < ITEMS; i++)
        r.list[i * RANKING_LIST] = 7;
    const struct list_metrics one = compute(&r, d, 2);
    expect(1.0 / ITEMS, one.coverage);
    expect(1 - 1.0 / ITEMS, one.gini);
    expect(0, one.diversity); /* no pairs */
    memset(r.list, 0, ITEMS * RANKING_LIST * sizeof *r.list);
    const struct list_metrics none = compute(&r, d, 2);
    assert_true(none.coverage == 0 && none.gini == 0 && none.novelty == 0 && none.popularity_lift == 0);
    ranking_result_free(&r);
    mem_free(table);
    fake_dataset_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agree_with_their_definitions),
                                       cmocka_unit_test(everything_alike_and_one_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
