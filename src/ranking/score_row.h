/* SPDX-License-Identifier: Apache-2.0 */
/* This module scores the whole catalogue for one history. */
#ifndef GENAIR_RANKING_SCORE_ROW_H
#define GENAIR_RANKING_SCORE_ROW_H

#include "ranking/scorer.h"

/* history: [n] item ids, oldest first, n may be 0. row: [n_items + 1], row[0] is -INFINITY, the
 * others finite. GENAIR_FORMAT when a score is not a finite number. One caller at a time. */
CHECKED genair_code score_row(const struct scorer *s, const uint32_t *history, size_t n, float *row,
                              genair_status *st);
/* The same from a user vector, [width], of a scorer with item vectors. Any thread. */
CHECKED genair_code score_row_of(const struct scorer *s, const float *user, float *row,
                                 genair_status *st);

/* Of two items' vectors; 0 with a vector of zeros, which is like nothing. GENAIR_FORMAT when it is not a finite number. */
CHECKED genair_code score_cosine(const struct scorer *s, uint32_t a, uint32_t b, float *out, genair_status *st);
/* The sum over items [n] of their cosines with b, in their order. */
CHECKED genair_code score_cosines(const struct scorer *s, const uint32_t *items, size_t n, uint32_t b, float *out,
                                  genair_status *st);

#endif
