/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics and groups of a few users, computed by hand. */
#include "ranking/groups.h"
#include "ranking/metrics.h"

#include "base/size.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void expect(double want, double got) {
    if (!(fabs(want - got) < 1e-15)) fail_msg("expected %.17g, found %.17g", want, got);
}

static const struct cutoffs cutoffs = {3, {1, 2, 5}};

static void metrics_by_hand(void **state) {
    (void)state;
    const uint32_t rank[] = {0, 1, 4, 5};
    struct metrics m;
    metrics_from_ranks(rank, COUNT(rank), &cutoffs, &m);
    expect(0.25, m.hr[0]);
    expect(0.5, m.hr[1]);
    expect(0.75, m.hr[2]);
    expect(0.25, m.ndcg[0]);
    expect((1 + 1 / log2(3)) / 4, m.ndcg[1]);
    expect((1 + 1 / log2(3) + 1 / log2(6)) / 4, metrics_ndcg(&m, 5));
    expect((1 + 0.5 + 0.2 + 1.0 / 6) / 4, m.mrr);
    expect(0, metrics_ndcg(&m, 10));
    json_t *o = metrics_json(&m);
    assert_int_equal(json_object_size(o), 7);
    expect(0.75, json_real_value(json_object_get(o, "HR@5")));
    json_decref(o);
    metrics_from_ranks(rank, 0, &cutoffs, &m);
    expect(0, m.mrr);
}

static void metrics_of_groups(void **state) {
    (void)state;
    const uint32_t rank[] = {0, 1, 4, 5};
    const uint8_t group[] = {2, 0, 2, 0};
    struct metrics m[3];
    metrics_by_group(rank, group, COUNT(rank), 3, &cutoffs, m);
    assert_int_equal(m[0].n_users, 2);
    assert_int_equal(m[1].n_users, 0);
    expect(0, m[1].mrr);
    expect(0.5, m[2].hr[0]);
    expect((0.5 + 1.0 / 6) / 2, m[0].mrr);
}

static void groups_by_hand(void **state) {
    (void)state;
    const uint32_t values[] = {9, 10, 4, 5, 20, 9, 1};
    uint8_t g[7];
    groups_by_length(values, 7, (const uint32_t[]){10}, 1, g);
    assert_memory_equal(g, ((const uint8_t[]){0, 1, 0, 0, 1, 0, 0}), 7);
    groups_by_length(values, 7, (const uint32_t[]){5, 10, 15, 20}, 4, g);
    assert_memory_equal(g, ((const uint8_t[]){1, 2, 0, 1, 4, 1, 0}), 7);
    /* ascending: 1(6) 4(2) 5(3) 9(0) 9(5) 10(1) 20(4); floor(5 r / 7) = 0 0 1 2 2 3 4 */
    assert_int_equal(groups_equal_length(values, 7, 5, g, NULL), GENAIR_OK);
    assert_memory_equal(g, ((const uint8_t[]){2, 3, 0, 1, 4, 2, 0}), 7);
    /* descending: 4 1 0 5 3 2 6; the first ceil(7 / 5) = 2 are the head */
    assert_int_equal(groups_head_tail(values, 7, 0.2, g, NULL), GENAIR_OK);
    assert_memory_equal(g, ((const uint8_t[]){1, 0, 1, 1, 0, 1, 1}), 7);
    const uint32_t equal[35] = {0};
    uint8_t heads[35];
    size_t n_tail = 0;
    assert_int_equal(groups_head_tail(equal, 35, 0.2, heads, NULL), GENAIR_OK);
    for (size_t i = 0; i < 35; i++)
        n_tail += heads[i];
    assert_int_equal(n_tail, 28); /* 7 heads, not ceil(7.000000000000001) */
    assert_int_equal(groups_equal_popularity(values, 7, 5, g, NULL), GENAIR_OK);
    assert_memory_equal(g, ((const uint8_t[]){1, 0, 3, 2, 0, 2, 4}), 7);
    assert_int_equal(groups_equal_popularity(values, 0, 5, g, NULL), GENAIR_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(metrics_by_hand),
                                       cmocka_unit_test(metrics_of_groups),
                                       cmocka_unit_test(groups_by_hand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
