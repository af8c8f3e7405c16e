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

/* Codes of the scorer's item vectors, borrowed until screen_free: about 9/8 of a byte for each of their components.
 * *out is NULL, and all is well, where it does not pay or cannot be: small catalogues, scorers without vectors, vectors
 * that are not finite or longer than 1e15. */
CHECKED genair_code screen_create(const struct scorer *s, struct screen **out, genair_status *st);
void screen_free(struct screen *s); /* NULL is fine */
size_t screen_bytes(const struct screen *s); /* read for each user */

/* Puts the best->k best items of a choice into best, sorted: by score (kernel dot, as score_row_of has it), equal ones by
 * smaller id. user: [width]. *checked: how many float vectors were read; may be NULL.
 * Any thread. GENAIR_FORMAT when user is not finite, or longer than 1e15. */
CHECKED genair_code screen_best(const struct screen *s, const float *user, const struct choice *c, struct topk *best,
                                size_t *checked, genair_status *st);
/* The same by the sum of cosines with some items, [n], n >= 1, as score_cosines has it. */
CHECKED genair_code screen_nearest(const struct screen *s, const uint32_t *items, size_t n, const struct choice *c,
                                   struct topk *best, size_t *checked, genair_status *st);
/* false: vectors that are all but zero are among the items, and screen_nearest must not be asked. */
bool screen_has_nearest(const struct screen *s);

#endif
