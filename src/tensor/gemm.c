/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/gemm.h"

#include "base/size.h"

#include <stdbool.h>
#include <string.h>

enum { ROWS_PER_TASK = 256, ROWS_WORTH_SPLITTING = 32 };
/* A panel of K_BLOCK rows is 16 KiB, half of a first cache; the stack holds 360 KiB a product. M_BLOCK is a
 * multiple of all tables' rows. */
enum { K_BLOCK = 256, N_BLOCK = 256, M_BLOCK = 96, TRANSPOSED_ROWS = 8 };

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
            for (size_t j = 0; j < width; j++) {
                const float *from = g->b + (n0 + j0 + j) * g->ldb + k0;
                for (size_t k = 0; k < kc; k++) panel[k * PANEL + j] = from[k];
            }
        } else {
            for (size_t k = 0; k < kc; k++)
                memcpy(panel + k * PANEL, g->b + (k0 + k) * g->ldb + n0 + j0, width * sizeof *panel);
        }
    }
}

/* Rows m0 … of A as [mc, kc]; where they stand like this already, in place. */
static const float *pack_a(const struct gemm *g, size_t m0, size_t mc, size_t k0, size_t kc, float *packed) {
    if (!g->a_transposed && g->lda == kc) return g->a + m0 * g->lda;
    if (!g->a_transposed) {
        for (size_t i = 0; i < mc; i++) memcpy(packed + i * kc, g->a + (m0 + i) * g->lda + k0, kc * sizeof *packed);
        return packed;
    }
    /* Few rows at a time: columns of the block are far apart, and share sets of the cache. */
    for (size_t i0 = 0; i0 < mc; i0 += TRANSPOSED_ROWS) {
        const size_t end = min_size(mc, i0 + TRANSPOSED_ROWS);
        for (size_t k = 0; k < kc; k++)
            for (size_t i = i0; i < end; i++) packed[i * kc + k] = g->a[(k0 + k) * g->lda + m0 + i];
    }
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
        const float *a = pack_a(g, m0, mc, k0, kc, w->a);
        for (size_t j0 = 0; j0 < nc; j0 += PANEL) {
            float *c = g->c + m0 * g->ldc + n0 + j0;
            if (store && nc - j0 >= PANEL) {
                g->kernels->panel_product(a, mc, w->b + j0 * kc, kc, c, g->ldc);
                continue;
            }
            const size_t width = min_size(PANEL, nc - j0);
            g->kernels->panel_product(a, mc, w->b + j0 * kc, kc, w->product, PANEL);
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
    /* The first block of terms may be stored where nothing is to be added to. */
    const bool store = g->alpha == 1 && g->beta == 0 && !g->bias && g->k > 0;
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

void gemm(struct parallel *p, const struct gemm *g) {
    struct split s = {g, gemm_tasks(g->m)};
    parallel_run(p, s.n_tasks, run_rows, &s);
}
