/* SPDX-License-Identifier: Apache-2.0 */
/* Products of all shapes and forms: right, the same to the bit by any number of threads or of a packed matrix, and nothing written beside C. */
#include "tensor/gemm.h"

#include "base/rng.h"
#include "base/size.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 700 * 300, BESIDE = 5 };

static const struct shape {
    size_t m, n, k;
} shapes[] = {{1, 1, 1},      {1, 300, 40},  {7, 15, 0},    {8, 16, 64},    {31, 33, 300}, {128, 128, 600},
              {600, 64, 128}, {700, 17, 50}, {128, 40, 257}, {3, 257, 513}, {300, 300, 96}, {256, 128, 700}};

struct arrays {
    float a[MOST], b[MOST], bias[1024], start[MOST + BESIDE * 1024], single[MOST + BESIDE * 1024], c[MOST + BESIDE * 1024], packed[2 * MOST];
};

static void fill(float *x, size_t n, uint64_t stream) {
    struct rng r = rng_start(3, RNG_INIT, stream);
    for (size_t i = 0; i < n; i++) x[i] = (float)(2 * rng_unit(&r) - 1);
}

static void *make(void) {
    struct arrays *x = malloc(sizeof *x);
    assert_non_null(x);
    fill(x->a, MOST, 1);
    fill(x->b, MOST, 2);
    fill(x->bias, 1024, 3);
    fill(x->start, MOST + BESIDE * 1024, 4);
    return x;
}

static double exact(const struct gemm *g, const float *start, size_t i, size_t j) {
    double sum = 0;
    for (size_t l = 0; l < g->k; l++)
        sum += (double)(g->a_transposed ? g->a[l * g->lda + i] : g->a[i * g->lda + l]) *
               (double)(g->b_transposed ? g->b[j * g->ldb + l] : g->b[l * g->ldb + j]);
    return (double)g->alpha * sum + (g->bias ? (double)g->bias[j] : g->beta == 0 ? 0 : (double)g->beta * (double)start[i * g->ldc + j]);
}

static void right_and_inside(const struct gemm *g, const float *start) {
    for (size_t i = 0; i < g->m; i++)
        for (size_t j = 0; j < g->ldc; j++) {
            const float c = g->c[i * g->ldc + j];
            if (j >= g->n)
                assert_memory_equal(&c, &start[i * g->ldc + j], sizeof c);
            else if ((i + j) % 3 == 0)
                assert_true(fabs(exact(g, start, i, j) - (double)c) < 1e-4);
        }
}

static void by_any_threads(const struct kernels *kernels, struct parallel *const *pools, size_t n_pools) {
    struct arrays *x = make();
    for (size_t s = 0; s < COUNT(shapes); s++)
        for (unsigned form = 0; form < 24; form++) {
            const struct shape z = shapes[s];
            const bool at = form & 1, bt = form & 2;
            const unsigned begin = form / 4 % 3;
            struct gemm g = {.kernels = kernels, .m = z.m, .n = z.n, .k = z.k, .a = x->a, .b = x->b, .c = x->single,
                             .lda = at ? z.m : z.k, .ldb = bt ? z.k : z.n, .ldc = z.n + BESIDE, .a_transposed = at,
                             .b_transposed = bt, .alpha = form / 12 ? 0.5f : 1, .beta = begin == 1 ? 1.0f : 0,
                             .bias = begin == 2 ? x->bias : NULL};
            const size_t bytes = z.m * g.ldc * sizeof(float);
            memcpy(x->single, x->start, bytes);
            gemm_single(&g);
            right_and_inside(&g, x->start);
            g.c = x->c;
            assert_true(gemm_packed_size(g.n, g.k) <= COUNT(x->packed));
            gemm_pack(&g, x->packed);
            struct gemm by_packed = g;
            by_packed.packed = x->packed;
            by_packed.b = NULL;
            memcpy(x->c, x->start, bytes);
            gemm_single(&by_packed);
            assert_memory_equal(x->c, x->single, bytes);
            for (size_t p = 0; p < n_pools; p++) {
                memcpy(x->c, x->start, bytes);
                gemm(pools[p], &g);
                assert_memory_equal(x->c, x->single, bytes);
            }
        }
    free(x);
}

static void products_are_the_same_by_any_threads(void **state) {
    (void)state;
    static const int threads[] = {1, 2, 3, 16};
    static const char *const tables[] = {"scalar", "avx2", "avx512", "neon"};
    struct parallel *pools[COUNT(threads)];
    for (size_t i = 0; i < COUNT(threads); i++) assert_int_equal(parallel_create(threads[i], &pools[i], NULL), GENAIR_OK);
    for (size_t i = 0; i < COUNT(tables); i++)
        if (kernels_select(tables[i])) by_any_threads(kernels_select(tables[i]), pools, COUNT(pools));
    for (size_t i = 0; i < COUNT(threads); i++) parallel_free(pools[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(products_are_the_same_by_any_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
