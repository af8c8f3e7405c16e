/* SPDX-License-Identifier: Apache-2.0 */
/* This module ranks every user's target under one of the two protocols (spec §6).
 *
 * sampled: against the candidates that the dataset stores, the same for every model and epoch.
 * full:    against every item that is not in the history the prediction is made from; the target
 * always stays. Item vectors are read as they are, users go in blocks; memory does not depend on
 *          users × items. */
#ifndef GENAIR_RANKING_RANKING_H
#define GENAIR_RANKING_RANKING_H

#include "base/parallel.h"
#include "ranking/metrics.h"
#include "ranking/scorer.h"
#include "workspace/dataset.h"

enum part { PART_VALID, PART_TEST };
enum protocol { PROTOCOL_SAMPLED, PROTOCOL_FULL };
enum { RANKING_LIST = 10 }; /* length of the lists that ranking keeps */

const char *part_name(enum part part);             /* "valid", "test" */
enum part part_named(const char *name);            /* of the two */
const char *protocol_name(enum protocol protocol); /* "sampled", "full" */
/* Position of the user's target in its history, UINT32_MAX without one. The history that predicts
 * it is everything before. */
uint32_t target_position(const struct dataset *d, enum part part, uint32_t user);
/* Users that have a target. */
size_t count_targets(const struct dataset *d, enum part part);

struct ranking_result {
    enum part part;
    enum protocol protocol;
    size_t n; /* users with a target; the arrays are [n], by ascending user */
    uint32_t *user;
    uint32_t *target;
    uint32_t *rank;
    uint32_t *ties; /* other candidates with exactly the target's score */
    uint32_t *list; /* full only: [n, RANKING_LIST] each user's best items outside its history, best first, then zeros; where
                     * processes share out the items, zeros alone */
    size_t n_tied;  /* users with ties, of warm targets */
    /* At metrics_cutoffs. Targets that --cold-items held out of training stand apart: no model has
     * seen them, so they would say more about their share than about the model. */
    struct metrics metrics, cold;
    struct metrics optimistic; /* metrics as they were if every tie went the target's way */
};

/* Equal bytes for any number of threads. Errors: GENAIR_FORMAT naming the user or item whose score
 * is not a finite number; GENAIR_MEMORY. *out untouched on failure; released with
 * ranking_result_free. */
CHECKED genair_code ranking_evaluate(struct parallel *parallel, const struct scorer *scorer,
                                     const struct dataset *data, enum part part,
                                     enum protocol protocol, struct ranking_result *out,
                                     genair_status *st);
/* For who has the ranks from elsewhere: the users of r->part with their targets; ranks, ties and lists 0. Released
 * with ranking_result_free, also after a failure. */
CHECKED genair_code ranking_result_create(const struct dataset *d, struct ranking_result *r, genair_status *st);
/* The metrics of warm and of cold targets, and of warm ones with their ties won. cold: [n_items + 1]. */
CHECKED genair_code ranking_result_summarise(const uint8_t *cold, struct ranking_result *r, genair_status *st);
/* Where in the arrays the users with warm targets stand, ascending: those that metrics are of. out: [r->n]; returns how many. */
size_t ranking_result_warm(const uint8_t *cold, const struct ranking_result *r, uint32_t *out);
void ranking_result_free(struct ranking_result *r); /* {0} is fine */

#endif
