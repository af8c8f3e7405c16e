/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/gemm.h"

#include "base/size.h"

#include <cblas.h>
#include <string.h>

enum { ROWS_PER_TASK = 256, ROWS_WORTH_SPLITTING = 32 };

size_t gemm_tasks(size_t m) {
    if (m < ROWS_WORTH_SPLITTING) return 1;
    const size_t pairs = (m + 2 * ROWS_PER_TASK - 1) / (2 * ROWS_PER_TASK);
    return 2 * pairs;
}

size_t gemm_split(size_t m, size_t n_tasks, size_t i) {
    /* Multiples of 8 rows suit the micro-kernels. */
    const size_t rows = (m + n_tasks - 1) / n_tasks;
    return min_size(m, (rows + 7) / 8 * 8 * i);
}

void gemm_single(const struct gemm *g) {
    if (g->m == 0 || g->n == 0) return;
    float beta = g->beta;
    if (g->bias) {
        for (size_t i = 0; i < g->m; i++) memcpy(g->c + i * g->ldc, g->bias, g->n * sizeof *g->c);
        beta = 1;
    }
    cblas_sgemm(CblasRowMajor, g->a_transposed ? CblasTrans : CblasNoTrans,
                g->b_transposed ? CblasTrans : CblasNoTrans, (int)g->m, (int)g->n, (int)g->k, g->alpha, g->a,
                (int)g->lda, g->b, (int)g->ldb, beta, g->c, (int)g->ldc);
}

struct split {
    const struct gemm *whole;
    size_t n_tasks;
};

static void run_rows(void *context, size_t i, int worker) {
    (void)worker;
    const struct split *s = context;
    struct gemm g = *s->whole;
    const size_t first = gemm_split(g.m, s->n_tasks, i);
    const size_t end = gemm_split(g.m, s->n_tasks, i + 1);
    if (first == end) return;
    g.m = end - first;
    g.a += first * (g.a_transposed ? 1 : g.lda);
    g.c += first * g.ldc;
    gemm_single(&g);
}

void gemm(struct parallel *p, const struct gemm *g) {
    struct split s = {g, gemm_tasks(g->m)};
    parallel_run(p, s.n_tasks, run_rows, &s);
}
