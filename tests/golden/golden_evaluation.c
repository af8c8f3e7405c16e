/* SPDX-License-Identifier: Apache-2.0 */
/* Group 08_evaluation: ranks with ties, HR, NDCG, MRR, all of them by group. */
#include "golden/groups.h"

#include "base/size.h"
#include "ranking/groups.h"
#include "ranking/metrics.h"
#include "ranking/rank.h"

#include <stdio.h>

/* What every check needs. */
struct evaluation {
    struct golden *g;
    size_t n_users, n_items;
    struct cutoffs cutoffs;
    const uint32_t *target; /* [n_users] 0-based item */
    uint32_t *rank;         /* [n_users] */
};

static const json_t *hyper_list(struct golden *g, const char *name) {
    const json_t *list = json_object_get(json_object_get(golden_json(g), "hyper"), name);
    if (!json_is_array(list)) golden_fail(g, "\"hyper\" has no list \"%s\"", name);
    return list;
}

/* Whole numbers of a list; 0 and a failure when they do not fit. */
static size_t read_list(struct golden *g, const char *name, uint32_t *out, size_t most) {
    const json_t *list = hyper_list(g, name);
    const size_t n = json_array_size(list);
    if (n > most) {
        golden_fail(g, "\"%s\" has %zu entries, this program takes %zu", name, n, most);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = (uint32_t)json_integer_value(json_array_get(list, i));
    return n;
}

/* Compares PREFIXhr, PREFIXndcg and PREFIXmrr with the metrics of n groups. */
static void expect_metrics(const struct evaluation *e, const char *prefix, const struct metrics *m,
                           size_t n) {
    const size_t n_k = e->cutoffs.n;
    double *hr = golden_zeros(e->g, n * n_k, sizeof *hr),
           *ndcg = golden_zeros(e->g, n * n_k, sizeof *ndcg);
    double *mrr = golden_zeros(e->g, n, sizeof *mrr);
    if (golden_failed(e->g)) return;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n_k; k++) {
            hr[i * n_k + k] = m[i].hr[k];
            ndcg[i * n_k + k] = m[i].ndcg[k];
        }
        mrr[i] = m[i].mrr;
    }
    const struct {
        const char *name;
        const double *values;
        size_t n;
    } arrays[] = {{"hr", hr, n * n_k}, {"ndcg", ndcg, n * n_k}, {"mrr", mrr, n}};
    for (size_t i = 0; i < COUNT(arrays); i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", prefix, arrays[i].name);
        golden_expect_f64(e->g, name, arrays[i].values, arrays[i].n);
    }
}

static void expect_all(const struct evaluation *e, const char *prefix) {
    struct metrics m;
    metrics_from_ranks(e->rank, e->n_users, &e->cutoffs, &m);
    expect_metrics(e, prefix, &m, 1);
}

static void expect_bytes(struct golden *g, const char *name, const uint8_t *found, size_t n,
                         bool invert) {
    int64_t *wide = golden_zeros(g, n, sizeof *wide);
    for (size_t i = 0; wide && i < n; i++)
        wide[i] = invert ? !found[i] : found[i];
    if (wide) golden_expect_i64(g, name, wide, n);
}

static void expect_ranks(const struct evaluation *e, const char *name) {
    int64_t *wide = golden_zeros(e->g, e->n_users, sizeof *wide);
    for (size_t u = 0; wide && u < e->n_users; u++)
        wide[u] = e->rank[u];
    if (wide) golden_expect_i64(e->g, name, wide, e->n_users);
}

/* Metrics and counts of out.LABEL.*; group: of each user. */
static void expect_groups(const struct evaluation *e, const char *label, const uint8_t *group,
                          size_t n_groups) {
    struct metrics m[GROUPS_MAX];
    char name[128];
    int64_t *count = golden_zeros(e->g, n_groups, sizeof *count);
    if (!count) return;
    metrics_by_group(e->rank, group, e->n_users, n_groups, &e->cutoffs, m);
    for (size_t i = 0; i < n_groups; i++)
        count[i] = (int64_t)m[i].n_users;
    snprintf(name, sizeof name, "out.%s.count", label);
    golden_expect_i64(e->g, name, count, n_groups);
    snprintf(name, sizeof name, "out.%s.", label);
    expect_metrics(e, name, m, n_groups);
}

static void check_length_groups(const struct evaluation *e, uint8_t *group) {
    uint32_t thresholds[GROUPS_MAX - 1];
    size_t n;
    const uint32_t *length = golden_ids(e->g, "in.seq_len", UINT32_MAX, 0, &n);
    const uint32_t threshold = (uint32_t)golden_number(e->g, "short_long_threshold");
    const size_t n_thresholds = read_list(e->g, "length_thresholds", thresholds, COUNT(thresholds));
    if (n != e->n_users)
        golden_fail(e->g, "in.seq_len has %zu entries for %zu users", n, e->n_users);
    if (golden_failed(e->g)) return;
    groups_by_length(length, n, &threshold, 1, group);
    expect_groups(e, "short_long", group, 2);
    groups_by_length(length, n, thresholds, n_thresholds, group);
    char label[32];
    snprintf(label, sizeof label, "len%zu", n_thresholds + 1);
    expect_groups(e, label, group, n_thresholds + 1);
    if (!golden_ok(e->g, groups_equal_length(length, n, 5, group, golden_status(e->g)))) return;
    expect_bytes(e->g, "out.len_equal5.group", group, n, false);
    expect_groups(e, "len_equal5", group, 5);
}

static void of_target(const struct evaluation *e, const uint8_t *item_group, uint8_t *group) {
    for (size_t u = 0; u < e->n_users; u++)
        group[u] = item_group[e->target[u]];
}

static void check_popularity_groups(const struct evaluation *e, uint8_t *group) {
    size_t n;
    const uint32_t *popularity = golden_ids(e->g, "in.item_pop", UINT32_MAX, 0, &n);
    uint8_t *item_group = golden_zeros(e->g, e->n_items, sizeof *item_group);
    if (n != e->n_items)
        golden_fail(e->g, "in.item_pop has %zu entries for %zu items", n, e->n_items);
    if (golden_failed(e->g)) return;
    if (!golden_ok(e->g, groups_head_tail(popularity, n, 0.2, item_group, golden_status(e->g))))
        return;
    expect_bytes(e->g, "out.item_head", item_group, n, true);
    of_target(e, item_group, group);
    expect_groups(e, "head_tail", group, 2);
    if (!golden_ok(e->g,
                   groups_equal_popularity(popularity, n, 5, item_group, golden_status(e->g))))
        return;
    expect_bytes(e->g, "out.item_group5", item_group, n, false);
    of_target(e, item_group, group);
    expect_groups(e, "pop5", group, 5);
}

/* scores: [n_users, n] of candidate columns; the target stands in its column, all others are
 * candidates. */
static void rank_sampled(const struct evaluation *e, const float *scores, size_t n) {
    size_t n_columns;
    const uint32_t *column = golden_ids(e->g, "in.target_col", (int64_t)n, 0, &n_columns);
    uint32_t *others = golden_zeros(e->g, n, sizeof *others);
    if (n_columns != e->n_users)
        golden_fail(e->g, "in.target_col has %zu entries for %zu users", n_columns, e->n_users);
    if (golden_failed(e->g)) return;
    for (size_t u = 0; u < e->n_users; u++) {
        size_t n_others = 0;
        for (uint32_t c = 0; c < n; c++)
            if (c != column[u]) others[n_others++] = c;
        e->rank[u] = rank_among(scores + u * n, column[u], others, n_others).rank;
    }
}

/* scores: [n_users, n_items]. With and without the items of the history. */
static void rank_full(const struct evaluation *e, const float *scores, bool exclude) {
    const size_t n = e->n_items;
    size_t n_offsets = 0, n_history = 0;
    const uint32_t *offsets =
        exclude ? golden_ids(e->g, "in.hist_offsets", UINT32_MAX, 0, &n_offsets) : NULL;
    const uint32_t *history =
        exclude ? golden_ids(e->g, "in.hist_items", (int64_t)n, 0, &n_history) : NULL;
    uint32_t *excluded = golden_zeros(e->g, n_history, sizeof *excluded);
    if (exclude && n_offsets != e->n_users + 1)
        golden_fail(e->g, "in.hist_offsets has %zu entries", n_offsets);
    if (golden_failed(e->g)) return;
    for (size_t u = 0; u < e->n_users; u++) {
        size_t n_excluded = 0;
        for (size_t i = exclude ? offsets[u] : 0; exclude && i < offsets[u + 1] && i < n_history;
             i++)
            excluded[n_excluded++] = history[i];
        n_excluded = ids_distinct(excluded, n_excluded);
        e->rank[u] = rank_in_row(scores + u * n, n, e->target[u], excluded, n_excluded).rank;
    }
}

void golden_evaluation(struct golden *g) {
    struct evaluation e = {.g = g, .n_items = (size_t)golden_number(g, "items")};
    const float *scores = golden_f32(g, "in.scores", NULL);
    const size_t n_columns = golden_dim(g, "in.scores", 1);
    e.target = golden_ids(g, "in.target", (int64_t)e.n_items, 0, &e.n_users);
    e.rank = golden_zeros(g, e.n_users, sizeof *e.rank);
    e.cutoffs.n = read_list(g, "K", e.cutoffs.k, METRICS_MAX_CUTOFFS);
    uint8_t *group = golden_zeros(g, e.n_users, sizeof *group);
    const bool sampled = golden_has(g, "in.candidates");
    if (golden_dim(g, "in.scores", 0) != e.n_users || (!sampled && n_columns != e.n_items))
        golden_fail(g, "in.scores is not a row for each of %zu users", e.n_users);
    if (golden_failed(g)) return;
    if (!sampled) {
        rank_full(&e, scores, true);
        expect_ranks(&e, "out.rank_excluding");
        expect_all(&e, "out.excluding.");
        rank_full(&e, scores, false);
    } else {
        rank_sampled(&e, scores, n_columns);
    }
    if (golden_failed(g)) return;
    expect_ranks(&e, "out.rank");
    expect_all(&e, "out.");
    check_length_groups(&e, group);
    check_popularity_groups(&e, group);
}
