/* SPDX-License-Identifier: Apache-2.0 */
/* This module tells how alike two items are in the eyes of a run. */
#ifndef GENAIR_RECOMMEND_LIKENESS_H
#define GENAIR_RECOMMEND_LIKENESS_H

#include "model/load.h"

/* What the numbers are: "cosine" of the item vectors, or "score" of an item after a history of the
 * other alone (itemknn, ease); NULL for pop, which knows items only by their number. */
const char *likeness_measure(const struct run *r);
/* out[j] = likeness of item and j; [n_items + 1], out[0] is -INFINITY. Not with likeness_measure
 * NULL. O(n_items * width). */
CHECKED genair_code likeness_row(const struct run *r, uint32_t item, float *out, genair_status *st);
/* The same for some items alone: out[i] = likeness of item and others[i], i < n. row: scratch as out of
 * likeness_row. O(n * width) with vectors, else as likeness_row. */
CHECKED genair_code likeness_of(const struct run *r, uint32_t item, const uint32_t *others, size_t n,
                                float *row, float *out, genair_status *st);

#endif
