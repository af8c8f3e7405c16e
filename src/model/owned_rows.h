/* SPDX-License-Identifier: Apache-2.0 */
/* This module brings rows of a table that a group shares out (base/shard.h) to who needs them. Memory comes from the tape. */
#ifndef GENAIR_MODEL_OWNED_ROWS_H
#define GENAIR_MODEL_OWNED_ROWS_H

#include "base/group.h"
#include "tensor/tape.h"

/* Some distinct rows, by who owns them. */
struct owned_rows {
    size_t n_all;
    uint32_t *order; /* [n_all] their places in the list, owner by owner, in order within one */
    size_t *first;   /* [processes + 1] where each owner's begin in order */
    uint32_t *place; /* [n] of ours in our memory */
    size_t n;
};

/* ids: [n] rows from 1 on. false when memory is out. */
bool owned_rows_sort(struct tape *t, const struct group *g, const uint32_t *ids, size_t n, struct owned_rows *out);
/* Our rows of the list from table [.., cols], which is our share, and the others' from them, in the order of the list: out
 * [n_all, cols]. */
CHECKED genair_code owned_rows_gather(struct tape *t, struct group *g, const struct owned_rows *o, const float *table,
                                      float *out, size_t cols, genair_status *st);
/* The same, but only process 0 gets them: out is NULL at the others, and there too when they are not wanted. */
CHECKED genair_code owned_rows_collect(struct tape *t, struct group *g, const struct owned_rows *o, const float *table,
                                       float *out, size_t cols, genair_status *st);
/* from [n_all, cols] in the order of the list, to [n_all, cols] owner by owner. */
void owned_rows_pack(const struct owned_rows *o, const float *from, float *to, size_t cols);
/* Where each owner's values begin in that, [processes + 1]; NULL when memory is out. */
size_t *owned_rows_start(struct tape *t, const struct group *g, const struct owned_rows *o, size_t cols);

#endif
