/* SPDX-License-Identifier: Apache-2.0 */
/* This module finds the nearest neighbours of every row of a matrix: exactly, by Euclidean distance. */
#ifndef GENAIR_ANALYZE_NEIGHBOURS_H
#define GENAIR_ANALYZE_NEIGHBOURS_H

#include "base/context.h"

#include <stddef.h>
#include <stdint.h>

struct neighbours {
    size_t n, k;
    uint32_t *index;  /* [n, k] the k rows nearest to each, itself left out; nearest first, */
    double *distance; /* [n, k] of equal ones the next row, round and round; squared distances */
};

/* x: [n, width] finite, best centred: candidates are found by |x|² + |y|² - 2xy, which loses digits when all
 * rows lie far from the origin; the distances themselves are summed from differences. n >= 1, k < n.
 * O(n² width) in products of blocks; the same bytes for any number of threads. Release with
 * neighbours_free, also after a failure. */
CHECKED genair_code neighbours_find(genair_context *ctx, const double *x, size_t n, size_t width, size_t k,
                                    struct neighbours *out, genair_status *st);
void neighbours_free(struct neighbours *m); /* {0} is fine */

#endif
