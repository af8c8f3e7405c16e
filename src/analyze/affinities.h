/* SPDX-License-Identifier: Apache-2.0 */
/* This module turns distances into t-SNE's joint probabilities (van der Maaten and Hinton 2008, section 2). */
#ifndef GENAIR_ANALYZE_AFFINITIES_H
#define GENAIR_ANALYZE_AFFINITIES_H

#include "analyze/neighbours.h"

/* p_ij, symmetric, sparse by rows: row i is start[i] .. start[i + 1] - 1, columns ascending. All of them sum
 * to 1, or are none when there is one point. */
struct affinities {
    size_t n;
    size_t *start;    /* [n + 1] */
    uint32_t *column; /* [start[n]] */
    double *p;        /* [start[n]] */
};

/* p_j|i of one point over its k >= 1 neighbours: exp(-beta d) over their sum, with beta such that
 * 2^entropy (in bits) is the perplexity. distance: ascending. Where no beta gives that (equal distances,
 * perplexity outside of 1..k), the nearest there is. p: [k]. */
void affinity_row(const double *distance, size_t k, double perplexity, double *p);

/* (p_j|i + p_i|j) / 2n. Release with affinities_free, also after a failure. */
CHECKED genair_code affinities_make(struct parallel *parallel, const struct neighbours *m, double perplexity,
                                    struct affinities *out, genair_status *st);
void affinities_free(struct affinities *a); /* {0} is fine */

#endif
