/* SPDX-License-Identifier: Apache-2.0 */
/* This module finds the principal components of a matrix (eq. 7): centred, not scaled, in float64.
 */
#ifndef GENAIR_ALGEBRA_PCA_H
#define GENAIR_ALGEBRA_PCA_H

#include "algebra/gram.h"

#include <stdbool.h>

struct pca {
    size_t n, width;       /* of the matrix it was made of */
    size_t rank;           /* components that carry variance */
    size_t n_components;   /* chosen, at most rank */
    double *mean;          /* [width] */
    size_t n_variances;    /* min(n, width) */
    double *variances;     /* [n_variances] s² / (n - 1), descending, exactly 0 from rank on */
    double total_variance; /* their sum */
    /* [n_components, width], rows of unit norm. The entry of largest absolute value is positive;
     * among equal ones the first counts. */
    double *components;
};

struct pca_choice {
    size_t components; /* this many, or the rank if that is less … */
    double variance; /* … unless above 0: the fewest whose shares of the variance add up to at least
                        this */
};

/* x must be finite. One row, or equal rows, have rank 0. Memory while it runs: 3 min(n, width)²
 * doubles, a block of rows, and the smaller side's rows as doubles when n < width. Release with
 * pca_free, also after a failure. */
CHECKED genair_code pca_fit(genair_context *ctx, const struct rows *x, struct pca_choice choice,
                            struct pca *out, genair_status *st);
void pca_free(struct pca *p); /* {0} is fine */
double pca_explained(
    const struct pca *p); /* share of the variance in the chosen components; 1 when there is none */

/* Rows first..first + n - 1 of (x - mean) Cᵀ, each component divided by its standard deviation if
 * whiten. out: rows of n_components values, stride apart. */
CHECKED genair_code pca_project(genair_context *ctx, const struct pca *p, const struct rows *x,
                                size_t first, size_t n, bool whiten, float *out, size_t stride,
                                genair_status *st);

#endif
