/* SPDX-License-Identifier: Apache-2.0 */
#include "algebra/gram.h"

#include "base/alloc.h"
#include "base/size.h"

#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>

/* 512 rows of 4,096 columns are 16 MiB; a tile of 128 × 128 is summed in the second-level cache. */
enum { BLOCK_ROWS = 512, TILE = 128, READ_ROWS = 32 };

/* ---- reading ---- */

static void read_npy(const void *source, size_t r, double *out) {
    npy_row_f64(source, r, out);
}

struct rows rows_of_npy(const struct npy *a) {
    return (struct rows){a->shape[0], a->shape[1], read_npy, a};
}

static void read_dense(const void *source, size_t r, double *out) {
    const struct dense *d = source;
    for (size_t c = 0; c < d->width; c++)
        out[c] = d->values[r * d->width + c];
}

struct rows rows_of_dense(const struct dense *d, size_t n) {
    return (struct rows){n, d->width, read_dense, d};
}

struct load {
    const struct rows *x;
    const double *mean;
    size_t first, n;
    double *out;
};

static void load_task(void *context, size_t i, int worker) {
    (void)worker;
    const struct load *l = context;
    const size_t end = min_size(l->n, (i + 1) * READ_ROWS);
    for (size_t r = i * READ_ROWS; r < end; r++) {
        double *row = l->out + r * l->x->width;
        l->x->read(l->x->source, l->first + r, row);
        for (size_t c = 0; l->mean && c < l->x->width; c++)
            row[c] -= l->mean[c];
    }
}

void rows_load(const struct rows *x, const double *mean, size_t first, size_t n, struct parallel *p,
               double *out) {
    struct load l = {x, mean, first, n, out};
    parallel_run(p, (n + READ_ROWS - 1) / READ_ROWS, load_task, &l);
}

/* ---- streams of blocks, tiles of the result ---- */

struct tiles {
    const double *block; /* [n, width] */
    size_t n, width;
    size_t side; /* tiles along one side of the result */
    double *out;
};

/* Calls task for each of n_tasks parts of the result with block after block. */
static genair_code stream(genair_context *ctx, const struct rows *x, const double *mean,
                          double *out, size_t side, size_t n_tasks, parallel_task *task,
                          const char *what, genair_status *st) {
    double *block = mem_array(min_size(x->n, BLOCK_ROWS), x->width * sizeof *block);
    if (!block) return fail_memory(st);
    genair_code code = GENAIR_OK;
    for (size_t first = 0; first < x->n && code == GENAIR_OK; first += BLOCK_ROWS) {
        const size_t n = min_size(BLOCK_ROWS, x->n - first);
        rows_load(x, mean, first, n, context_parallel(ctx), block);
        struct tiles t = {block, n, x->width, side, out};
        parallel_run(context_parallel(ctx), n_tasks, task, &t);
        context_progress(ctx, what, (double)first, (double)x->n);
        if (context_stopped(ctx)) code = context_interrupted(st);
    }
    mem_free(block);
    return code;
}

static size_t count_tiles(size_t n) {
    return (n + TILE - 1) / TILE;
}

static void mean_task(void *context, size_t i, int worker) {
    (void)worker;
    const struct tiles *t = context;
    const size_t end = min_size(t->width, (i + 1) * TILE);
    for (size_t r = 0; r < t->n; r++)
        for (size_t c = i * TILE; c < end; c++)
            t->out[c] += t->block[r * t->width + c];
}

genair_code rows_mean(genair_context *ctx, const struct rows *x, double *out, genair_status *st) {
    for (size_t c = 0; c < x->width; c++)
        out[c] = 0;
    const genair_code code =
        stream(ctx, x, NULL, out, 0, count_tiles(x->width), mean_task, "mean", st);
    for (size_t c = 0; c < x->width && x->n; c++)
        out[c] /= (double)x->n;
    return code;
}

/* Tile number i of the upper triangle, counted row by row. */
static void tile_place(size_t i, size_t side, size_t *row, size_t *column) {
    size_t r = 0;
    for (; i >= side - r; r++)
        i -= side - r;
    *row = r;
    *column = r + i;
}

/* out tile += (columns a of the block)ᵀ (columns b of the block) */
static void columns_task(void *context, size_t i, int worker) {
    (void)worker;
    const struct tiles *t = context;
    size_t row, column;
    tile_place(i, t->side, &row, &column);
    const size_t a = row * TILE, b = column * TILE, width = t->width;
    const size_t m = min_size(TILE, width - a), n = min_size(TILE, width - b);
    double *out = t->out + a * width + b;
    if (row == column)
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)m, (int)t->n, 1, t->block + a,
                    (int)width, 1, out, (int)width);
    else
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n, (int)t->n, 1,
                    t->block + a, (int)width, t->block + b, (int)width, 1, out, (int)width);
}

/* out tile = (rows a of X) (rows b of X)ᵀ */
static void rows_task(void *context, size_t i, int worker) {
    (void)worker;
    const struct tiles *t = context;
    size_t row, column;
    tile_place(i, t->side, &row, &column);
    const size_t a = row * TILE, b = column * TILE, n_rows = t->n, width = t->width;
    const size_t m = min_size(TILE, n_rows - a), n = min_size(TILE, n_rows - b);
    double *out = t->out + a * n_rows + b;
    if (row == column)
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, (int)m, (int)width, 1,
                    t->block + a * width, (int)width, 0, out, (int)n_rows);
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)width, 1,
                    t->block + a * width, (int)width, t->block + b * width, (int)width, 0, out,
                    (int)n_rows);
}

static void mirror(double *a, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            a[i * n + j] = a[j * n + i];
}

static genair_code check_sides(size_t n, genair_status *st) {
    if (n <= INT_MAX) return GENAIR_OK;
    return fail(st, GENAIR_FORMAT, "a matrix side of %zu, expected at most %d", n, INT_MAX);
}

genair_code gram_columns(genair_context *ctx, const struct rows *x, const double *mean, double *out,
                         genair_status *st) {
    genair_code code = check_sides(x->width, st);
    if (code != GENAIR_OK) return code;
    for (size_t i = 0; i < x->width * x->width; i++)
        out[i] = 0;
    const size_t side = count_tiles(x->width);
    code = stream(ctx, x, mean, out, side, side * (side + 1) / 2, columns_task, "covariance", st);
    mirror(out, x->width);
    return code;
}

genair_code gram_rows(genair_context *ctx, const double *x, size_t n, size_t width, double *out,
                      genair_status *st) {
    const genair_code code = check_sides(max_size(n, width), st);
    if (code != GENAIR_OK) return code;
    const size_t side = count_tiles(n);
    struct tiles t = {x, n, width, side, out};
    for (size_t i = 0; i < n * n; i++)
        out[i] = 0;
    parallel_run(context_parallel(ctx), side * (side + 1) / 2, rows_task, &t);
    mirror(out, n);
    return context_stopped(ctx) ? context_interrupted(st) : GENAIR_OK;
}

/* ---- eigenvectors ---- */

/* LAPACK gives ascending values and, in column-major order, one vector a column: to us one a row.
 */
static void reverse(double *a, size_t n, double *values) {
    for (size_t i = 0, j = n - 1; i < j; i++, j--) {
        const double v = values[i];
        values[i] = values[j];
        values[j] = v;
        cblas_dswap((int)n, a + i * n, 1, a + j * n, 1);
    }
}

genair_code symmetric_eigen(double *a, size_t n, double *values, genair_status *st) {
    const genair_code code = check_sides(n, st);
    if (code != GENAIR_OK || n == 0) return code;
    const lapack_int info =
        LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)n, a, (lapack_int)n, values);
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return fail_memory(st);
    if (info != 0)
        return fail(st, GENAIR_INTERNAL,
                    "the eigenvalues of a %zu × %zu matrix did not converge (LAPACK dsyevd: %d)", n,
                    n, (int)info);
    reverse(a, n, values);
    return GENAIR_OK;
}
