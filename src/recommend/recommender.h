/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps a run open and answers histories with lists of items, from any number of threads. */
#ifndef GENAIR_RECOMMEND_RECOMMENDER_H
#define GENAIR_RECOMMEND_RECOMMENDER_H

#include "model/load.h"
#include "workspace/catalogue.h"

struct index_setting;
struct recommender;

/* Opens the workspace's data, the run and, if asked for, the archetypes that there are; with the items that were added
 * later, where the run can have them. ctx is used while it lives. */
CHECKED genair_code recommender_open(genair_context *ctx, const char *workspace, const char *run, bool archetypes,
                                     struct recommender **out, genair_status *st);
/* Makes answers about large catalogues cheaper (ranking/index.h): the same ones, unless the index is an approximate one. Once,
 * before the first one is asked for. */
CHECKED genair_code recommender_index(struct recommender *r, const struct index_setting *setting, genair_context *ctx,
                                      genair_status *st);
void recommender_close(struct recommender *r); /* NULL is fine */

/* Why added items are not among its items; empty when none is left out. */
const char *recommender_left_out(const struct recommender *r);
const struct catalogue *recommender_catalogue(const struct recommender *r);
const struct run *recommender_run(const struct recommender *r);

/* What is asked for. */
struct wish {
    const uint32_t *history; /* [n_history] item ids, oldest first; none: what is alike to viewed, or the popular items */
    size_t n_history;
    const uint32_t *known; /* how many of them training saw, or NULL: all */
    size_t k;
    bool explain; /* also why: the archetype and the nearest item of the history */
    const uint32_t *allow, *deny; /* [n_allow] only these, if only_allowed; [n_deny] never these */
    size_t n_allow, n_deny;
    bool only_allowed;
    bool repeat; /* items of the history may come again */
    const uint32_t *viewed; /* [n_viewed] what goes by without a history: items that are alike to these */
    size_t n_viewed;
};

/* Sets "items" in out, best first, and "fallback" when there is no history to go by. Any thread.
 * O(n_items * width), or of what is allowed where that is little. */
CHECKED genair_code recommender_answer(struct recommender *r, const struct wish *w, json_t *out,
                                       genair_status *st);
/* The vector of the wish's history, which is not empty, of a run whose scorer has vectors; out: [width]. Any thread. */
CHECKED genair_code recommender_encode(struct recommender *r, const struct wish *w, float *out, genair_status *st);
/* Sets "run", "measure", "of" and "items", the k items most alike to one. Any thread. GENAIR_USAGE for a run of
 * method pop, to which no two items are alike. */
CHECKED genair_code recommender_similar(struct recommender *r, uint32_t item, size_t k, json_t *out,
                                        genair_status *st);
/* Sets "archetype" where the item has one. Any thread. */
CHECKED genair_code recommender_archetype(struct recommender *r, uint32_t item, json_t *out, genair_status *st);

#endif
