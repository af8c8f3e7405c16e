/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/facets.h"

#include "base/alloc.h"
#include "base/map.h"

#include <string.h>

struct pair {
    uint32_t value, item;
};

struct facets {
    char *attribute;
    struct map *values;
    struct pair *pairs; /* [n] while reading */
    size_t n, capacity;
    uint32_t *latest; /* [n_values] the item that a value was read of last, while reading */
    size_t latest_capacity;
    size_t *start;   /* [n_values + 1] */
    uint32_t *items; /* [n] value v's are items[start[v]] .. items[start[v + 1] - 1] */
};

void facets_free(struct facets *f) {
    if (!f) return;
    mem_free(f->attribute);
    map_free(f->values);
    mem_free(f->pairs);
    mem_free(f->latest);
    mem_free(f->start);
    mem_free(f->items);
    mem_free(f);
}

/* ---- reading ---- */

static genair_code add(struct facets *f, struct text value, uint32_t item, genair_status *st) {
    uint32_t v;
    if (value.n == 0) return GENAIR_OK;
    const uint32_t known = map_count(f->values);
    const genair_code code = map_add(f->values, value, &v, st);
    if (code != GENAIR_OK) return code;
    if (v < known && f->latest[v] == item) return GENAIR_OK; /* said twice */
    if (!mem_grow(&f->latest, &f->latest_capacity, (size_t)v + 1, sizeof *f->latest) ||
        !mem_grow(&f->pairs, &f->capacity, f->n + 1, sizeof *f->pairs))
        return fail_memory(st);
    f->latest[v] = item;
    f->pairs[f->n++] = (struct pair){v, item};
    return GENAIR_OK;
}

static genair_code add_values(struct facets *f, struct text all, uint32_t item, genair_status *st) {
    genair_code code = add(f, text_trim(all), item, st);
    while (code == GENAIR_OK && all.n > 0) {
        const char *comma = memchr(all.p, ',', all.n);
        const size_t n = comma ? (size_t)(comma - all.p) : all.n;
        code = add(f, text_trim((struct text){all.p, n}), item, st);
        all.p += n + (comma != NULL);
        all.n -= n + (comma != NULL);
    }
    return code;
}

static genair_code read_item(struct facets *f, const struct catalogue *c, uint32_t item, genair_status *st) {
    json_t *record;
    genair_code code = catalogue_record(c, item, &record, st);
    if (code != GENAIR_OK) return code;
    const json_t *value = json_object_get(record, f->attribute);
    if (json_is_string(value))
        code = add_values(f, (struct text){json_string_value(value), json_string_length(value)}, item, st);
    json_decref(record);
    return code;
}

/* By value; pairs come in the order of items, and stay in it. */
static genair_code sort_pairs(struct facets *f, genair_status *st) {
    const uint32_t n_values = map_count(f->values);
    f->start = mem_zeros((size_t)n_values + 2, sizeof *f->start);
    f->items = mem_array(f->n, sizeof *f->items);
    if (!f->start || !f->items) return fail_memory(st);
    for (size_t i = 0; i < f->n; i++) f->start[f->pairs[i].value + 2]++;
    for (size_t v = 1; v <= n_values; v++) f->start[v + 1] += f->start[v];
    for (size_t i = 0; i < f->n; i++) f->items[f->start[f->pairs[i].value + 1]++] = f->pairs[i].item;
    mem_free(f->pairs);
    f->pairs = NULL;
    return GENAIR_OK;
}

genair_code facets_create(const struct catalogue *c, struct text attribute, struct facets **out, genair_status *st) {
    struct facets *f = mem_zeros(1, sizeof *f);
    if (!f) return fail_memory(st);
    f->attribute = mem_text(attribute.p, attribute.n);
    f->values = map_create();
    genair_code code = f->attribute && f->values ? GENAIR_OK : fail_memory(st);
    for (uint32_t i = 1; code == GENAIR_OK && i <= catalogue_items(c); i++) code = read_item(f, c, i, st);
    if (code == GENAIR_OK) code = sort_pairs(f, st);
    if (code == GENAIR_OK)
        *out = f;
    else
        facets_free(f);
    return code;
}

static genair_code add_attributes(struct map *names, const struct catalogue *c, uint32_t item, genair_status *st) {
    json_t *record, *value;
    const char *key;
    uint32_t number;
    genair_code code = catalogue_record(c, item, &record, st);
    if (code != GENAIR_OK) return code;
    json_object_foreach(record, key, value) {
        if (code == GENAIR_OK && json_is_string(value)) code = map_add(names, text_of(key), &number, st);
    }
    json_decref(record);
    return code;
}

genair_code facets_attributes(const struct catalogue *c, struct map **out, genair_status *st) {
    struct map *names = map_create();
    genair_code code = names ? GENAIR_OK : fail_memory(st);
    for (uint32_t i = 1; code == GENAIR_OK && i <= catalogue_items(c); i++) code = add_attributes(names, c, i, st);
    if (code == GENAIR_OK)
        *out = names;
    else
        map_free(names);
    return code;
}

const uint32_t *facets_items(const struct facets *f, struct text value, size_t *n) {
    uint32_t v;
    *n = 0;
    if (!map_find(f->values, value, &v)) return NULL;
    *n = f->start[v + 1] - f->start[v];
    return f->items + f->start[v];
}
