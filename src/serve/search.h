/* SPDX-License-Identifier: Apache-2.0 */
/* This module finds items by words of their id, name, brand and categories, whatever their case and accents. */
#ifndef GENAIR_SERVE_SEARCH_H
#define GENAIR_SERVE_SEARCH_H

#include "ranking/topk.h"
#include "workspace/catalogue.h"

struct search;

/* Reads every record once; keeps those four attributes, folded. c is borrowed. */
CHECKED genair_code search_create(const struct catalogue *c, struct search **out, genair_status *st);
void search_free(struct search *s); /* NULL is fine */

/* The best of the items that hold every word of query, sorted: those where more words stand at the beginning of a word
 * first, then the most popular; an item whose id is the query before all. Without a word: the popular items. Any
 * thread; reads all texts. */
CHECKED genair_code search_find(const struct search *s, struct text query, struct topk *best, genair_status *st);

#endif
