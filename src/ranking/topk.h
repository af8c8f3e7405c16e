/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps the k best of a stream of scored items: higher score first, equal scores by
 * smaller id. */
#ifndef GENAIR_RANKING_TOPK_H
#define GENAIR_RANKING_TOPK_H

#include "kernels/kernels.h"

#include <stddef.h>
#include <stdint.h>

struct scored {
    float score; /* not NaN */
    uint32_t id;
};

/* A heap with the worst kept entry on top. The caller owns entries: room for k. */
struct topk {
    size_t k, n;
    struct scored *entries;
};

/* Whether a precedes b in a list of recommendations: a total order when ids differ. */
static inline int scored_before(struct scored a, struct scored b) {
    return a.score > b.score || (a.score == b.score && a.id < b.id);
}

/* O(log k); the result does not depend on the order of pushes. k may be 0. */
void topk_push(struct topk *t, float score, uint32_t id);
/* Pushes first_id + i with scores[i] for i < n, skipping -INFINITY. Ids must ascend from call to
 * call: then a score equal to the worst kept one can be passed over, which makes this O(n) plus a
 * few pushes. */
void topk_push_row(struct topk *t, const struct kernels *k, const float *scores, size_t n, uint32_t first_id);
/* Sorts the entries, best first; no pushes after that. */
void topk_sort(struct topk *t);

#endif
