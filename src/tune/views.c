/* SPDX-License-Identifier: Apache-2.0 */
#include "tune/views.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>

static const char *const left_out[] = {
    "item_id", "asin", "parent_asin", "business_id", "latitude", "longitude", "image", "images", "imUrl", "imageURL",
    "imageURLHighRes", "videos", "also_bought", "also_viewed", "also_buy", "also_view", "buy_after_viewing",
    "bought_together", "related", "similar_item", "salesRank", "sales_rank", "rank", "fit",
};

void view_deinit(struct view *v) {
    mem_free(v->text);
    mem_free(v->order);
    *v = (struct view){0};
}

static bool put(struct view *v, const char *p, size_t n) {
    if (!mem_grow(&v->text, &v->capacity, v->n + n + 1, 1)) return false;
    memcpy(v->text + v->n, p, n);
    v->n += n;
    v->text[v->n] = '\0';
    return true;
}

static bool is_attribute(const char *name, const json_t *value) {
    for (size_t i = 0; i < COUNT(left_out); i++)
        if (strcmp(name, left_out[i]) == 0) return false;
    return json_is_string(value);
}

/* Lines become one; a semicolon only separates. */
static bool put_value(struct view *v, const json_t *value, size_t characters) {
    const struct text whole = {json_string_value(value), json_string_length(value)};
    const struct text t = text_characters(text_trim(whole), characters);
    const size_t begin = v->n;
    if (!(t.n ? put(v, t.p, t.n) : put(v, "none", 4))) return false;
    for (size_t i = begin; i < v->n; i++) {
        if (v->text[i] == '\n' || v->text[i] == '\r') v->text[i] = ' ';
        if (v->text[i] == ';') v->text[i] = '.';
    }
    return true;
}

static bool put_name(struct view *v, const char *name) {
    const size_t begin = v->n;
    if (!put(v, name, strlen(name))) return false;
    for (size_t i = begin; i < v->n; i++)
        if (v->text[i] == '_') v->text[i] = ' ';
    return put(v, " is ", 4);
}

static bool put_attribute(struct view *v, json_t *record, size_t number, size_t characters) {
    const char *name;
    json_t *value;
    size_t i = 0;
    json_object_foreach(record, name, value)
        if (is_attribute(name, value) && i++ == number)
            return put_name(v, name) && put_value(v, value, characters);
    return true;
}

/* Counts the attributes and puts them in the record's order. */
static bool start(struct view *v, json_t *record) {
    const char *name;
    json_t *value;
    v->n = v->n_attributes = 0;
    json_object_foreach(record, name, value)
        if (is_attribute(name, value)) v->n_attributes++;
    if (!mem_grow(&v->order, &v->order_capacity, v->n_attributes + 1, sizeof *v->order)) return false;
    for (size_t i = 0; i < v->n_attributes; i++) v->order[i] = i;
    v->n_kept = v->n_attributes;
    return true;
}

static genair_code write(struct view *v, json_t *record, const struct view_style *style, genair_status *st) {
    char line[512];
    const int n = snprintf(line, sizeof line, "This %s has the following attributes:\n", style->noun);
    bool sound = put(v, line, min_size((size_t)n, sizeof line - 1));
    for (size_t i = 0; i < v->n_kept && sound; i++)
        sound = (i == 0 || put(v, ";", 1)) && put_attribute(v, record, v->order[i], style->characters);
    return sound ? GENAIR_OK : fail_memory(st);
}

genair_code view_whole(struct view *v, json_t *record, const struct view_style *style, genair_status *st) {
    return start(v, record) ? write(v, record, style, st) : fail_memory(st);
}

genair_code view_part(struct view *v, json_t *record, const struct view_style *style, uint64_t visit,
                      genair_status *st) {
    if (!start(v, record)) return fail_memory(st);
    struct rng r = rng_start(style->seed, RNG_VIEW, visit);
    for (size_t i = v->n_attributes; i > 1; i--) {
        const size_t j = rng_below(&r, i), swapped = v->order[i - 1];
        v->order[i - 1] = v->order[j];
        v->order[j] = swapped;
    }
    const size_t dropped = (size_t)(style->drop * (double)v->n_attributes + 1e-9); /* 0.2 of 5 is 1 */
    v->n_kept = v->n_attributes == 1 && style->drop > 0 ? 0 : v->n_attributes - dropped;
    return write(v, record, style, st);
}
