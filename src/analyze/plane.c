/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/plane.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"
#include "algebra/gram.h"

#include <cblas.h>
#include <lapacke.h>
#include <limits.h>

enum { VECTORS = 8, STEPS = 25, ROWS = 256, COLUMNS = 64 };

struct iteration {
    const double *x; /* [n, width] */
    size_t n, width, k;
    double *basis; /* [width, k] */
    double *y;     /* [n, k] x basis */
};

static void rows_task(void *context, size_t i, int worker) {
    (void)worker;
    const struct iteration *t = context;
    const size_t first = i * ROWS, n = min_size(ROWS, t->n - first);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, (int)t->k, (int)t->width, 1,
                t->x + first * t->width, (int)t->width, t->basis, (int)t->k, 0, t->y + first * t->k, (int)t->k);
}

static void columns_task(void *context, size_t i, int worker) {
    (void)worker;
    const struct iteration *t = context;
    const size_t first = i * COLUMNS, n = min_size(COLUMNS, t->width - first);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)n, (int)t->k, (int)t->n, 1, t->x + first,
                (int)t->width, t->y, (int)t->k, 0, t->basis + first * t->k, (int)t->k);
}

/* Columns of the basis become orthonormal; a zero column becomes any direction that is left. */
static genair_code orthonormalise(struct iteration *t, genair_status *st) {
    double tau[VECTORS];
    lapack_int info = LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, (lapack_int)t->width, (lapack_int)t->k, t->basis,
                                     (lapack_int)t->k, tau);
    if (info == 0)
        info = LAPACKE_dorgqr(LAPACK_ROW_MAJOR, (lapack_int)t->width, (lapack_int)t->k, (lapack_int)t->k, t->basis,
                              (lapack_int)t->k, tau);
    return info == 0 ? GENAIR_OK : fail_memory(st);
}

/* y = x basis */
static void project(genair_context *ctx, struct iteration *t) {
    parallel_run(context_parallel(ctx), (t->n + ROWS - 1) / ROWS, rows_task, t);
}

static genair_code iterate(genair_context *ctx, struct iteration *t, genair_status *st) {
    struct rng r = rng_start(0, RNG_ANALYZE, 0);
    for (size_t i = 0; i < t->width * t->k; i++)
        t->basis[i] = rng_normal(&r);
    genair_code code = orthonormalise(t, st);
    for (int step = 0; step < STEPS && code == GENAIR_OK; step++) {
        if (context_stopped(ctx)) return context_interrupted(st);
        project(ctx, t);
        parallel_run(context_parallel(ctx), (t->width + COLUMNS - 1) / COLUMNS, columns_task, t);
        code = orthonormalise(t, st);
    }
    if (code == GENAIR_OK) project(ctx, t);
    return code;
}

/* Within the space that was found, the two directions of largest variance (Rayleigh and Ritz). */
static genair_code turn(const struct iteration *t, double *out, genair_status *st) {
    double square[VECTORS * VECTORS], values[VECTORS];
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)t->k, (int)t->k, (int)t->n, 1, t->y, (int)t->k, t->y,
                (int)t->k, 0, square, (int)t->k);
    const genair_code code = symmetric_eigen(square, t->k, values, st);
    if (code != GENAIR_OK) return code;
    for (size_t i = 0; i < t->n; i++)
        for (size_t a = 0; a < 2; a++)
            out[2 * i + a] = a < t->k ? cblas_ddot((int)t->k, t->y + i * t->k, 1, square + a * t->k, 1) : 0;
    return GENAIR_OK;
}

genair_code leading_plane(genair_context *ctx, const double *x, size_t n, size_t width, double *out,
                          genair_status *st) {
    if (n > INT_MAX || width > INT_MAX) return fail_memory(st);
    struct iteration t = {.x = x, .n = n, .width = width, .k = min_size(VECTORS, width)};
    t.basis = mem_array(width, t.k * sizeof *t.basis);
    t.y = mem_array(n, t.k * sizeof *t.y);
    genair_code code = t.basis && t.y ? iterate(ctx, &t, st) : fail_memory(st);
    if (code == GENAIR_OK) code = turn(&t, out, st);
    mem_free(t.basis);
    mem_free(t.y);
    return code;
}
