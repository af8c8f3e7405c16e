/* SPDX-License-Identifier: Apache-2.0 */
/* Results that read better in a form of their own: metrics by protocol, runs side by side, long
 * texts. */
#include "cli/render.h"
#include "cli/paragraph.h"

#include <stdbool.h>
#include <string.h>

/* What a protocol's number is about, in each heading: the two must not be mixed up. */
static const struct protocol {
    const char *name, *meaning;
} protocols[] = {
    {"sampled", "the target against 100 items its user never touched, or all there are"},
    {"full", "the target against all items but those it is predicted from"},
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

/* The values of `from` that say where the target stands, or the others: those of the lists. */
static json_t *chosen(json_t *from, bool of_target) {
    if (!from) return NULL;
    json_t *out = json_object(), *value;
    const char *key;
    json_object_foreach(from, key, value) {
        const bool accuracy = strncmp(key, "HR@", 3) == 0 || strncmp(key, "NDCG@", 5) == 0 || strcmp(key, "MRR") == 0;
        if (accuracy == of_target) json_object_set(out, key, value);
    }
    if (json_object_size(out)) return out;
    json_decref(out);
    return NULL;
}

static void append_chosen(json_t *rows, const char *label, json_t *values, bool of_target) {
    json_t *some = chosen(values, of_target);
    append(rows, labelled("run", label, some));
    json_decref(some);
}

/* {"sampled": …} under key, of one protocol. */
static json_t *under(json_t *object, const char *key, const char *protocol) {
    return json_object_get(json_object_get(object, key), protocol);
}

static json_t *metric_rows(json_t *result, json_t *runs, const char *part, const char *protocol, bool of_target) {
    json_t *rows = json_array();
    for (size_t i = 0; i < json_array_size(runs); i++) {
        json_t *run = json_array_get(runs, i);
        append_chosen(rows, text_of(run, "run"), under(run, part, protocol), of_target);
        if (of_target && under(run, "cold", protocol)) append_chosen(rows, "  cold targets", under(run, "cold", protocol), true);
        if (!of_target || json_integer_value(under(run, "ties", protocol)) == 0) continue;
        append_chosen(rows, "  ties won", under(run, "optimistic", protocol), true);
    }
    if (!same_model(runs)) return rows;
    append_chosen(rows, "mean", under(result, part, protocol), of_target);
    append_chosen(rows, "deviation", under(result, "sd", protocol), of_target);
    return rows;
}

static void render_metrics(FILE *out, json_t *result, json_t *runs, const char *part) {
    for (size_t p = 0; p < sizeof protocols / sizeof protocols[0]; p++) {
        json_t *rows = metric_rows(result, runs, part, protocols[p].name, true);
        if (json_array_size(rows)) heading(out, part, &protocols[p], "");
        table(out, rows);
        rows = metric_rows(result, runs, part, protocols[p].name, false);
        if (json_array_size(rows)) heading(out, part, &protocols[p], "; each user's ten best");
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
                            value) if (strcmp(key, "groups") != 0 && strcmp(key, part) != 0 &&
                                   strcmp(key, "optimistic") != 0) {
            if (strcmp(key, "cold") == 0) { /* metrics stand in their table */
                const char *protocol = json_object_iter_key(json_object_iter(value));
                json_object_set(row, "cold users", json_object_get(under(run, key, protocol), "users"));
                continue;
            }
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

/* ---- texts ---- */

void render_archetype(FILE *out, json_t *result) {
    static const char *const texts[] = {"prompt", "archetype"};
    json_t *rest = json_copy(result);
    for (size_t i = 0; i < 2; i++)
        json_object_del(rest, texts[i]);
    render_plainly(out, rest);
    json_decref(rest);
    for (size_t i = 0; i < 2; i++) {
        if (!json_object_get(result, texts[i])) continue;
        fprintf(out, "\n%s\n", texts[i]);
        paragraph_print(out, text_of(result, texts[i]));
    }
}

/* Moves the archetypes out of a list of items, by item. */
static void take_archetypes(json_t *items, json_t *archetypes) {
    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i), *text = json_object_get(item, "archetype");
        if (!text) continue;
        json_object_set(archetypes, text_of(item, "item"), text);
        json_object_del(item, "archetype");
    }
}

void render_recommendation(FILE *out, json_t *result) {
    json_t *archetypes = json_object(), *users = json_object_get(result, "users"), *text;
    take_archetypes(json_object_get(result, "items"), archetypes);
    for (size_t i = 0; i < json_array_size(users); i++)
        take_archetypes(json_object_get(json_array_get(users, i), "items"), archetypes);
    render_plainly(out, result);
    if (json_object_size(archetypes)) fputs("\nwho they are for\n", out);
    const char *item;
    json_object_foreach(archetypes, item, text) {
        fputc('\n', out);
        paragraph_print(out, item);
        paragraph_print(out, json_string_value(text));
    }
    json_decref(archetypes);
}
