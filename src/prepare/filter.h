/* SPDX-License-Identifier: Apache-2.0 */
/* This module decides which users and items stay (spec §2), giving them their ids. */
#ifndef GENAIR_PREPARE_FILTER_H
#define GENAIR_PREPARE_FILTER_H

#include "base/context.h"
#include "prepare/click_log.h"

struct filter_options {
    uint32_t user_core, item_core;
    bool until_stable; /* kcore: repeat until nothing changes; else once: count on the raw log, drop
                        * users and items below the thresholds in one pass, then users left with
                        * fewer than 3 */
};

static const uint32_t FILTER_DROPPED = UINT32_MAX; /* an enumerator is an int */

/* Ids by first appearance in what stays: users from 0, items from 1. Memory: 8 bytes a name, 8
 * bytes an id. */
struct numbering {
    uint32_t n_users, n_items;
    uint64_t n_interactions;
    uint32_t *user_id, *item_id;     /* of each name of the log, or FILTER_DROPPED */
    uint32_t *user_name, *item_name; /* [n_users], [n_items + 1] (0 unused): the name of each id */
    uint32_t *length;                /* [n_users] interactions that stay */
    uint32_t rounds;                 /* passes until nothing changed */
};

CHECKED genair_code filter_log(genair_context *ctx, const struct click_log *log,
                               const struct filter_options *options, struct numbering *out,
                               genair_status *st);
void numbering_deinit(struct numbering *n); /* {0} is fine */

#endif
