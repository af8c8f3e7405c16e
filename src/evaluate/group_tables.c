/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/group_tables.h"

#include "base/alloc.h"
#include "base/size.h"
#include "ranking/groups.h"

#include <stdio.h>

enum { LABEL = 48 };

struct tables {
    const struct dataset *data;
    const struct ranking_result *result;
    size_t n;         /* users with a warm target */
    uint32_t *place;  /* [n] where they stand in the result */
    uint32_t *rank;   /* [n] */
    uint32_t *length; /* [n] */
    uint8_t *user;    /* [n] group of each user */
    uint8_t *item;    /* [n_items] group of each item; item i + 1 is at i */
    json_t *out;
};

static genair_code add_table(struct tables *t, const char *name, size_t n_groups,
                             char labels[][LABEL], genair_status *st) {
    struct metrics metrics[GROUPS_MAX];
    metrics_by_group(t->rank, t->user, t->n, n_groups, &metrics_cutoffs, metrics);
    json_t *table = json_object();
    bool done = table && json_object_set_new(t->out, name, table) == 0;
    for (size_t g = 0; g < n_groups && done; g++) {
        json_t *row = json_pack("{s:I}", "users", (json_int_t)metrics[g].n_users);
        json_t *values = metrics_json(&metrics[g]);
        done = row && values && json_object_update(row, values) == 0;
        json_decref(values);
        done = json_object_set_new(table, labels[g], row) == 0 && done;
    }
    return done ? GENAIR_OK : fail_memory(st);
}

/* "length <5", "length 5-9", "length >=10" */
static void name_ranges(const char *what, const uint32_t *thresholds, size_t n,
                        char labels[][LABEL]) {
    snprintf(labels[0], LABEL, "%s <%u", what, thresholds[0]);
    for (size_t i = 1; i < n; i++)
        snprintf(labels[i], LABEL, "%s %u-%u", what, thresholds[i - 1], thresholds[i] - 1);
    snprintf(labels[n], LABEL, "%s >=%u", what, thresholds[n - 1]);
}

static genair_code by_length(struct tables *t, const char *name, const uint32_t *thresholds,
                             size_t n, genair_status *st) {
    char labels[GROUPS_MAX][LABEL];
    name_ranges("length", thresholds, n, labels);
    groups_by_length(t->length, t->n, thresholds, n, t->user);
    return add_table(t, name, n + 1, labels, st);
}

/* Users take the group of their target. */
static genair_code by_target(struct tables *t, const char *name, size_t n_groups,
                             char labels[][LABEL], genair_status *st) {
    for (size_t u = 0; u < t->n; u++)
        t->user[u] = t->item[t->result->target[t->place[u]] - 1];
    return add_table(t, name, n_groups, labels, st);
}

static genair_code equal_parts(struct tables *t, genair_status *st) {
    char by_length_labels[][LABEL] = {"shortest fifth", "second", "third", "fourth",
                                      "longest fifth"};
    char by_popularity_labels[POPULARITY_FIFTHS][LABEL];
    for (size_t i = 0; i < POPULARITY_FIFTHS; i++)
        snprintf(by_popularity_labels[i], LABEL, "%s", popularity_fifths[i]);
    genair_code code = groups_equal_length(t->length, t->n, 5, t->user, st);
    if (code == GENAIR_OK) code = add_table(t, "len_equal5", 5, by_length_labels, st);
    if (code == GENAIR_OK)
        code = groups_equal_popularity(t->data->popularity + 1, t->data->n_items, POPULARITY_FIFTHS, t->item, st);
    if (code == GENAIR_OK) code = by_target(t, "pop5", POPULARITY_FIFTHS, by_popularity_labels, st);
    return code;
}

static genair_code head_and_tail(struct tables *t, double share, genair_status *st) {
    char labels[2][LABEL];
    snprintf(labels[0], LABEL, "head %.4g %%", 100 * share);
    snprintf(labels[1], LABEL, "tail %.4g %%", 100 * (1 - share));
    const genair_code code =
        groups_head_tail(t->data->popularity + 1, t->data->n_items, share, t->item, st);
    return code == GENAIR_OK ? by_target(t, "head_tail", 2, labels, st) : code;
}

/* The thresholds of --user-thresholds or --item-thresholds. */
static genair_code read_thresholds(const genair_options *o, const char *name, uint32_t *thresholds,
                                   size_t *n, genair_status *st) {
    const char *const *values;
    *n = option_list(o, name, &values);
    if (*n >= GROUPS_MAX)
        return fail(st, GENAIR_USAGE, "--%s: %zu thresholds, at most %d are possible", name, *n,
                    GROUPS_MAX - 1);
    for (size_t i = 0; i < *n; i++) {
        int64_t value = 0;
        if (!text_i64(text_of(values[i]), &value) || value < 1 || value > UINT32_MAX)
            return fail(st, GENAIR_USAGE, "--%s: '%.40s' is not a positive integer", name,
                        values[i]);
        thresholds[i] = (uint32_t)value;
        if (i > 0 && thresholds[i] <= thresholds[i - 1])
            return fail(st, GENAIR_USAGE, "--%s: %u does not follow %u: give them ascending", name,
                        thresholds[i], thresholds[i - 1]);
    }
    return GENAIR_OK;
}

static genair_code by_thresholds(struct tables *t, const genair_options *o, genair_status *st) {
    uint32_t thresholds[GROUPS_MAX];
    size_t n;
    genair_code code = read_thresholds(o, "user-thresholds", thresholds, &n, st);
    if (code == GENAIR_OK && n > 0) code = by_length(t, "user_thresholds", thresholds, n, st);
    if (code == GENAIR_OK) code = read_thresholds(o, "item-thresholds", thresholds, &n, st);
    if (code != GENAIR_OK || n == 0) return code;
    char labels[GROUPS_MAX][LABEL];
    name_ranges("popularity", thresholds, n, labels);
    groups_by_length(t->data->popularity + 1, t->data->n_items, thresholds, n, t->item);
    return by_target(t, "item_thresholds", n + 1, labels, st);
}

static genair_code fill(struct tables *t, const genair_options *o, genair_status *st) {
    static const uint32_t short_long[] = {10},
                          len5[] = {5, 10, 15, 20}; /* of the published scripts */
    t->n = ranking_result_warm(t->data->cold, t->result, t->place);
    for (size_t i = 0; i < t->n; i++) {
        t->rank[i] = t->result->rank[t->place[i]];
        t->length[i] = target_position(t->data, t->result->part, t->result->user[t->place[i]]);
    }
    genair_code code = by_length(t, "short_long", short_long, COUNT(short_long), st);
    if (code == GENAIR_OK) code = by_length(t, "len5", len5, COUNT(len5), st);
    if (code == GENAIR_OK) code = equal_parts(t, st);
    if (code == GENAIR_OK) code = head_and_tail(t, option_real(o, "head-share"), st);
    if (code == GENAIR_OK) code = by_thresholds(t, o, st);
    return code;
}

genair_code group_tables(const genair_options *o, const struct dataset *data,
                         const struct ranking_result *result, json_t **out, genair_status *st) {
    struct tables t = {.data = data, .result = result};
    t.place = mem_array(result->n, sizeof *t.place);
    t.rank = mem_array(result->n, sizeof *t.rank);
    t.length = mem_array(result->n, sizeof *t.length);
    t.user = mem_array(result->n, 1);
    t.item = mem_array(data->n_items, 1);
    t.out = json_object();
    const genair_code code =
        t.place && t.rank && t.length && t.user && t.item && t.out ? fill(&t, o, st) : fail_memory(st);
    if (code == GENAIR_OK)
        *out = t.out;
    else
        json_decref(t.out);
    mem_free(t.item);
    mem_free(t.user);
    mem_free(t.length);
    mem_free(t.rank);
    mem_free(t.place);
    return code;
}
