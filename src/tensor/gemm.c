/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/gemm.h"

#include "base/size.h"

#include <assert.h>
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

static size_t whole_panels(size_t n) {
    return (n + PANEL - 1) / PANEL * PANEL;
}

/* Blocks stand one after the other: those of the first N_BLOCK columns, k0 rising, then the next columns'. */
static size_t packed_place(size_t n, size_t k, size_t n0, size_t k0) {
    return n0 * k + k0 * whole_panels(min_size(N_BLOCK, n - n0));
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

/* C without products, or what it holds before the first one. */
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

static void multiply_block(const struct gemm *g, struct blocks *w, const float *b, size_t k0, size_t kc, size_t n0,
                           size_t nc) {
    const float *bias = k0 == 0 ? g->bias : NULL;
    const bool store = k0 == 0 && !g->bias && g->beta == 0; /* there is nothing to add to */
    const size_t start_stride = bias ? 0 : g->ldc;
    for (size_t m0 = 0; m0 < g->m; m0 += M_BLOCK) {
        const size_t mc = min_size(M_BLOCK, g->m - m0);
        size_t stride;
        const float *a = rows_of_a(g, m0, mc, k0, kc, w->a, &stride);
        for (size_t j0 = 0; j0 < nc; j0 += PANEL) {
            float *c = g->c + m0 * g->ldc + n0 + j0;
            const float *panel = b + j0 * kc, *start = bias ? bias + n0 + j0 : store ? NULL : c;
            if (g->alpha == 1 && nc - j0 >= PANEL) {
                g->kernels->panel_product(a, mc, stride, panel, kc, start, start_stride, c, g->ldc);
                continue;
            }
            const size_t width = min_size(PANEL, nc - j0);
            g->kernels->panel_product(a, mc, stride, panel, kc, NULL, 0, w->product, PANEL);
            for (size_t i = 0; i < mc; i++)
                for (size_t j = 0; j < width; j++) {
                    const float product = g->alpha * w->product[i * PANEL + j];
                    c[i * g->ldc + j] = start ? start[i * start_stride + j] + product : product;
                }
        }
    }
}

void gemm_single(const struct gemm *g) {
    struct blocks w;
    if (g->m == 0 || g->n == 0) return;
    if (g->k == 0 || (!g->bias && g->beta != 0 && g->beta != 1)) start_rows(g);
    for (size_t n0 = 0; n0 < g->n; n0 += N_BLOCK)
        for (size_t k0 = 0; k0 < g->k; k0 += K_BLOCK) {
            const size_t nc = min_size(N_BLOCK, g->n - n0), kc = min_size(K_BLOCK, g->k - k0);
            if (!g->packed) pack_b(g, k0, kc, n0, nc, w.b);
            const float *b = g->packed ? g->packed + packed_place(g->n, g->k, n0, k0) : w.b;
            multiply_block(g, &w, b, k0, kc, n0, nc);
        }
}

void gemm_pack(const struct gemm *g, float *out) {
    for (size_t n0 = 0; n0 < g->n; n0 += N_BLOCK)
        for (size_t k0 = 0; k0 < g->k; k0 += K_BLOCK)
            pack_b(g, k0, min_size(K_BLOCK, g->k - k0), n0, min_size(N_BLOCK, g->n - n0), out + packed_place(g->n, g->k, n0, k0));
}

size_t gemm_packed_size(size_t n, size_t k) {
    return whole_panels(n) * k;
}

/* ---- over threads: C in parts, by rows and by columns ---- */

/* What things cost, in multiply-adds: a round of tasks; to pack an element of B; to read one of A anew, or turn it over. Measured
 * with histories' products on AVX-512. */
enum { ROUND = 1 << 16, PACK_B = 24, READ_A = 8, TURN_A = 32 };

struct split {
    const struct gemm *whole;
    size_t row_parts, column_parts;
};

static size_t column_split(size_t n, size_t parts, size_t i) {
    const size_t panels = (n + PANEL - 1) / PANEL;
    return min_size(n, (panels + parts - 1) / parts * PANEL * i);
}

static void run_part(void *context, size_t i, int worker) {
    (void)worker;
    const struct split *s = context;
    struct gemm g = *s->whole;
    const size_t row_part = i % s->row_parts, column_part = i / s->row_parts;
    const size_t row = gemm_split(g.m, s->row_parts, row_part), column = column_split(g.n, s->column_parts, column_part);
    g.m = gemm_split(g.m, s->row_parts, row_part + 1) - row;
    g.n = column_split(g.n, s->column_parts, column_part + 1) - column;
    g.a += row * (g.a_transposed ? 1 : g.lda);
    g.b += column * (g.b_transposed ? g.ldb : 1);
    g.c += row * g.ldc + column;
    if (g.bias) g.bias += column;
    gemm_single(&g);
}

/* Of a component of k: every part packs its columns of B and reads its rows of A. A thread waits a tenth of a
 * part's time for the last one. */
static double time_of(const struct gemm *g, size_t row_parts, size_t column_parts, size_t n_threads) {
    const double rows = (double)gemm_split(g->m, row_parts, 1), columns = (double)column_split(g->n, column_parts, 1);
    const size_t rounds = (row_parts * column_parts + n_threads - 1) / n_threads;
    return ((double)rounds + 0.1) * (rows * columns + PACK_B * columns + (g->a_transposed ? TURN_A : READ_A) * rows);
}

static struct split split_of(const struct gemm *g, size_t n_threads) {
    struct split best = {g, 1, 1};
    if (n_threads == 1 || (double)g->m * (double)g->n * (double)g->k < ROUND) return best;
    double least = time_of(g, 1, 1, n_threads);
    for (size_t columns = 1; columns * PANEL <= g->n; columns *= 2)
        for (size_t rounds = 1; rounds <= 8; rounds *= 2) {
            const size_t rows = (rounds * n_threads + columns - 1) / columns;
            if (rows * 8 > g->m && rows > 1) break;
            const double time = time_of(g, rows, columns, n_threads);
            if (time >= least) continue;
            least = time;
            best = (struct split){g, rows, columns};
        }
    return best;
}

void gemm(struct parallel *p, const struct gemm *g) {
    assert(!g->packed);
    struct split s = split_of(g, (size_t)parallel_threads(p));
    parallel_run(p, s.row_parts * s.column_parts, run_part, &s);
}
