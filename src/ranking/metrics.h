/* SPDX-License-Identifier: Apache-2.0 */
/* This module turns ranks into HR@K, NDCG@K and MRR (spec §6). */
#ifndef GENAIR_RANKING_METRICS_H
#define GENAIR_RANKING_METRICS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { METRICS_MAX_CUTOFFS = 8 };

struct cutoffs {
    size_t n;
    uint32_t k[METRICS_MAX_CUTOFFS];
};

/* K = 5, 10, 20, 50: what is printed and stored. */
extern const struct cutoffs metrics_cutoffs;

/* Means over users; all zero without users. */
struct metrics {
    size_t n_users;
    struct cutoffs cutoffs;
    double hr[METRICS_MAX_CUTOFFS];   /* share of users with rank < K */
    double ndcg[METRICS_MAX_CUTOFFS]; /* mean of 1 / log2(rank + 2) where rank < K, else 0 */
    double mrr;                       /* mean of 1 / (rank + 1), no cut-off */
};

/* What one user of that 0-based rank adds to the sums. */
double gain_hr(uint32_t rank, uint32_t k);
double gain_ndcg(uint32_t rank, uint32_t k);
double gain_mrr(uint32_t rank);

/* rank: [n], 0 is best. Summed in order of users: the same bytes every time. */
void metrics_from_ranks(const uint32_t *rank, size_t n, const struct cutoffs *cutoffs,
                        struct metrics *out);
/* The same for each group: group[u] < n_groups, out: [n_groups]. */
void metrics_by_group(const uint32_t *rank, const uint8_t *group, size_t n, size_t n_groups,
                      const struct cutoffs *cutoffs, struct metrics *out);
/* NDCG@k of the list, 0 when k is not among the cut-offs. */
double metrics_ndcg(const struct metrics *m, uint32_t k);
/* {"HR@5": …, "NDCG@5": …, …, "MRR": …}; the caller's; NULL when memory is out. */
json_t *metrics_json(const struct metrics *m);

#endif
