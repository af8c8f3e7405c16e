/* SPDX-License-Identifier: Apache-2.0 */
/* Results that read better with a table of their own: metrics by protocol, runs side by side. */
#include "cli/render.h"

#include <stdbool.h>
#include <string.h>

/* What a protocol's number is about, in each heading: the two must not be mixed up. */
static const struct protocol {
    const char *name, *meaning;
} protocols[] = {
    {"sampled", "the target against 100 items its user never touched"},
    {"full", "the target against all items its user has not touched"},
};

static void heading(FILE *out, const char *part, const struct protocol *p, const char *more) {
    fprintf(out, "\n%s, %s protocol: %s%s\n", part, p->name, p->meaning, more);
}

/* A row whose first cell is `label` under `title`, then the values of `from`; NULL when there are
 * none. */
static json_t *labelled(const char *title, const char *label, json_t *from) {
    if (!from) return NULL;
    json_t *row = json_object();
    json_object_set_new(row, title, json_string(label));
    json_object_update(row, from);
    return row;
}

static void append(json_t *rows, json_t *row) {
    if (row) json_array_append_new(rows, row);
}

/* Prints and releases rows. */
static void table(FILE *out, json_t *rows) {
    if (json_array_size(rows)) render_rows(out, rows, 2);
    json_decref(rows);
}

static const char *text_of(json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* ---- evaluate ---- */

/* Runs that differ in their seed alone may be averaged; of others a mean says nothing. */
static bool same_model(json_t *runs) {
    const size_t n = json_array_size(runs);
    for (size_t i = 1; i < n; i++) {
        json_t *a = json_array_get(runs, 0), *b = json_array_get(runs, i);
        if (strcmp(text_of(a, "method"), text_of(b, "method")) != 0) return false;
        if (strcmp(text_of(a, "backbone"), text_of(b, "backbone")) != 0) return false;
    }
    return n > 1;
}

static void render_metrics(FILE *out, json_t *result, json_t *runs, const char *part) {
    for (size_t p = 0; p < sizeof protocols / sizeof protocols[0]; p++) {
        const char *name = protocols[p].name;
        json_t *rows = json_array();
        for (size_t i = 0; i < json_array_size(runs); i++) {
            json_t *run = json_array_get(runs, i);
            append(rows, labelled("run", text_of(run, "run"),
                                  json_object_get(json_object_get(run, part), name)));
        }
        if (same_model(runs)) {
            append(rows,
                   labelled("run", "mean", json_object_get(json_object_get(result, part), name)));
            append(rows, labelled("run", "deviation",
                                  json_object_get(json_object_get(result, "sd"), name)));
        }
        if (json_array_size(rows)) heading(out, part, &protocols[p], "");
        table(out, rows);
    }
}

static void render_groups(FILE *out, json_t *run, const char *part) {
    for (size_t p = 0; p < sizeof protocols / sizeof protocols[0]; p++) {
        json_t *groupings = json_object_get(json_object_get(run, "groups"), protocols[p].name),
               *groups, *values;
        const char *grouping, *group;
        json_object_foreach(groupings, grouping, groups) {
            char more[256];
            snprintf(more, sizeof more, "; run %s, groups %s", text_of(run, "run"), grouping);
            heading(out, part, &protocols[p], more);
            json_t *rows = json_array();
            json_object_foreach(groups, group, values)
                append(rows, labelled("group", group, values));
            table(out, rows);
        }
    }
}

/* What is left of each run: counts, ties, times. */
static void render_runs(FILE *out, json_t *runs, const char *part) {
    json_t *rows = json_array();
    for (size_t i = 0; i < json_array_size(runs); i++) {
        json_t *row = json_object(), *run = json_array_get(runs, i), *value;
        const char *key;
        json_object_foreach(run, key,
                            value) if (strcmp(key, "groups") != 0 && strcmp(key, part) != 0) {
            if (!json_is_object(value)) {
                json_object_set(row, key, value);
                continue;
            }
            const char *inner;
            json_t *number;
            json_object_foreach(value, inner, number) { /* "ties sampled" */
                char name[128];
                snprintf(name, sizeof name, "%s %s", key, inner);
                json_object_set(row, name, number);
            }
        }
        json_array_append_new(rows, row);
    }
    render_rows(out, rows, 0);
    json_decref(rows);
}

void render_evaluation(FILE *out, json_t *result) {
    json_t *runs = json_object_get(result, "runs"), *alone = NULL;
    if (!json_is_array(runs)) { /* one run: the result is the run */
        runs = alone = json_array();
        json_array_append(alone, result);
    }
    const char *part = json_object_get(json_array_get(runs, 0), "valid") ? "valid" : "test";
    render_runs(out, runs, part);
    render_metrics(out, result, runs, part);
    for (size_t i = 0; i < json_array_size(runs); i++)
        render_groups(out, json_array_get(runs, i), part);
    json_decref(alone);
}

/* ---- compare ---- */

static void render_tests(FILE *out, json_t *tests, const char *part, const char *over) {
    for (size_t p = 0; p < sizeof protocols / sizeof protocols[0]; p++) {
        const char *metric;
        json_t *rows = json_array(), *values;
        json_object_foreach(json_object_get(tests, protocols[p].name), metric, values)
            append(rows, labelled("metric", metric, values));
        if (json_array_size(rows)) heading(out, part, &protocols[p], over);
        table(out, rows);
    }
}

static void render_names(FILE *out, json_t *result, const char *side) {
    json_t *names = json_object_get(result, side);
    fprintf(out, "%s ", side);
    for (size_t i = 0; i < json_array_size(names); i++)
        fprintf(out, " %s", json_string_value(json_array_get(names, i)));
    fputc('\n', out);
}

void render_comparison(FILE *out, json_t *result) {
    const char *part = *text_of(result, "part") ? text_of(result, "part") : "test";
    render_names(out, result, "A");
    render_names(out, result, "B");
    render_tests(out, json_object_get(result, "over_users"), part,
                 "; difference A - B, paired over users");
    render_tests(out, json_object_get(result, "over_seeds"), part,
                 "; difference A - B, paired over seeds");
    fputs("\nlow, high: 95 % confidence interval of the difference; p: two-sided paired t-test\n",
          out);
}
