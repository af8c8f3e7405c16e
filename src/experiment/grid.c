/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/grid.h"

#include "base/json_text.h"
#include "train/session.h"

#include <string.h>

enum { MAX_METHODS = 64 }; /* more than there are */

static json_t *values_of(const json_t *axis) {
    return json_array_get(axis, 1);
}

static genair_code check_name(const char *name, const json_t *before, genair_status *st) {
    if (!option_find("train", name)) return option_unknown("train", name, st);
    if (session_neutral(name))
        return fail(st, GENAIR_USAGE, "--grid %s: it is the same for all runs of a workspace, so there is nothing to compare", name);
    for (size_t i = 0; i < json_array_size(before); i++)
        if (strcmp(json_string_value(json_array_get(json_array_get(before, i), 0)), name) == 0)
            return fail(st, GENAIR_USAGE, "--grid %s is given twice; list all its values in one", name);
    return GENAIR_OK;
}

static genair_code add_value(const char *name, const char *p, size_t n, json_t *values, genair_options *scratch,
                             genair_status *st) {
    if (n == 0) return fail(st, GENAIR_USAGE, "--grid %s: there is an empty value", name);
    json_t *value = json_stringn(p, n);
    if (!value && json_lost()) return fail_memory(st);
    if (!value)
        return fail(st, GENAIR_USAGE, "--grid %s: a value is not UTF-8", name);
    for (size_t i = 0; i < json_array_size(values); i++)
        if (json_equal(json_array_get(values, i), value)) {
            const genair_code code = fail(st, GENAIR_USAGE, "--grid %s: %s is given twice", name, json_string_value(value));
            json_decref(value);
            return code;
        }
    const genair_code code = genair_options_set(scratch, name, json_string_value(value), st);
    if (json_array_append_new(values, value) != 0) return fail_memory(st);
    return code;
}

static genair_code add_axis(struct grid *g, const char *text, genair_options *scratch, genair_status *st) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return fail(st, GENAIR_USAGE, "--grid '%.60s' is not of the form NAME=VALUE,VALUE,…", text);
    if (g->n_axes == GRID_MAX_AXES) return fail(st, GENAIR_USAGE, "more than %d --grid axes", GRID_MAX_AXES);
    char name[64] = "";
    if ((size_t)(equals - text) < sizeof name) memcpy(name, text, (size_t)(equals - text));
    genair_code code = check_name(name, g->axes, st);
    if (code != GENAIR_OK) return code;
    json_t *values = json_array(), *axis = json_pack("[s, O]", name, values);
    if (!axis || json_array_append_new(g->axes, axis) != 0) code = fail_memory(st);
    for (const char *p = equals + 1; code == GENAIR_OK; p += strcspn(p, ",") + 1) {
        code = add_value(name, p, strcspn(p, ","), values, scratch, st);
        if (!p[strcspn(p, ",")]) break;
    }
    g->n_axes++;
    g->n_points *= json_array_size(values);
    json_decref(values);
    if (code == GENAIR_OK && g->n_points > GRID_MAX_POINTS)
        return fail(st, GENAIR_USAGE, "the grid has more than %d points", GRID_MAX_POINTS);
    return code;
}

genair_code grid_read(size_t n, const char *const *axes, struct grid *out, genair_status *st) {
    struct grid g = {.n_points = 1, .axes = json_array()};
    genair_options *scratch = NULL;
    genair_code code = g.axes ? genair_options_create("train", &scratch, st) : fail_memory(st);
    for (size_t i = 0; code == GENAIR_OK && i < n; i++)
        code = add_axis(&g, axes[i], scratch, st);
    genair_options_free(scratch);
    if (code == GENAIR_OK)
        *out = g;
    else
        grid_free(&g);
    return code;
}

void grid_free(struct grid *g) {
    json_decref(g->axes);
    *g = (struct grid){0};
}

/* Name and value of axis a at a point, borrowed. */
static const char *grid_axis(const struct grid *g, size_t a) {
    return json_string_value(json_array_get(json_array_get(g->axes, a), 0));
}

static const char *grid_value(const struct grid *g, size_t point, size_t a) {
    for (size_t i = g->n_axes - 1; i > a; i--)
        point /= json_array_size(values_of(json_array_get(g->axes, i)));
    const json_t *values = values_of(json_array_get(g->axes, a));
    return json_string_value(json_array_get(values, point % json_array_size(values)));
}

/* g->n_axes when there is none of that name. */
static size_t axis_of(const struct grid *g, const char *option) {
    size_t a = 0;
    while (a < g->n_axes && strcmp(grid_axis(g, a), option) != 0)
        a++;
    return a;
}

bool grid_has(const struct grid *g, const char *option) {
    return axis_of(g, option) < g->n_axes;
}

const char *grid_choice(const struct grid *g, const genair_options *train, const char *option, size_t i) {
    const size_t a = axis_of(g, option);
    if (a < g->n_axes) return json_string_value(json_array_get(values_of(json_array_get(g->axes, a)), i));
    return i == 0 ? option_text(train, option) : NULL;
}

const char *grid_choice_at(const struct grid *g, const genair_options *train, const char *option, size_t point) {
    const size_t a = axis_of(g, option);
    return a < g->n_axes ? grid_value(g, point, a) : option_text(train, option);
}

genair_code grid_check_methods(const struct grid *g, const genair_options *train, genair_status *st) {
    const char *methods[MAX_METHODS];
    size_t n = 0;
    while (n < MAX_METHODS && (methods[n] = grid_choice(g, train, "method", n)))
        n++;
    genair_code code = options_check_methods(train, n, methods, st);
    for (size_t a = 0; code == GENAIR_OK && a < g->n_axes; a++)
        code = option_check_methods(option_find("train", grid_axis(g, a)), n, methods, st);
    return code;
}

genair_code grid_apply(const struct grid *g, size_t point, genair_options *o, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t a = 0; code == GENAIR_OK && a < g->n_axes; a++)
        code = genair_options_set(o, grid_axis(g, a), grid_value(g, point, a), st);
    return code;
}

json_t *grid_settings(const struct grid *g, size_t point) {
    json_t *settings = json_object();
    for (size_t a = 0; settings && a < g->n_axes; a++)
        if (json_object_set_new(settings, grid_axis(g, a), json_string(grid_value(g, point, a))) != 0) {
            json_decref(settings);
            return NULL;
        }
    return settings;
}
