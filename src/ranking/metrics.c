/* SPDX-License-Identifier: Apache-2.0 */
#include "ranking/metrics.h"

#include <math.h>
#include <stdio.h>

const struct cutoffs metrics_cutoffs = {4, {5, 10, 20, 50}};

double gain_hr(uint32_t rank, uint32_t k) {
    return rank < k ? 1 : 0;
}

double gain_ndcg(uint32_t rank, uint32_t k) {
    return rank < k ? 1 / log2((double)rank + 2) : 0;
}

double gain_mrr(uint32_t rank) {
    return 1 / ((double)rank + 1);
}

static void add(struct metrics *m, uint32_t rank) {
    m->n_users++;
    m->mrr += gain_mrr(rank);
    for (size_t i = 0; i < m->cutoffs.n && i < METRICS_MAX_CUTOFFS; i++) {
        m->hr[i] += gain_hr(rank, m->cutoffs.k[i]);
        m->ndcg[i] += gain_ndcg(rank, m->cutoffs.k[i]);
    }
}

static void divide(struct metrics *m) {
    if (m->n_users == 0) return;
    const double n = (double)m->n_users;
    m->mrr /= n;
    for (size_t i = 0; i < METRICS_MAX_CUTOFFS; i++) {
        m->hr[i] /= n;
        m->ndcg[i] /= n;
    }
}

void metrics_from_ranks(const uint32_t *rank, size_t n, const struct cutoffs *cutoffs,
                        struct metrics *out) {
    *out = (struct metrics){.cutoffs = *cutoffs};
    for (size_t u = 0; u < n; u++)
        add(out, rank[u]);
    divide(out);
}

void metrics_by_group(const uint32_t *rank, const uint8_t *group, size_t n, size_t n_groups,
                      const struct cutoffs *cutoffs, struct metrics *out) {
    for (size_t g = 0; g < n_groups; g++)
        out[g] = (struct metrics){.cutoffs = *cutoffs};
    for (size_t u = 0; u < n; u++)
        add(&out[group[u]], rank[u]);
    for (size_t g = 0; g < n_groups; g++)
        divide(&out[g]);
}

static double at(const struct metrics *m, const double *values, uint32_t k) {
    for (size_t i = 0; i < m->cutoffs.n; i++)
        if (m->cutoffs.k[i] == k) return values[i];
    return 0;
}

double metrics_ndcg(const struct metrics *m, uint32_t k) {
    return at(m, m->ndcg, k);
}

json_t *metrics_json(const struct metrics *m) {
    json_t *o = json_object();
    int failed = !o;
    char key[32];
    for (size_t i = 0; i < m->cutoffs.n; i++) {
        snprintf(key, sizeof key, "HR@%u", m->cutoffs.k[i]);
        failed |= json_object_set_new(o, key, json_real(m->hr[i]));
    }
    for (size_t i = 0; i < m->cutoffs.n; i++) {
        snprintf(key, sizeof key, "NDCG@%u", m->cutoffs.k[i]);
        failed |= json_object_set_new(o, key, json_real(m->ndcg[i]));
    }
    failed |= json_object_set_new(o, "MRR", json_real(m->mrr));
    if (!failed) return o;
    json_decref(o);
    return NULL;
}
