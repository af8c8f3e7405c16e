/* SPDX-License-Identifier: Apache-2.0 */
/* This module measures the lists themselves, not where the target stands in them: how much of the catalogue they
 * show, how popular, how evenly spread, how alike their items are. */
#ifndef GENAIR_RANKING_LIST_METRICS_H
#define GENAIR_RANKING_LIST_METRICS_H

#include "ranking/ranking.h"

/* Of each user's RANKING_LIST best items. "Popularity" is an item's occurrences in the training parts. */
struct list_metrics {
    double coverage;        /* share of the catalogue that is in some list */
    double gini;            /* of how often each item of the catalogue is listed: 0 all alike, near 1 a few alone */
    double popularity;      /* mean of what is in the lists */
    double popularity_lift; /* mean popularity of a user's list over that of his history, both averaged over
                               users, minus 1 (Abdollahpouri et al., 2020) */
    double novelty;         /* mean self-information, -log2 of the item's share of the training parts, in bits;
                               an item that is not in them counts as one occurrence (Zhou et al., 2010) */
    double diversity;       /* mean over users of 1 - S(i, j) over the pairs of a list, S of eq. 10: from
                               co-occurrence, so the same for runs with and without item vectors */
};

/* result: of the full protocol. O(n RANKING_LIST²) look-ups; equal bytes for any number of threads. All zero
 * without lists. */
CHECKED genair_code list_metrics_compute(struct parallel *parallel, const struct ranking_result *result,
                                         const struct dataset *data, struct list_metrics *out,
                                         genair_status *st);
/* {"coverage@10", "mean_popularity@10", …} added to object; false when memory is out. */
CHECKED bool list_metrics_add(const struct list_metrics *m, json_t *object);

#endif
