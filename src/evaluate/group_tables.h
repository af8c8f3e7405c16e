/* SPDX-License-Identifier: Apache-2.0 */
/* This module reports metrics by group of users and of items (spec §6). */
#ifndef GENAIR_EVALUATE_GROUP_TABLES_H
#define GENAIR_EVALUATE_GROUP_TABLES_H

#include "base/options.h"
#include "ranking/ranking.h"

#include <jansson.h>

/* {"short_long": {"length <10": {"users", "HR@5", …}, …}, "len5": …, "len_equal5": …, "head_tail":
 * …, "pop5": …}, and "user_thresholds", "item_thresholds" where the options give some. Length is
 * that of the history the prediction was made from, popularity that of the target; users whose target is cold are left
 * out, as of the metrics. *out is the caller's. Errors: GENAIR_USAGE when thresholds do not ascend or are too many. */
CHECKED genair_code group_tables(const genair_options *o, const struct dataset *data,
                                 const struct ranking_result *result, json_t **out,
                                 genair_status *st);

#endif
