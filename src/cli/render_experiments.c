/* SPDX-License-Identifier: Apache-2.0 */
/* Results of many runs: the points of a sweep, tables and figures of the paper. */
#include "cli/render.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_POINTS = 50 };

static double value_of(json_t *point) {
    json_t *rungs = json_object_get(point, "rungs");
    const size_t n = json_array_size(rungs);
    return n ? json_number_value(json_object_get(json_array_get(rungs, n - 1), "NDCG@10")) : -1;
}

/* Furthest rung first, then the better validation, then the order of the grid. */
static int better_first(const void *a, const void *b) {
    json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    const size_t rungs_x = json_array_size(json_object_get(x, "rungs")),
                 rungs_y = json_array_size(json_object_get(y, "rungs"));
    if (rungs_x != rungs_y) return rungs_x > rungs_y ? -1 : 1;
    if (value_of(x) > value_of(y) || value_of(x) < value_of(y)) return value_of(x) > value_of(y) ? -1 : 1;
    return json_integer_value(json_object_get(x, "point")) < json_integer_value(json_object_get(y, "point")) ? -1 : 1;
}

static void add_metric(json_t *row, json_t *point, const char *part, const char *protocol, const char *metric) {
    char title[64];
    snprintf(title, sizeof title, "%s %s %s", part, protocol, metric);
    json_t *value = json_object_get(json_object_get(json_object_get(point, part), protocol), metric);
    if (value) json_object_set(row, title, value);
}

static json_t *row_of(json_t *point, const char *protocol) {
    json_t *row = json_object();
    json_object_set(row, "point", json_object_get(point, "point"));
    json_object_update(row, json_object_get(point, "settings"));
    json_t *failed = json_object_get(point, "failed");
    if (failed) {
        json_object_set(row, "failed", failed);
        return row;
    }
    json_object_set(row, "epochs", json_object_get(point, "epochs"));
    json_object_set(row, "best_epoch", json_object_get(point, "best_epoch"));
    add_metric(row, point, "valid", protocol, "NDCG@10");
    add_metric(row, point, "test", protocol, "HR@10");
    add_metric(row, point, "test", protocol, "NDCG@10");
    return row;
}

void render_sweep(FILE *out, json_t *result) {
    json_t *points = json_object_get(result, "points"), *rows = json_array();
    json_t *methods = json_object_get(json_object_get(result, "inputs"), "options");
    json_t *options = json_object_iter_value(json_object_iter(methods)); /* validated alike, whatever the method */
    const char *protocol = json_string_value(json_object_get(options, "valid-protocol"));
    const size_t n = json_array_size(points);
    json_t **order = malloc((n + 1) * sizeof *order);
    if (!order || !protocol) {
        free(order);
        json_decref(rows);
        render_plainly(out, result);
        return;
    }
    for (size_t i = 0; i < n; i++)
        order[i] = json_array_get(points, i);
    qsort(order, n, sizeof(json_t *), better_first);
    for (size_t i = 0; i < n && i < MOST_POINTS; i++)
        json_array_append_new(rows, row_of(order[i], protocol));
    render_rows(out, rows, 0);
    if (n > MOST_POINTS) fprintf(out, "and %zu more\n", n - MOST_POINTS);
    const char *run = json_string_value(json_object_get(json_object_get(result, "best"), "run"));
    fprintf(out, "\nbest by validation: run %s\n", run ? run : "-");
    json_decref(rows);
    free(order);
}

/* ---- reproduce ---- */

/* A row for each alpha, a column for each gamma; rows of the same alpha follow each other. */
static json_t *matrix_of(json_t *rows, const char *metric) {
    json_t *out = json_array(), *line = NULL, *row;
    size_t i;
    json_array_foreach(rows, i, row) {
        json_t *alpha = json_object_get(row, "alpha"), *value = json_object_get(row, metric);
        char title[64];
        snprintf(title, sizeof title, "gamma %s", json_string_value(json_object_get(row, "gamma")));
        if (!line || !json_equal(json_object_get(line, "alpha"), alpha)) {
            line = json_pack("{s:O}", "alpha", alpha);
            json_array_append_new(out, line);
        }
        if (value) json_object_set(line, title, value);
    }
    return out;
}

static void render_matrices(FILE *out, json_t *rows) {
    const char *key;
    json_t *value;
    json_object_foreach(json_array_get(rows, 0), key, value) {
        if (!json_is_number(value)) continue;
        json_t *matrix = matrix_of(rows, key);
        fprintf(out, "\n%s\n", key);
        render_rows(out, matrix, 2);
        json_decref(matrix);
    }
}

void render_reproduction(FILE *out, json_t *result) {
    json_t *rows = json_object_get(result, "rows"), *protocol = json_object_get(result, "protocol");
    const char *title = json_string_value(json_object_get(result, "title")),
               *note = json_string_value(json_object_get(result, "note"));
    fprintf(out, "%s\n%s\n", title ? title : "", note ? note : "");
    if (protocol)
        fprintf(out, "test, %s protocol: the target against 100 items its user never touched, or all there are\n", json_string_value(protocol));
    if (json_object_get(json_array_get(rows, 0), "alpha")) {
        render_matrices(out, rows);
        return;
    }
    fputc('\n', out);
    render_rows(out, rows, 0);
}
