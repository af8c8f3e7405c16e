/* SPDX-License-Identifier: Apache-2.0 */
/* This module picks the best items for a wish by the cheapest way that there is; all ways give the same list, but
 * for an approximate index. */
#ifndef GENAIR_RECOMMEND_PICK_H
#define GENAIR_RECOMMEND_PICK_H

#include "ranking/topk.h"
#include "recommend/recommender.h"

struct screen;

/* All borrowed. */
struct pick {
    const struct run *run;
    const struct catalogue *catalogue;
    const struct screen *screen; /* NULL: none */
    size_t probe;                /* lists of the screen that are read for a history, the list is then an approximate one; 0: all */
    const struct wish *wish;
    const float *user;     /* [width] what the run makes of the wish's history; NULL without one, or without vectors */
    const uint32_t *basis; /* [n_basis] the history, or without one what was viewed: distinct, ascending */
    size_t n_basis;
};

/* Without a history there is nothing to be personal about: what is alike to the viewed items comes first, or what is popular. */
bool pick_goes_by_viewed(const struct pick *p);
/* best: empty, of any k; sorted afterwards. Any thread. */
CHECKED genair_code pick_best(const struct pick *p, struct topk *best, genair_status *st);

#endif
