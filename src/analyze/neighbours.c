/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/neighbours.h"

#include "base/alloc.h"
#include "base/size.h"

#include <cblas.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

/* A block of products, 64 × 512 doubles, is read again while it is in the second-level cache. */
enum { ROWS = 64, COLUMNS = 512, ROUND = 16 /* blocks between two looks at the stop flag */ };

/* Of equal distances the next row counts first, round and round: were it the smallest index, a thousand equal vectors
 * would all have the same few neighbours. */
struct near {
    double distance;
    uint32_t after; /* rows from the one that searches, modulo n */
};

/* What |x|² + |y|² - 2xy of two equal rows may be, as a share of the squares. */
static const double rounding = 1e-14;

struct search {
    const double *x, *square; /* [n, width], [n] */
    size_t n, width, k, first_block;
    double *products;    /* a worker: [ROWS, COLUMNS] */
    struct near *nearest; /* a worker: [ROWS, k], each row a heap with the farthest at the root */
    struct neighbours *out;
};

static bool farther(struct near a, struct near b) {
    return a.distance > b.distance || (!(a.distance < b.distance) && a.after > b.after);
}

static int by_distance(const void *a, const void *b) {
    const struct near *x = a, *y = b;
    return farther(*x, *y) - farther(*y, *x);
}

/* ---- the k nearest so far ---- */

static void sift_up(struct near *heap, size_t i) {
    while (i > 0 && farther(heap[i], heap[(i - 1) / 2])) {
        const struct near swapped = heap[i];
        heap[i] = heap[(i - 1) / 2];
        heap[(i - 1) / 2] = swapped;
        i = (i - 1) / 2;
    }
}

static void replace_root(struct near *heap, size_t n, struct near by) {
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && farther(heap[child + 1], heap[child])) child++;
        if (!farther(heap[child], by)) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = by;
}

static void offer(struct near *heap, size_t *n, size_t k, struct near candidate) {
    if (*n < k) {
        heap[*n] = candidate;
        sift_up(heap, (*n)++);
    } else if (k > 0 && farther(heap[0], candidate)) {
        replace_root(heap, k, candidate);
    }
}

/* ---- a block of rows ---- */

static double distance_of(const double *a, const double *b, size_t width) {
    double sum = 0;
    for (size_t c = 0; c < width; c++)
        sum += (a[c] - b[c]) * (a[c] - b[c]);
    return sum;
}

static void finish_row(const struct search *s, size_t row, struct near *heap) {
    for (size_t e = 0; e < s->k; e++)
        heap[e].distance =
            distance_of(s->x + row * s->width, s->x + (row + heap[e].after) % s->n * s->width, s->width);
    qsort(heap, s->k, sizeof *heap, by_distance);
    for (size_t e = 0; e < s->k; e++) {
        s->out->index[row * s->k + e] = (uint32_t)((row + heap[e].after) % s->n);
        s->out->distance[row * s->k + e] = heap[e].distance;
    }
}

static void block_task(void *context, size_t i, int worker) {
    const struct search *s = context;
    const size_t first = (s->first_block + i) * ROWS, n_rows = min_size(ROWS, s->n - first);
    double *products = s->products + (size_t)worker * ROWS * COLUMNS;
    struct near *nearest = s->nearest + (size_t)worker * ROWS * s->k;
    size_t filled[ROWS] = {0};
    for (size_t column = 0; column < s->n; column += COLUMNS) {
        const size_t n_columns = min_size(COLUMNS, s->n - column);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n_rows, (int)n_columns, (int)s->width, 1,
                    s->x + first * s->width, (int)s->width, s->x + column * s->width, (int)s->width, 0, products,
                    COLUMNS);
        for (size_t r = 0; r < n_rows; r++)
            for (size_t c = 0; c < n_columns; c++) {
                if (column + c == first + r) continue;
                const double squares = s->square[first + r] + s->square[column + c];
                const double distance = squares - 2 * products[r * COLUMNS + c];
                const size_t after = (column + c + s->n - first - r) % s->n;
                offer(nearest + r * s->k, &filled[r], s->k,
                      (struct near){distance > rounding * squares ? distance : 0, (uint32_t)after});
            }
    }
    for (size_t r = 0; r < n_rows; r++)
        finish_row(s, first + r, nearest + r * s->k);
}

static genair_code search_all(genair_context *ctx, struct search *s, genair_status *st) {
    const size_t n_blocks = (s->n + ROWS - 1) / ROWS;
    for (s->first_block = 0; s->first_block < n_blocks; s->first_block += ROUND) {
        if (context_stopped(ctx)) return context_interrupted(st);
        context_progress(ctx, "neighbours", (double)s->first_block, (double)n_blocks);
        parallel_run(context_parallel(ctx), min_size(ROUND, n_blocks - s->first_block), block_task, s);
    }
    return GENAIR_OK;
}

genair_code neighbours_find(genair_context *ctx, const double *x, size_t n, size_t width, size_t k,
                            struct neighbours *out, genair_status *st) {
    *out = (struct neighbours){.n = n, .k = k};
    size_t cells;
    if (n > INT_MAX || width > INT_MAX || !mul_size(n, k, &cells)) return fail_memory(st);
    const size_t n_workers = (size_t)parallel_threads(context_parallel(ctx));
    double *square = mem_array(n, sizeof *square);
    struct search s = {.x = x, .square = square, .n = n, .width = width, .k = k, .out = out};
    s.products = mem_array(n_workers, ROWS * COLUMNS * sizeof *s.products);
    s.nearest = mem_array(n_workers * ROWS, k * sizeof *s.nearest);
    out->index = mem_array(cells, sizeof *out->index);
    out->distance = mem_array(cells, sizeof *out->distance);
    genair_code code = GENAIR_OK;
    if (!square || !s.products || !s.nearest || !out->index || !out->distance) code = fail_memory(st);
    for (size_t r = 0; r < n && code == GENAIR_OK; r++)
        square[r] = cblas_ddot((int)width, x + r * width, 1, x + r * width, 1);
    if (code == GENAIR_OK) code = search_all(ctx, &s, st);
    mem_free(square);
    mem_free(s.products);
    mem_free(s.nearest);
    return code;
}

void neighbours_free(struct neighbours *m) {
    mem_free(m->index);
    mem_free(m->distance);
    *m = (struct neighbours){0};
}
