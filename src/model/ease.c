/* SPDX-License-Identifier: Apache-2.0 */
/* ease: linear regression of items on items with zero diagonal (Steck, "Embarrassingly shallow
 * autoencoders for sparse data", 2019, eq. 8): P = (X'X + lambda I)^-1,  B(i, j) = -P(i, j) / P(j,
 * j) for i != j, else 0. X is binary, users × items of the training parts. Float64 throughout,
 * stored as float32; a history's score for j is the sum of B(i, j) over its distinct items i. 8
 * bytes × items² while fitting, items³ operations on one thread. */
#include "model/closed_form_method.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/options.h"
#include "base/size.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

/* Square, column-major, indexed by item id: row and column 0 stay empty. P fills the lower
 * triangle. */
struct matrix {
    size_t side; /* n_items + 1 */
    double *a;
};

static double *at(const struct matrix *m, size_t row, size_t column) {
    return m->a + column * m->side + row;
}

static genair_code fill_column(void *context, uint32_t item, size_t n, const uint32_t *items,
                               const uint32_t *counts, genair_status *st) {
    (void)st;
    const struct matrix *m = context;
    for (size_t i = 0; i < n; i++)
        if (items[i] > item) *at(m, items[i], item) = counts[i];
    return GENAIR_OK;
}

/* X'X + lambda I */
static genair_code fill_gram(genair_context *ctx, const struct dataset *data, struct matrix *m,
                             double lambda, genair_status *st) {
    uint32_t *n_users = closed_form_users(data);
    if (!n_users) return fail_memory(st);
    for (size_t i = 1; i < m->side; i++)
        *at(m, i, i) = n_users[i] + lambda;
    mem_free(n_users);
    return cooccurrence_rows(ctx, &data->training, COOCCURRENCE_USER, CLOSED_FORM_INDEX_BYTES,
                             fill_column, m, st);
}

static genair_code invert(const struct matrix *m, genair_status *st) {
    const lapack_int n = (lapack_int)(m->side - 1), stride = (lapack_int)m->side;
    lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', n, at(m, 1, 1), stride);
    if (info == 0) info = LAPACKE_dpotri_work(LAPACK_COL_MAJOR, 'L', n, at(m, 1, 1), stride);
    if (info < 0) return fail(st, GENAIR_INTERNAL, "LAPACK refuses argument %d", -(int)info);
    if (info > 0)
        return fail(st, GENAIR_USAGE,
                    "the item matrix cannot be inverted (pivot %d): use a larger --ease-lambda",
                    (int)info);
    return GENAIR_OK;
}

/* P to B as float32 in the same memory, row by row: row i's floats end where half of P's row i
 * does, so nothing is overwritten before it was read. The type changes through memcpy. */
static void to_weights(const struct matrix *m, double *diagonal) {
    const size_t side = m->side;
    unsigned char *out = (unsigned char *)m->a;
    for (size_t i = 0; i < side; i++)
        diagonal[i] = *at(m, i, i);
    for (size_t column = 1; column < side; column++)
        for (size_t row = column + 1; row < side; row++)
            *at(m, column, row) = *at(m, row, column);
    for (size_t i = 0; i < side; i++)
        for (size_t j = 0; j < side; j++) {
            double p;
            memcpy(&p, m->a + i * side + j, sizeof p);
            const float weight = i == j || i == 0 || j == 0 ? 0 : (float)(-p / diagonal[j]);
            memcpy(out + (i * side + j) * sizeof weight, &weight, sizeof weight);
        }
}

static genair_code check_memory(genair_context *ctx, uint32_t n_items, size_t *values,
                                genair_status *st) {
    const double need = 8 * ((double)n_items + 1) * ((double)n_items + 1);
    const double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE), limit = 1048576 * limit_memory(NULL);
    const double have = limit > 0 ? fmin(machine, limit) : machine;
    if (need > 0.8 * have || n_items > INT32_MAX / 2)
        return fail(st, GENAIR_USAGE,
                    "ease inverts an items x items matrix: %u items need %.1f GB, this process may have "
                    "%.1f GB; use "
                    "--method itemknn, or a higher --item-core in prepare",
                    n_items, need * 1e-9, have * 1e-9);
    context_info(ctx, "ease: %u items, a matrix of %.1f MB", n_items, need * 1e-6);
    if (!mul_size((size_t)n_items + 1, (size_t)n_items + 1, values)) return fail_memory(st);
    return GENAIR_OK;
}

static genair_code fit(genair_context *ctx, const genair_options *options,
                       const struct dataset *data, const char *path, genair_status *st) {
    size_t values = 0;
    genair_code code = check_memory(ctx, data->n_items, &values, st);
    if (code != GENAIR_OK) return code;
    struct matrix m = {(size_t)data->n_items + 1, mem_zeros(values, sizeof *m.a)};
    double *diagonal = mem_array(m.side, sizeof *diagonal);
    code = m.a && diagonal ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK)
        code = fill_gram(ctx, data, &m, option_real(options, "ease-lambda"), st);
    if (code == GENAIR_OK) code = invert(&m, st);
    if (code == GENAIR_OK) to_weights(&m, diagonal);
    if (code == GENAIR_OK)
        code = closed_form_save(&method_ease, path, data->n_items, m.side,
                                (const float *)(void *)m.a, NULL, st);
    mem_free(m.a);
    mem_free(diagonal);
    return code;
}

static void add_weights(const struct closed_form *m, uint32_t item, float *out) {
    const float *row = m->first + item * m->n_columns;
    for (size_t j = 0; j < m->n_columns; j++)
        out[j] += row[j];
}

static genair_code scores(void *model, const struct histories *h, float *out, genair_status *st) {
    return closed_form_sum(model, h, add_weights, out, st);
}

const struct closed_form_method method_ease = {
    .name = "ease", .fit = fit, .first = "weights", .n_columns = SIZE_MAX, .scores = scores};
