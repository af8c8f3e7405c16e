/* SPDX-License-Identifier: Apache-2.0 */
/* This module finds the place of a target among scored candidates.
 *
 * rank = number of other candidates with score >= the target's (0 is best; ties count against the
 * target). Either a row of scores is given, or user and item vectors, whose products are formed
 * tile by tile and counted while they are in the cache: TILE_USERS x TILE_ITEMS scores at a time,
 * never users x items. */
#ifndef GENAIR_RANKING_RANK_H
#define GENAIR_RANKING_RANK_H

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
/* rank_among with scores computed from vectors: item i is vectors[i * width …]. */
struct placing rank_among_vectors(const struct kernels *k, const float *user, const float *vectors,
                                  size_t width, uint32_t target, const uint32_t *others,
                                  size_t n_others);

/* ---- tiles ----
 * Item vectors are packed into panels once, users come in blocks. The product is the kernels', not
 * BLAS's: a score's bits depend on the two vectors alone, so that equal items tie and the target's
 * score can be computed apart. 120 is a whole number of every kernel's row groups; 120 x 256
 * floats, 120 KiB, stay in the second-level cache between product and count. */
enum { TILE_USERS = 120, TILE_PANELS = 16, TILE_ITEMS = TILE_PANELS * PANEL };

struct item_tiles {
    const struct kernels *kernels;
    size_t n_items, width;
    const float *vectors; /* borrowed: [n_items + 1, width], item i in row i, row 0 unused */
    float *panels;        /* items 1 .. n_items, the last panel padded with zeros */
};

/* O(n_items * width) memory and time. */
CHECKED genair_code item_tiles_init(struct item_tiles *t, const struct kernels *k,
                                    const float *vectors, size_t n_items, size_t width,
                                    genair_status *st);
void item_tiles_deinit(struct item_tiles *t);

/* One user of a block. excluded as in rank_in_row, item ids. best may be NULL. */
struct ranked_user {
    uint32_t target;
    const uint32_t *excluded;
    size_t n_excluded;
    struct topk *best;      /* receives the best items that are not excluded, the target included */
    float target_score;     /* out */
    struct placing placing; /* out */
};

/* Floats of scratch that rank_block needs, 64-byte aligned. */
size_t rank_scratch(const struct item_tiles *t);
/* users: [n], n <= TILE_USERS, vectors: [n, width]. All products must be finite. */
void rank_block(const struct item_tiles *t, const float *vectors, struct ranked_user *users,
                size_t n, float *scratch);

#endif
