/* SPDX-License-Identifier: Apache-2.0 */
#include "report/html.h"

#include "base/alloc.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

enum { LONG_TEXT = 60, MAX_COLUMNS = 32, MAX_SVG = 64 * 1024 * 1024 };

static void put_bytes(struct html *h, const char *bytes, size_t n) {
    if (h->code == GENAIR_OK) h->code = writer_put(h->writer, bytes, n, h->st);
}

void html_put(struct html *h, const char *markup) {
    put_bytes(h, markup, strlen(markup));
}

/* NULL: the character may stand. */
static const char *entity_of(unsigned char c) {
    switch (c) {
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '&': return "&amp;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F ? "\xEF\xBF\xBD" : NULL;
    }
}

static void put_valid(struct html *h, const char *p, size_t n) {
    size_t begin = 0;
    for (size_t i = 0; i < n; i++) {
        const char *entity = entity_of((unsigned char)p[i]);
        if (!entity) continue;
        put_bytes(h, p + begin, i - begin);
        html_put(h, entity);
        begin = i + 1;
    }
    put_bytes(h, p + begin, n - begin);
}

void html_text(struct html *h, struct text t) {
    while (t.n > 0) {
        const size_t n = text_utf8_prefix(t);
        put_valid(h, t.p, n);
        if (n == t.n) return;
        html_put(h, "\xEF\xBF\xBD");
        t = (struct text){t.p + n + 1, t.n - n - 1};
    }
}

static void put_number(struct html *h, double x) {
    char digits[32];
    snprintf(digits, sizeof digits, x == 0 || (fabs(x) >= 1e-3 && fabs(x) < 1000) ? "%.4f" : "%.5g", x);
    html_put(h, digits);
}

/* Text as html_text; counts in full, other numbers in 4 decimals or 5 digits; a dash for null and NULL. */
static void html_value(struct html *h, const json_t *value) {
    char digits[32];
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        html_text(h, (struct text){json_string_value(value), json_string_length(value)});
        return;
    case JSON_INTEGER:
        snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        html_put(h, digits);
        return;
    case JSON_REAL:
        put_number(h, json_real_value(value));
        return;
    case JSON_TRUE:
        html_put(h, "yes");
        return;
    case JSON_FALSE:
        html_put(h, "no");
        return;
    case JSON_NULL:
    case JSON_OBJECT:
    case JSON_ARRAY:
        html_put(h, "–");
        return;
    }
}

/* ---- tables ---- */

static size_t columns_of(const json_t *rows, const char *columns[MAX_COLUMNS]) {
    size_t n = 0;
    for (size_t r = 0; r < json_array_size(rows); r++) {
        const char *key;
        json_t *value;
        json_object_foreach(json_array_get(rows, r), key, value) {
            size_t i = 0;
            while (i < n && strcmp(columns[i], key) != 0)
                i++;
            if (i == n && n < MAX_COLUMNS) columns[n++] = key;
        }
    }
    return n;
}

/* Columns of text are set like text, and long ones get room. */
static const char *class_of(const json_t *value) {
    if (!json_is_string(value)) return "";
    return json_string_length(value) > LONG_TEXT ? " class=\"text long\"" : " class=\"text\"";
}

static void put_cell(struct html *h, const json_t *value, bool heads_row) {
    html_put(h, heads_row ? "<th scope=\"row\"" : "<td");
    html_put(h, class_of(value));
    html_put(h, ">");
    html_value(h, value);
    html_put(h, heads_row ? "</th>" : "</td>");
}

void html_table(struct html *h, const char *caption, const json_t *rows) {
    const char *columns[MAX_COLUMNS];
    const size_t n = columns_of(rows, columns);
    if (n == 0) return;
    html_put(h, "<div class=\"wide\" tabindex=\"0\"><table><caption>");
    html_text(h, text_of(caption));
    html_put(h, "</caption>\n<thead><tr>");
    for (size_t c = 0; c < n; c++) {
        html_put(h, "<th scope=\"col\"");
        html_put(h, class_of(json_object_get(json_array_get(rows, 0), columns[c])));
        html_put(h, ">");
        html_text(h, text_of(columns[c]));
        html_put(h, "</th>");
    }
    html_put(h, "</tr></thead>\n<tbody>\n");
    for (size_t r = 0; r < json_array_size(rows); r++) {
        html_put(h, "<tr>");
        for (size_t c = 0; c < n; c++)
            put_cell(h, json_object_get(json_array_get(rows, r), columns[c]), c == 0);
        html_put(h, "</tr>\n");
    }
    html_put(h, "</tbody></table></div>\n");
}

/* ---- pictures ---- */

/* What stands before the svg element is for files of their own. */
void html_figure(struct html *h, const char *svg_path, const char *caption) {
    char *text;
    size_t size;
    if (h->code == GENAIR_OK) h->code = file_read(svg_path, MAX_SVG, &text, &size, h->st);
    if (h->code != GENAIR_OK) return;
    const char *svg = strstr(text, "<svg");
    if (svg) {
        html_put(h, "<figure>\n");
        html_put(h, svg);
        html_put(h, "<figcaption>");
        html_text(h, text_of(caption));
        html_put(h, "</figcaption></figure>\n");
    } else {
        h->code = fail_line(h->st, GENAIR_FORMAT, svg_path, 0, "not an SVG picture; run 'genair analyze' again");
    }
    mem_free(text);
}
