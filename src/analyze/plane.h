/* SPDX-License-Identifier: Apache-2.0 */
/* This module projects a matrix onto its two leading principal components without the others: where t-SNE
 * starts from. For the components themselves, to full precision, there is algebra/pca.h. */
#ifndef GENAIR_ANALYZE_PLANE_H
#define GENAIR_ANALYZE_PLANE_H

#include "base/context.h"

#include <stddef.h>

/* x: [n, width], centred. out: [n, 2]; columns are 0 where there is no variance. Block power iteration on eight
 * vectors, a fixed number of steps: accurate where the ninth eigenvalue is well below the second, and a good
 * start in any case. O(n width) in time a step. */
CHECKED genair_code leading_plane(genair_context *ctx, const double *x, size_t n, size_t width, double *out,
                                  genair_status *st);

#endif
