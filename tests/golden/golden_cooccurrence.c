/* SPDX-License-Identifier: Apache-2.0 */
/* Group 05_cooccurrence: counts of item pairs in the training parts, and the association score (eq.
 * 10). */
#include "golden/groups.h"

#include "base/size.h"
#include "workspace/cooccurrence.h"

#include <math.h>
#include <stdio.h>

enum { MEMORY_BYTES = 1 << 20 };

/* All but the last two of each history, ids from 1. */
static bool training_parts(struct golden *g, struct item_lists *out) {
    const uint32_t n_items = (uint32_t)golden_number(g, "items");
    size_t n_offsets, n;
    const uint32_t *item = golden_ids(g, "in.items", n_items, 1, &n);
    const uint32_t *offsets = golden_ids(g, "in.offsets", (int64_t)n + 1, 0, &n_offsets);
    if (golden_failed(g)) return false;
    const size_t n_users = n_offsets ? n_offsets - 1 : 0;
    uint64_t *start = golden_zeros(g, n_users, sizeof *start);
    uint32_t *length = golden_zeros(g, n_users, sizeof *length);
    for (size_t u = 0; u < n_users && !golden_failed(g); u++) {
        if (offsets[u] > offsets[u + 1]) golden_fail(g, "in.offsets[%zu] is above the next", u);
        const uint32_t all = offsets[u + 1] - offsets[u];
        start[u] = offsets[u];
        length[u] = all > 2 ? all - 2 : 0;
    }
    *out = (struct item_lists){(uint32_t)n_users, n_items, start, length, item};
    return !golden_failed(g);
}

static void check_popularity(struct golden *g, const struct item_lists *lists) {
    int64_t *popularity = golden_zeros(g, lists->n_items, sizeof *popularity);
    for (uint32_t u = 0; popularity && u < lists->n; u++)
        for (uint32_t i = 0; i < lists->length[u]; i++)
            popularity[lists->item[lists->start[u] + i] - 1]++;
    if (popularity) golden_expect_i64(g, "out.train_popularity", popularity, lists->n_items);
}

/* The upper triangle in order, against out.RULE.* and the scalars RULE.*. */
static void check_table(struct golden *g, const char *rule, const struct cooccurrence *c) {
    int64_t *pairs = golden_zeros(g, 2 * c->n_pairs, sizeof *pairs),
            *counts = golden_zeros(g, c->n_pairs, sizeof *counts);
    double *s = golden_zeros(g, c->n_pairs, sizeof *s), total = 0, self = 0;
    if (golden_failed(g)) return;
    size_t n = 0;
    for (uint32_t a = 1; a <= c->n_items; a++)
        for (uint64_t k = c->start[a]; k < c->start[a + 1]; k++) {
            if (c->item[k] < a) continue;
            if (n < c->n_pairs) {
                pairs[2 * n] = a - 1;
                pairs[2 * n + 1] = c->item[k] - 1;
                counts[n] = c->count[k];
                s[n] = log(1 + (double)c->count[k]) / log(1 + (double)c->max_count);
            }
            total += c->count[k];
            self += c->item[k] == a;
            n++;
        }
    if (n != c->n_pairs)
        golden_fail(g, "%s: %zu pairs stand in the table, %zu are announced", rule, n,
                    (size_t)c->n_pairs);
    if (golden_failed(g)) return;
    char name[64];
    snprintf(name, sizeof name, "out.%s.pairs", rule);
    golden_expect_i64(g, name, pairs, 2 * n);
    snprintf(name, sizeof name, "out.%s.counts", rule);
    golden_expect_i64(g, name, counts, n);
    snprintf(name, sizeof name, "out.%s.S", rule);
    golden_expect_f64(g, name, s, n);
    const struct {
        const char *name;
        double value;
    } scalars[] = {
        {"max", c->max_count}, {"pairs", (double)n}, {"total", total}, {"self_pairs", self}};
    for (size_t i = 0; i < COUNT(scalars); i++) {
        snprintf(name, sizeof name, "%s.%s", rule, scalars[i].name);
        golden_expect_scalar(g, name, scalars[i].value, 0);
    }
}

void golden_cooccurrence(struct golden *g) {
    static const struct {
        const char *name;
        enum cooccurrence_rule rule;
    } rules[] = {{"occurrence", COOCCURRENCE_OCCURRENCE}, {"user", COOCCURRENCE_USER}};
    struct item_lists lists;
    if (!training_parts(g, &lists)) return;
    check_popularity(g, &lists);
    for (size_t i = 0; i < COUNT(rules) && !golden_failed(g); i++) {
        struct cooccurrence c = {0};
        if (golden_ok(g, cooccurrence_count(golden_context(g), &lists, rules[i].rule, MEMORY_BYTES,
                                            &c, golden_status(g))))
            check_table(g, rules[i].name, &c);
        cooccurrence_free(&c);
    }
}
