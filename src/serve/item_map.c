/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/item_map.h"

#include "serve/item_plane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_GROUPS = 8 };

static bool set(json_t *o, const char *key, json_t *value) {
    return json_object_set_new(o, key, value) == 0;
}

/* The first of the item's categories, a new reference; NULL where it has none. */
static genair_code category_of(const struct catalogue *c, uint32_t item, json_t **out, genair_status *st) {
    json_t *record;
    const genair_code code = catalogue_record(c, item, &record, st);
    if (code != GENAIR_OK) return code;
    const char *all = json_string_value(json_object_get(record, "categories"));
    const size_t n = all ? strcspn(all, ",") : 0;
    *out = n ? json_stringn(all, n) : NULL;
    json_decref(record);
    return GENAIR_OK;
}

/* Names of the MAX_GROUPS largest categories, largest first. counts: how many items, by name. */
static bool largest(json_t *counts, json_t *names) {
    while (json_array_size(names) < MAX_GROUPS && json_object_size(counts) > 0) {
        const char *key, *best = NULL;
        json_t *value;
        json_object_foreach(counts, key, value) {
            if (!best || json_integer_value(value) > json_integer_value(json_object_get(counts, best))) best = key;
        }
        if (json_array_append_new(names, json_string(best)) != 0) return false;
        json_object_del(counts, json_string_value(json_array_get(names, json_array_size(names) - 1)));
    }
    return true;
}

static json_int_t place_among(const json_t *names, const json_t *name) {
    for (size_t i = 0; i < json_array_size(names); i++)
        if (json_equal(json_array_get(names, i), name)) return (json_int_t)i;
    return -1;
}

/* "groups": names; "group": for each item the place of its category among them, -1 for others. */
static genair_code add_groups(const struct catalogue *c, const struct item_plane *p, json_t *out, genair_status *st) {
    json_t *counts = json_object(), *names = json_array(), *group = json_array(), *categories = json_array();
    bool done = set(out, "groups", names);
    done = set(out, "group", group) && done;
    genair_code code = done ? GENAIR_OK : fail_memory(st);
    for (size_t i = 0; code == GENAIR_OK && i < p->n; i++) {
        json_t *category = NULL;
        code = category_of(c, p->item[i], &category, st);
        const char *name = json_string_value(category);
        if (code == GENAIR_OK && name &&
            !set(counts, name, json_integer(1 + json_integer_value(json_object_get(counts, name)))))
            code = fail_memory(st);
        if (json_array_append_new(categories, category ? category : json_null()) != 0) code = fail_memory(st);
    }
    if (code == GENAIR_OK && !largest(counts, names)) code = fail_memory(st);
    for (size_t i = 0; code == GENAIR_OK && i < p->n; i++)
        if (json_array_append_new(group, json_integer(place_among(names, json_array_get(categories, i)))) != 0)
            code = fail_memory(st);
    json_decref(counts);
    json_decref(categories);
    return code;
}

/* The coordinate with the digits that a screen can show. */
static json_t *coordinate(double x) {
    char digits[32];
    snprintf(digits, sizeof digits, "%.5g", x);
    return json_real(strtod(digits, NULL));
}

static genair_code describe_plane(const struct catalogue *c, const struct item_plane *p, json_t *out,
                                  genair_status *st) {
    json_t *items = json_array(), *names = json_array(), *x = json_array(), *y = json_array(), *popularity = json_array();
    bool done = set(out, "of", json_string(p->of)) && set(out, "items", json_integer(catalogue_items(c)));
    done = set(out, "item", items) && done;
    done = set(out, "name", names) && done;
    done = set(out, "x", x) && done;
    done = set(out, "y", y) && done;
    done = set(out, "popularity", popularity) && done;
    for (size_t i = 0; done && i < p->n; i++) {
        json_t *o = json_object();
        done = o && catalogue_describe(c, p->item[i], "item", "name", o);
        json_t *name = json_object_get(o, "name");
        done = done && json_array_append(items, json_object_get(o, "item")) == 0 &&
               json_array_append_new(names, name ? json_incref(name) : json_null()) == 0 &&
               json_array_append_new(x, coordinate(p->x[i])) == 0 && json_array_append_new(y, coordinate(p->y[i])) == 0 &&
               json_array_append_new(popularity, json_integer(catalogue_popularity(c, p->item[i]))) == 0;
        json_decref(o);
    }
    return done ? add_groups(c, p, out, st) : fail_memory(st);
}

genair_code item_map_make(const char *workspace, const struct recommender *r, json_t **out, genair_status *st) {
    struct item_plane p;
    json_t *map = json_object();
    genair_code code = item_plane_make(workspace, r, &p, st);
    if (code == GENAIR_OK) code = describe_plane(recommender_catalogue(r), &p, map, st);
    item_plane_free(&p);
    if (code == GENAIR_OK)
        *out = map;
    else
        json_decref(map);
    return code;
}
