/* SPDX-License-Identifier: Apache-2.0 */
/* This module finds where items stand in training histories. */
#ifndef GENAIR_MODEL_CONTEXTS_H
#define GENAIR_MODEL_CONTEXTS_H

#include "workspace/dataset.h"

/* A training history seen from one of its items. */
struct context {
    uint32_t user, place; /* from 0 */
    bool backward;
};

/* Contexts are ordered by item, then user and place. */
struct contexts {
    const struct dataset *data;
    uint32_t *count;         /* [n_items + 1] occurrences in training */
    uint64_t *start;         /* [n_items + 2]: item i's are context[start[i] .. start[i + 1] - 1] */
    struct context *context;
};

/* How many contexts the place of a history of n items gives: 0 to 2, the second one backward. */
typedef int contexts_rule(const void *rule, uint32_t n, uint32_t place);

/* Fills out, which borrows data. */
CHECKED genair_code contexts_collect(const struct dataset *data, contexts_rule *rule, const void *how,
                                     struct contexts *out, genair_status *st);
void contexts_free(struct contexts *c); /* {0} is fine */

#endif
