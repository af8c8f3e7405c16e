/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/render.h"

#include "cli/paragraph.h"
#include "cli/terminal.h"

#include <stdbool.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 64 /* columns */, INDENT = 2, DEPTH_LIMIT = 8, COLUMNS = 24 };

/* ---- cells ---- */

/* Numbers for reading: counts in full, shares and metrics with four decimals. */
static void number_text(const json_t *value, char *out, size_t size) {
    if (json_is_integer(value)) {
        snprintf(out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return;
    }
    const double x = json_real_value(value);
    if (x == 0 || (fabs(x) >= 1e-3 && fabs(x) < 1000))
        snprintf(out, size, "%.4f", x);
    else
        snprintf(out, size, "%.5g", x);
}

/* Control characters are shown as spaces. Cut at CELL characters, between UTF-8 sequences. */
static void plain_text(const char *s, char *out, size_t size) {
    size_t n = 0, characters = 0;
    for (; *s && n + 5 < size; s++) {
        const unsigned char c = (unsigned char)*s;
        if ((c & 0xC0) != 0x80 && ++characters > CELL) {
            memcpy(out + n, "...", 4);
            return;
        }
        const size_t control = terminal_control(s);
        out[n++] = control ? ' ' : *s;
        if (control > 1) s++;
    }
    out[n] = '\0';
}

static void cell_text(const json_t *value, char *out, size_t size) {
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        plain_text(json_string_value(value), out, size);
        return;
    case JSON_INTEGER:
    case JSON_REAL:
        number_text(value, out, size);
        return;
    case JSON_TRUE:
        snprintf(out, size, "yes");
        return;
    case JSON_FALSE:
        snprintf(out, size, "no");
        return;
    case JSON_NULL:
        snprintf(out, size, "-");
        return;
    case JSON_OBJECT:
    case JSON_ARRAY:
        snprintf(out, size, "...");
        return;
    }
}

/* last: nothing follows on the line, so no spaces either. */
static void print_cell(FILE *out, const char *text, int width, bool right, bool last) {
    const int pad = width - terminal_columns(text);
    if (right) fprintf(out, "%*s", pad, "");
    fputs(text, out);
    if (!right && !last) fprintf(out, "%*s", pad, "");
}

static bool is_scalar(const json_t *v) {
    return !json_is_object(v) && !json_is_array(v);
}

static bool is_flat(json_t *object) {
    if (!json_is_object(object)) return false;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) if (!is_scalar(value)) return false;
    return true;
}

static bool all_flat(json_t *container) {
    if (json_is_array(container)) {
        for (size_t i = 0; i < json_array_size(container); i++)
            if (!is_flat(json_array_get(container, i))) return false;
        return json_array_size(container) > 0;
    }
    const char *key;
    json_t *value;
    json_object_foreach(container, key, value) if (!is_flat(value)) return false;
    return json_object_size(container) > 0;
}

/* ---- tables ---- */

/* Columns are the keys of the rows, in order of first appearance. */
struct table {
    FILE *out;
    int indent;
    const char *columns[COLUMNS];
    int width[COLUMNS];
    bool right[COLUMNS];
    int n;
};

static void add_column(struct table *t, const char *key) {
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->columns[i], key) == 0) return;
    if (t->n == COLUMNS) return;
    t->columns[t->n] = key;
    t->width[t->n] = terminal_columns(key);
    t->right[t->n++] = true;
}

static void measure(struct table *t, int column, json_t *value) {
    char text[4 * CELL + 16];
    cell_text(value, text, sizeof text);
    const int width = terminal_columns(text);
    if (width > t->width[column]) t->width[column] = width;
    if (json_is_string(value)) t->right[column] = false;
}

static void print_row(const struct table *t, json_t *row) {
    fprintf(t->out, "%*s", t->indent, "");
    for (int i = 0; i < t->n; i++) {
        char text[4 * CELL + 16];
        if (row)
            cell_text(json_object_get(row, t->columns[i]), text, sizeof text);
        else
            plain_text(t->columns[i], text, sizeof text);
        if (i) fputs("  ", t->out);
        print_cell(t->out, text, t->width[i], t->right[i], i + 1 == t->n);
    }
    fputc('\n', t->out);
}

void render_rows(FILE *out, json_t *array, int indent) {
    struct table t = {.out = out, .indent = indent};
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *key;
        json_t *value;
        json_object_foreach(json_array_get(array, i), key, value) add_column(&t, key);
    }
    for (size_t i = 0; i < json_array_size(array); i++)
        for (int c = 0; c < t.n; c++) {
            json_t *value = json_object_get(json_array_get(array, i), t.columns[c]);
            if (value) measure(&t, c, value);
        }
    print_row(&t, NULL);
    for (size_t i = 0; i < json_array_size(array); i++)
        print_row(&t, json_array_get(array, i));
}

/* {"sampled": {"HR@10": …}, "full": {…}}: a row for each metric, a column for each protocol. */
static void render_columns(FILE *out, json_t *object, int indent) {
    json_t *rows = json_array();
    const char *outer, *inner;
    json_t *column, *value;
    json_object_foreach(object, outer, column) json_object_foreach(column, inner, value) {
        json_t *row = NULL;
        for (size_t i = 0; i < json_array_size(rows) && !row; i++)
            if (strcmp(json_string_value(json_object_get(json_array_get(rows, i), "")), inner) == 0)
                row = json_array_get(rows, i);
        if (!row) {
            row = json_object();
            json_object_set_new(row, "", json_string(inner));
            json_array_append_new(rows, row);
        }
        json_object_set(row, outer, value);
    }
    render_rows(out, rows, indent);
    json_decref(rows);
}

/* ---- anything ---- */

static void render_value(FILE *out, const char *key, json_t *value, int indent, int depth);

static void render_scalars(FILE *out, json_t *object, int indent) {
    const char *key;
    json_t *value;
    int width = 0;
    json_object_foreach(object, key, value) if (is_scalar(value) && terminal_columns(key) > width) width =
        terminal_columns(key);
    json_object_foreach(object, key, value) {
        if (!is_scalar(value)) continue;
        char text[4 * CELL + 16], name[sizeof text];
        cell_text(value, text, sizeof text);
        plain_text(key, name, sizeof name);
        fprintf(out, "%*s", indent, "");
        print_cell(out, name, width + 2, false, false);
        fprintf(out, "%s\n", text);
    }
}

static void render_object(FILE *out, json_t *object, int indent, int depth) {
    render_scalars(out, object, indent);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) if (!is_scalar(value))
        render_value(out, key, value, indent, depth);
}

static void render_array(FILE *out, json_t *array, int indent, int depth) {
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *value = json_array_get(array, i);
        char text[4 * CELL + 16];
        cell_text(value, text, sizeof text);
        if (json_is_object(value)) {
            if (i) fputc('\n', out);
            render_object(out, value, indent, depth);
        } else if (json_is_string(value) && terminal_columns(json_string_value(value)) > CELL) {
            paragraph_print(out, json_string_value(value)); /* a sentence */
        } else {
            fprintf(out, "%*s%s\n", indent, "", text);
        }
    }
}

static void render_value(FILE *out, const char *key, json_t *value, int indent, int depth) {
    if (depth > DEPTH_LIMIT) return;
    char name[4 * CELL + 16];
    plain_text(key, name, sizeof name);
    fprintf(out, "\n%*s%s\n", indent, "", name);
    if (json_is_array(value) && all_flat(value))
        render_rows(out, value, indent + INDENT);
    else if (json_is_array(value))
        render_array(out, value, indent + INDENT, depth + 1);
    else if (!is_flat(value) && all_flat(value))
        render_columns(out, value, indent + INDENT);
    else
        render_object(out, value, indent + INDENT, depth + 1);
}

/* For prepare the statistics of the paper's Table 6 come first. */
static const struct view {
    const char *command, *headline[9];
    void (*render)(FILE *, json_t *); /* NULL: headline and the rest */
} views[] = {
    {"prepare", {"users", "items", "interactions", "mean_length", "sparsity"}, NULL},
    {"train",
     {"run", "method", "backbone", "epochs", "best_epoch", "train_seconds", "trainable_parameters"},
     NULL},
    {"evaluate", {NULL}, render_evaluation},
    {"compare", {NULL}, render_comparison},
    {"sweep", {NULL}, render_sweep},
    {"reproduce", {NULL}, render_reproduction},
    {"archetype", {NULL}, render_archetype},
    {"recommend", {NULL}, render_recommendation},
};

/* Moves the headline's values out of result. */
static void render_headline(FILE *out, const struct view *v, json_t *result) {
    json_t *row = json_object(), *rows = json_array();
    for (size_t i = 0; i < sizeof v->headline / sizeof v->headline[0] && v->headline[i]; i++) {
        json_t *value = json_object_get(result, v->headline[i]);
        if (!value || !is_scalar(value)) continue;
        json_object_set(row, v->headline[i], value);
        json_object_del(result, v->headline[i]);
    }
    if (json_object_size(row)) {
        json_array_append(rows, row);
        render_rows(out, rows, 0);
        if (json_object_size(result)) fputc('\n', out);
    }
    json_decref(rows);
    json_decref(row);
}

void render_plainly(FILE *out, json_t *result) {
    render_object(out, result, 0, 0);
}

void render(FILE *out, const char *command, json_t *result) {
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        if (strcmp(views[i].command, command) != 0) continue;
        if (views[i].render) {
            views[i].render(out, result);
            return;
        }
        render_headline(out, &views[i], result);
    }
    render_plainly(out, result);
}
