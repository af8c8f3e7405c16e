/* SPDX-License-Identifier: Apache-2.0 */
/* This module answers what options of `recommend` and `similar` ask of an open run. */
#ifndef GENAIR_RECOMMEND_ASKED_H
#define GENAIR_RECOMMEND_ASKED_H

#include "recommend/recommender.h"

/* Options "user", "history", "allow", "deny", "k", "explain"; with neither user nor history the popular items; both
 * are refused. Sets "run", and "users" or "items". ctx: of the caller; NULL: nobody stops it. */
CHECKED genair_code recommend_asked(genair_context *ctx, struct recommender *r, const genair_options *o, json_t *out,
                                    genair_status *st);
/* Options "item", "k". */
CHECKED genair_code similar_asked(struct recommender *r, const genair_options *o, json_t *out, genair_status *st);
/* Makes it a wish for a user of the log; known is the caller's, for as long as w is used. */
void wish_user(struct wish *w, const struct dataset *d, uint32_t user, uint32_t *known);
/* Item numbers of the names in a list option; *items: [*n], the caller's also on failure, released with mem_free. */
CHECKED genair_code items_asked(const struct recommender *r, const genair_options *o, const char *name, uint32_t **items,
                                size_t *n, genair_status *st);

#endif
