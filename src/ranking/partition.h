/* SPDX-License-Identifier: Apache-2.0 */
/* This module parts the items of a scorer into lists of like directions, about sqrt(n_items) of them: what a user's vector
 * scores high lies mostly in the few lists whose centres it scores high. */
#ifndef GENAIR_RANKING_PARTITION_H
#define GENAIR_RANKING_PARTITION_H

#include "base/parallel.h"
#include "ranking/scorer.h"
#include "ranking/topk.h"

struct partition {
    uint32_t n_lists;
    size_t width;
    float *centres;  /* [n_lists, width] of length 1 */
    size_t *start;   /* [n_lists + 1] list l is items[start[l]] .. items[start[l + 1] - 1] */
    uint32_t *items; /* [n_items] ids, ascending within a list */
};

/* *out is NULL, and all is well, where a vector is not finite. The same seed gives the same bytes with any number of threads.
 * Errors as ranking/lists.h has them. O(n_items * n_lists * width). */
CHECKED genair_code partition_create(const struct scorer *s, uint64_t seed, struct parallel *parallel, struct partition **out,
                                     genair_status *st);
void partition_free(struct partition *p); /* NULL is fine */
size_t partition_bytes(const struct partition *p, size_t n_items);
/* The nearest->k lists whose centres score highest, as ids, sorted. nearest: empty. Any thread. */
void partition_nearest(const struct partition *p, const float *user, struct topk *nearest);

#endif
