/* SPDX-License-Identifier: Apache-2.0 */
/* This module finds the place of a target among scored candidates.
 *
 * rank = number of other candidates with score >= the target's (0 is best; ties count against the
 * target). Either a row of scores is given, or user and item vectors, whose products are formed
 * tile by tile and counted while they are in the cache: TILE_USERS x TILE_ITEMS scores at a time,
 * never users x items. */
#ifndef GENAIR_RANKING_RANK_H
#define GENAIR_RANKING_RANK_H

#include "base/parallel.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "ranking/topk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct placing {
    uint32_t rank;
    uint32_t ties; /* other candidates with exactly the target's score: contained in rank */
};

/* Sorts ascending and removes repeats, in place; returns how many remain. */
size_t ids_distinct(uint32_t *ids, size_t n);

/* Index of the first score that is not a finite number, n when there is none. */
size_t first_not_finite(const float *scores, size_t n);

/* scores: [n], finite; the candidates are all indices but those in excluded ([n_excluded],
 * ascending and distinct, below n). The target stays a candidate also when it is among them. */
struct placing rank_in_row(const float *scores, size_t n, size_t target, const uint32_t *excluded,
                           size_t n_excluded);
/* The candidates are target and others ([n_others] indices into scores, without target). */
struct placing rank_among(const float *scores, size_t target, const uint32_t *others,
                          size_t n_others);
/* Of others against a target's score, theirs computed from vectors: item i is vectors[i * width …]. */
struct placing rank_among_vectors(const struct kernels *k, const float *user, const float *vectors,
                                  size_t width, float target_score, const uint32_t *others,
                                  size_t n_others);

/* ---- tiles ----
 * Item vectors are packed into panels, a slab of items at a time, and users come in blocks. The product is the kernels', not
 * BLAS's: a score's bits depend on the two vectors alone, so that equal items tie and the target's
 * score can be computed apart. 120 is a whole number of every kernel's row groups; 120 x 256
 * floats, 120 KiB, stay in the second-level cache between product and count. */
enum { TILE_USERS = 120, TILE_PANELS = 16, TILE_ITEMS = TILE_PANELS * PANEL, SLAB_ITEMS = 256 * TILE_ITEMS };

struct item_tiles {
    const struct kernels *kernels;
    size_t n_items, width;
    const float *vectors; /* borrowed: [n_items + 1, width], item i in row i, row 0 unused */
    size_t first, n;      /* items first .. first + n - 1 are in the panels */
    float *panels;        /* the last one padded with zeros */
};

/* At most SLAB_ITEMS * width floats of memory. */
CHECKED genair_code item_tiles_init(struct item_tiles *t, const struct kernels *k,
                                    const float *vectors, size_t n_items, size_t width,
                                    genair_status *st);
void item_tiles_deinit(struct item_tiles *t);
/* The slab that begins with item first: 1 + a multiple of SLAB_ITEMS. */
void item_tiles_load(struct item_tiles *t, struct parallel *parallel, size_t first);

/* One user of a block. excluded as in rank_in_row, item ids. best may be NULL. */
struct ranked_user {
    uint32_t target;        /* 0: it is not among these items */
    const uint32_t *excluded;
    size_t n_excluded, n_passed; /* how far excluded has been used up: 0 before the first slab */
    struct topk *best;      /* receives the best items that are not excluded */
    float target_score;     /* of rank_targets, or from who has the target */
    struct placing placing; /* zeros before the first slab */
};

/* Floats of scratch that rank_block needs, 64-byte aligned. */
size_t rank_scratch(const struct item_tiles *t);
/* The scores of the targets that are among the items. users: [n], n <= TILE_USERS, vectors: [n, width]. All products must
 * be finite. */
void rank_targets(const struct item_tiles *t, const float *vectors, struct ranked_user *users,
                  size_t n, float *scratch);
/* Adds the slab's items to the placings; the slabs come in order. */
void rank_block(const struct item_tiles *t, const float *vectors, struct ranked_user *users,
                size_t n, float *scratch);

#endif
