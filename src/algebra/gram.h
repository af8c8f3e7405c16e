/* SPDX-License-Identifier: Apache-2.0 */
/* This module forms products of a tall matrix with itself, streamed, in float64, and their
 * eigenvectors.
 *
 * Work is cut into blocks and tiles of fixed size that do not depend on the number of threads, and
 * every tile is summed in the order of the rows: the same bytes for any number of threads. */
#ifndef GENAIR_ALGEBRA_GRAM_H
#define GENAIR_ALGEBRA_GRAM_H

#include "base/context.h"
#include "workspace/npy.h"

#include <stddef.h>

/* The rows of a matrix, wherever they are. read may be called from several threads at once. */
struct rows {
    size_t n, width;
    void (*read)(const void *source, size_t r, double *out); /* out: [width] */
    const void *source;
};
struct rows rows_of_npy(const struct npy *a); /* two-dimensional; borrowed */
/* values: [n, width], borrowed. width must be in 1..SIZE_MAX / 8. The struct is kept by the caller.
 */
struct dense {
    const double *values;
    size_t width;
};
struct rows rows_of_dense(const struct dense *d, size_t n);

/* Rows first..first + n - 1 minus mean (NULL: none), read by all threads. out: [n, width]. */
void rows_load(const struct rows *x, const double *mean, size_t first, size_t n, struct parallel *p,
               double *out);
/* out: [width] column means. Streams once. */
CHECKED genair_code rows_mean(genair_context *ctx, const struct rows *x, double *out,
                              genair_status *st);
/* out: [width, width] = sum over rows of (x - mean)ᵀ (x - mean); lower and upper triangle. Streams
 * once. */
CHECKED genair_code gram_columns(genair_context *ctx, const struct rows *x, const double *mean,
                                 double *out, genair_status *st);
/* out: [n, n] = X Xᵀ of n dense rows; lower and upper triangle. For n below width. */
CHECKED genair_code gram_rows(genair_context *ctx, const double *x, size_t n, size_t width,
                              double *out, genair_status *st);
/* Replaces the symmetric a: [n, n] by its eigenvectors as rows of unit norm, in the order of
 * values: [n], which descend. Needs 2 n² further doubles while it runs. */
CHECKED genair_code symmetric_eigen(double *a, size_t n, double *values, genair_status *st);

#endif
