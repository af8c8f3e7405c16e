/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/gemm.h"

#include "base/size.h"

#include <stdbool.h>
#include <string.h>

enum { ROWS_PER_TASK = 256, ROWS_WORTH_SPLITTING = 32 };
/* A panel of K_BLOCK rows is 16 KiB, half of a first cache; the stack holds 360 KiB a product. M_BLOCK is a
 * multiple of all tables' rows. */
enum { K_BLOCK = 256, N_BLOCK = 256, M_BLOCK = 96 };

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

/* B in panels of PANEL columns, a block of its rows at a time; A in blocks of rows that stay in the second
 * cache. The last panel is padded with zeros. */
struct blocks {
    float b[K_BLOCK * N_BLOCK];
    float a[M_BLOCK * K_BLOCK];
    float product[M_BLOCK * PANEL];
};

static void pack_b(const struct gemm *g, size_t k0, size_t kc, size_t n0, size_t nc, float *packed) {
    for (size_t j0 = 0; j0 < nc; j0 += PANEL) {
        float *panel = packed + j0 * kc;
        const size_t width = min_size(PANEL, nc - j0);
        if (width < PANEL) memset(panel, 0, kc * PANEL * sizeof *panel);
        if (g->b_transposed) {
            g->kernels->transpose(g->b + (n0 + j0) * g->ldb + k0, width, g->ldb, kc, panel, PANEL);
            continue;
        }
        const float *from = g->b + k0 * g->ldb + n0 + j0;
        for (size_t k = 0; k < kc; k++, from += g->ldb) {
            if (width == PANEL) /* a constant size: two or four moves */
                memcpy(panel + k * PANEL, from, PANEL * sizeof *panel);
            else
                memcpy(panel + k * PANEL, from, width * sizeof *panel);
        }
    }
}

/* Rows m0 … of A, k0 … of each: in place, or turned into packed. *stride: from row to row. */
static const float *rows_of_a(const struct gemm *g, size_t m0, size_t mc, size_t k0, size_t kc, float *packed,
                              size_t *stride) {
    if (!g->a_transposed) {
        *stride = g->lda;
        return g->a + m0 * g->lda + k0;
    }
    *stride = kc;
    g->kernels->transpose(g->a + k0 * g->lda + m0, kc, g->lda, mc, packed, kc);
    return packed;
}

/* What C holds before the first product. */
static void start_rows(const struct gemm *g) {
    for (size_t i = 0; i < g->m; i++) {
        float *c = g->c + i * g->ldc;
        if (g->bias)
            memcpy(c, g->bias, g->n * sizeof *c);
        else if (g->beta == 0)
            memset(c, 0, g->n * sizeof *c);
        else if (g->beta != 1)
            g->kernels->scale(g->beta, c, g->n);
    }
}

static void multiply_block(const struct gemm *g, struct blocks *w, size_t k0, size_t kc, size_t n0, size_t nc,
                           bool store) {
    for (size_t m0 = 0; m0 < g->m; m0 += M_BLOCK) {
        const size_t mc = min_size(M_BLOCK, g->m - m0);
        size_t stride;
        const float *a = rows_of_a(g, m0, mc, k0, kc, w->a, &stride);
        for (size_t j0 = 0; j0 < nc; j0 += PANEL) {
            float *c = g->c + m0 * g->ldc + n0 + j0;
            const float *panel = w->b + j0 * kc;
            if (g->alpha == 1 && nc - j0 >= PANEL) {
                g->kernels->panel_product(a, mc, stride, panel, kc, c, g->ldc, !store);
                continue;
            }
            const size_t width = min_size(PANEL, nc - j0);
            g->kernels->panel_product(a, mc, stride, panel, kc, w->product, PANEL, false);
            for (size_t i = 0; i < mc; i++)
                for (size_t j = 0; j < width; j++) {
                    const float product = g->alpha * w->product[i * PANEL + j];
                    c[i * g->ldc + j] = store ? product : c[i * g->ldc + j] + product;
                }
        }
    }
}

void gemm_single(const struct gemm *g) {
    struct blocks w;
    if (g->m == 0 || g->n == 0) return;
    /* The first block of terms is stored where there is nothing to add to. */
    const bool store = g->beta == 0 && !g->bias && g->k > 0;
    if (!store) start_rows(g);
    for (size_t n0 = 0; n0 < g->n; n0 += N_BLOCK)
        for (size_t k0 = 0; k0 < g->k; k0 += K_BLOCK) {
            const size_t nc = min_size(N_BLOCK, g->n - n0), kc = min_size(K_BLOCK, g->k - k0);
            pack_b(g, k0, kc, n0, nc, w.b);
            multiply_block(g, &w, k0, kc, n0, nc, store && k0 == 0);
        }
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

/* Each task packs B anew, so there are no more than keep the threads busy; where rows are cut changes no element. */
static size_t tasks_for(size_t m, size_t n_threads) {
    return n_threads == 1 ? 1 : min_size(gemm_tasks(m), 2 * n_threads);
}

void gemm(struct parallel *p, const struct gemm *g) {
    struct split s = {g, tasks_for(g->m, (size_t)parallel_threads(p))};
    parallel_run(p, s.n_tasks, run_rows, &s);
}
