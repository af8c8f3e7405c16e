/* SPDX-License-Identifier: Apache-2.0 */
/* This module tests whether one side's runs are better than the other's, on ranks that are there already. */
#ifndef GENAIR_EVALUATE_COMPARE_H
#define GENAIR_EVALUATE_COMPARE_H

#include "evaluate/ranked_run.h"

#include <jansson.h>

/* The first half of runs against the second, paired in order; all have the same protocols, of the same users. Those whose
 * target is cold ([n_items + 1], not 0) are left out, as of the metrics. n: even. *out is the caller's: {"A", "B": names, "part", "users", "over_users": {PROTOCOL: {METRIC: {"A", "B": means,
 * "difference", "sd", "t", "p", "low", "high", "n"}}}, and "over_seeds" of several pairs}. */
CHECKED genair_code compare_ranked(const struct ranked_run *runs, size_t n, enum part part, const uint8_t *cold,
                                   json_t **out, genair_status *st);

#endif
