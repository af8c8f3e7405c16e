/* SPDX-License-Identifier: Apache-2.0 */
/* This module measures how many directions a set of vectors fills: matrix-based entropy (eqs.
 * 24-25). */
#ifndef GENAIR_ALGEBRA_ENTROPY_H
#define GENAIR_ALGEBRA_ENTROPY_H

#include "algebra/gram.h"

#include <stdbool.h>

/* Eigenvalues of Z Zᵀ over its trace, descending; Z is not centred, its rows divided by their L2
 * norm if normalise (a zero row stays zero). out: [min(n, width)], all 0 when the trace is. */
CHECKED genair_code entropy_spectrum(genair_context *ctx, const struct rows *z, bool normalise,
                                     double *out, genair_status *st);
/* Entropy of order rho > 0 of a spectrum in nats; order 1 is the limit, Shannon's. Zero entries add
 * nothing. */
double entropy_of_spectrum(const double *p, size_t n, double rho);

#endif
