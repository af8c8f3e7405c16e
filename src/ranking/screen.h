/* SPDX-License-Identifier: Apache-2.0 */
/* This module finds the best items for a user vector without reading every item vector in full: 8-bit codes of all items say
 * which few may be among the best, and their float vectors say which are. The list is that of scoring every item. */
#ifndef GENAIR_RANKING_SCREEN_H
#define GENAIR_RANKING_SCREEN_H

#include "ranking/choice.h"
#include "ranking/scorer.h"
#include "ranking/topk.h"

#include <stdbool.h>

struct screen;
struct partition; /* ranking/partition.h */

bool screen_is_worthwhile(const struct scorer *s); /* large catalogues, of scorers with vectors */
/* Codes of the scorer's item vectors, borrowed until screen_free, as the partition is: about 9/8 of a byte for each of
 * their components. *out is NULL, and all is well, where it does not pay or cannot be: vectors that are not finite or
 * longer than 1e15. partition: the items' lists, for screen_best_near; NULL: one list. All else is the same. */
CHECKED genair_code screen_create(const struct scorer *s, const struct partition *partition, struct screen **out,
                                  genair_status *st);
void screen_free(struct screen *s); /* NULL is fine */
size_t screen_bytes(const struct screen *s); /* read for each user, all lists */

/* How many items' codes and float vectors were read. */
struct screen_reading {
    size_t codes, vectors;
};

/* Puts the best->k best items of a choice into best, sorted: by score (kernel dot, as score_row_of has it), equal ones by
 * smaller id. user: [width]. reading may be NULL.
 * Any thread. GENAIR_FORMAT when user is not finite, or longer than 1e15. */
CHECKED genair_code screen_best(const struct screen *s, const float *user, const struct choice *c, struct topk *best,
                                struct screen_reading *reading, genair_status *st);
/* The same of the items in the probe lists, at least 1, that are nearest to the user: their scores and order are right, others may be missing.
 * Where few items are allowed, of as many more lists. Of all lists, and then the list is the whole one, when fewer than best->k are
 * found. */
CHECKED genair_code screen_best_near(const struct screen *s, const float *user, const struct choice *c, size_t probe,
                                     struct topk *best, struct screen_reading *reading, genair_status *st);
/* The same by the sum of cosines with some items, [n], n >= 1, as score_cosines has it. */
CHECKED genair_code screen_nearest(const struct screen *s, const uint32_t *items, size_t n, const struct choice *c,
                                   struct topk *best, struct screen_reading *reading, genair_status *st);
/* false: vectors that are all but zero are among the items, and screen_nearest must not be asked. */
bool screen_has_nearest(const struct screen *s);

#endif
