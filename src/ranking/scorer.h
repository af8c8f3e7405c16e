/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what evaluation and recommendation know of a model: vectors, or scores directly.
 *
 * Learned models give user vectors and item vectors whose product is the score (eq. 4); closed-form
 * ones (pop, itemknn, ease) fill score rows. Exactly one of encode and scores is set. */
#ifndef GENAIR_RANKING_SCORER_H
#define GENAIR_RANKING_SCORER_H

#include "base/group.h"
#include "base/mapping.h"
#include "base/parallel.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Packed histories: sequence b is items[offsets[b] .. offsets[b + 1] - 1], oldest first, whole (a
 * model cuts to its own max_len). offsets[0] need not be 0; a history may be empty. */
struct histories {
    size_t n;
    const uint64_t *offsets; /* [n + 1] */
    const uint32_t *items;
    const uint32_t *known; /* [n] how many of the items training saw, or NULL: all */
};

struct scorer {
    uint32_t n_items;
    size_t width;              /* of the vectors; 0 with scores */
    const float *item_vectors; /* [n_items + 1, width], row 0 zero; borrowed from the model */
    const struct overlay *file; /* item_vectors are its bytes; NULL: memory of their own */
    /* The processes that share out the items, so that item_vectors are those of base/shard.h that are here; NULL: all are.
     * Then all of them encode, and evaluate, the same users in the same order. */
    struct group *group;
    void *model;
    /* out: [h->n, width] user vectors. Equal bytes for any number of threads and any other
     * histories in the call. One caller at a time, never from inside a parallel task: it may run
     * tasks of its own. */
    genair_code (*encode)(void *model, const struct histories *h, float *out, genair_status *st);
    /* out: [h->n, n_items + 1] scores, column 0 unused; called with few histories at a time, from
     * several threads at once: reads the model only. */
    genair_code (*scores)(void *model, const struct histories *h, float *out, genair_status *st);
};

#endif
