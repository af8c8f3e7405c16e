/* SPDX-License-Identifier: Apache-2.0 */
/* The k best against a full sort, with many equal scores. */
#include "ranking/topk.h"

#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 1000 };

static int by_place(const void *a, const void *b) {
    const struct scored *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void check(size_t n, size_t k, uint64_t spread, uint64_t seed) {
    struct rng r = rng_start(seed, RNG_TEST, n);
    struct scored all[N], rows[N], pushed[N];
    float scores[N];
    size_t n_real = 0;
    for (size_t i = 0; i < n; i++) {
        scores[i] = (float)rng_below(&r, spread);
        if (rng_below(&r, 10) == 0)
            scores[i] = -INFINITY;
        else
            all[n_real++] = (struct scored){scores[i], (uint32_t)(5 + i)};
    }
    struct topk a = {k, 0, rows}, b = {k, 0, pushed};
    topk_push_row(&a, kernels_select(NULL), scores, n / 3, 5);
    topk_push_row(&a, kernels_select(NULL), scores + n / 3, n - n / 3, (uint32_t)(5 + n / 3));
    for (size_t i = n; i-- > 0;) /* the other way round */
        if (scores[i] > -INFINITY) topk_push(&b, scores[i], (uint32_t)(5 + i));
    topk_sort(&a);
    topk_sort(&b);
    qsort(all, n_real, sizeof *all, by_place);
    assert_int_equal(a.n, n_real < k ? n_real : k);
    assert_int_equal(b.n, a.n);
    for (size_t i = 0; i < a.n; i++) {
        assert_true(all[i].id == a.entries[i].id && all[i].score == a.entries[i].score);
        assert_true(all[i].id == b.entries[i].id);
    }
}

static void best_are_those_of_a_sort(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 31, 32, 33, 100, 999}, ks[] = {0, 1, 2, 10, 50, 999};
    for (size_t i = 0; i < 8; i++)
        for (size_t j = 0; j < 6; j++)
            for (uint64_t seed = 0; seed < 5; seed++) {
                check(lengths[i], ks[j], 20, seed);
                check(lengths[i], ks[j], 1000000, seed);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(best_are_those_of_a_sort)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
