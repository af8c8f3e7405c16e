/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/catalogue.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/size.h"
#include "workspace/dataset_write.h"
#include "workspace/manifest.h"

#include <stdatomic.h>
#include <string.h>

enum { SHOWN = 80 /* bytes of a name in a message */ };

/* NULL: nobody asked yet; no_title: the record has none. Set once, by whichever thread is first. */
struct title {
    _Atomic(const char *) text;
};
static const char no_title[] = "";

static genair_code index_lines(struct catalogue *c, const char *path, genair_status *st) {
    const size_t n_items = c->data->n_items, size = c->records.size;
    c->line = mem_array(n_items + 2, sizeof *c->line);
    if (!c->line) return fail_memory(st);
    size_t at = 0;
    for (size_t i = 1; i <= n_items; i++) {
        c->line[i] = at;
        const void *end = at < size ? memchr(c->records.data + at, '\n', size - at) : NULL;
        if (!end)
            return fail_line(st, GENAIR_FORMAT, path, (int64_t)i,
                             "the file ends before item %zu of %zu; run 'genair prepare' again", i,
                             n_items);
        at = (size_t)((const unsigned char *)end - c->records.data) + 1;
    }
    c->line[n_items + 1] = at;
    c->titles = mem_zeros(n_items + 1, sizeof *c->titles);
    return c->titles ? GENAIR_OK : fail_memory(st);
}

static genair_code open_records(struct catalogue *c, const char *workspace, genair_status *st) {
    char *path = path_join(workspace, ITEM_RECORDS);
    if (!path) return fail_memory(st);
    genair_code code = workspace_check_output(workspace, "prepare", ITEM_RECORDS, st);
    if (code == GENAIR_OK && file_exists(path)) {
        code = mapping_open(path, &c->records, st);
        if (code == GENAIR_OK) code = index_lines(c, path, st);
        if (code == GENAIR_OK) mapping_release(&c->records);
    }
    mem_free(path);
    return code;
}

genair_code catalogue_open(const char *workspace, struct catalogue *out, genair_status *st) {
    struct catalogue c = {0};
    genair_code code = dataset_open_named(workspace, &c.data, st);
    if (code == GENAIR_OK) code = open_records(&c, workspace, st);
    if (code == GENAIR_OK)
        *out = c;
    else
        catalogue_close(&c);
    return code;
}

static void free_title(const char *title) {
    if (title != no_title) mem_free((void *)(uintptr_t)title);
}

static void forget_titles(struct catalogue *c) {
    for (size_t i = 0; c->titles && i <= catalogue_items(c); i++)
        free_title(atomic_load_explicit(&c->titles[i].text, memory_order_relaxed));
    mem_free(c->titles);
}

void catalogue_close(struct catalogue *c) {
    forget_titles(c);
    map_free(c->added_names);
    mem_free(c->added_place);
    added_items_free(&c->added);
    mem_free(c->line);
    mapping_close(&c->records);
    if (c->data) dataset_close(c->data);
    *c = (struct catalogue){0};
}

/* ---- items that came later ---- */

static genair_code number_added(struct catalogue *c, genair_status *st) {
    c->added_names = map_create();
    c->added_place = mem_array(c->added.n, sizeof *c->added_place);
    genair_code code = c->added_names && c->added_place ? GENAIR_OK : fail_memory(st);
    for (uint32_t i = 0; i < c->added.n && code == GENAIR_OK; i++) {
        uint32_t known;
        if (dataset_item_named(c->data, c->added.items[i].item, &known)) continue;
        code = map_add(c->added_names, c->added.items[i].item, &known, st);
        if (code == GENAIR_OK) c->added_place[known] = i;
    }
    return code;
}

genair_code catalogue_add(struct catalogue *c, const char *workspace, genair_status *st) {
    genair_code code = added_items_load(workspace, &c->added, st);
    if (code != GENAIR_OK || c->added.n == 0) return code;
    struct title *titles = mem_zeros((size_t)c->data->n_items + c->added.n + 1, sizeof *titles);
    if (!titles) return fail_memory(st);
    mem_free(c->titles); /* nobody asked yet */
    c->titles = titles;
    return number_added(c, st);
}

void catalogue_leave_out_added(struct catalogue *c) {
    map_free(c->added_names);
    c->added_names = NULL;
}

genair_code catalogue_leave_out(struct catalogue *c, const bool *out, genair_status *st) {
    struct map *names = map_create();
    genair_code code = names ? GENAIR_OK : fail_memory(st);
    for (uint32_t a = 0, number; code == GENAIR_OK && a < catalogue_added(c); a++) {
        if (out[a]) continue;
        code = map_add(names, catalogue_added_item(c, a)->item, &number, st);
        if (code == GENAIR_OK) c->added_place[number] = c->added_place[a];
    }
    if (code != GENAIR_OK) {
        map_free(names);
        return code;
    }
    map_free(c->added_names);
    c->added_names = names;
    return GENAIR_OK;
}

uint32_t catalogue_added(const struct catalogue *c) {
    return c->added_names ? map_count(c->added_names) : 0;
}

const struct added_item *catalogue_added_item(const struct catalogue *c, uint32_t a) {
    return &c->added.items[c->added_place[a]];
}

static const struct added_item *added_of(const struct catalogue *c, uint32_t item) {
    return item > c->data->n_items ? catalogue_added_item(c, item - c->data->n_items - 1) : NULL;
}

uint32_t catalogue_items(const struct catalogue *c) {
    return c->data->n_items + catalogue_added(c);
}

bool catalogue_find(const struct catalogue *c, struct text name, uint32_t *item) {
    if (dataset_item_named(c->data, name, item)) return true;
    if (!c->added_names || !map_find(c->added_names, name, item)) return false;
    *item += c->data->n_items + 1;
    return true;
}

struct text catalogue_name(const struct catalogue *c, uint32_t item) {
    const struct added_item *a = added_of(c, item);
    return a ? a->item : dataset_item_name(c->data, item);
}

uint32_t catalogue_popularity(const struct catalogue *c, uint32_t item) {
    return item > c->data->n_items ? 0 : c->data->popularity[item];
}

bool catalogue_cold(const struct catalogue *c, uint32_t item) {
    return item > c->data->n_items || c->data->cold[item];
}

/* ---- by name ---- */

typedef struct text name_of(const struct dataset *d, uint32_t i);

/* The nearest of the names first .. last, or an empty text when none is near. */
static struct text nearest(const struct dataset *d, name_of *name, uint32_t first, uint32_t end,
                           struct text wanted) {
    struct text best = {"", 0};
    size_t least = SIZE_MAX;
    for (uint32_t i = first; i < end; i++) {
        const struct text t = name(d, i);
        const size_t distance = text_distance(wanted, t);
        if (distance >= least) continue;
        least = distance;
        best = t;
    }
    return text_is_near(least, wanted) ? best : (struct text){"", 0};
}

static genair_code unknown(const struct dataset *d, const char *kind, const char *name, name_of *of,
                           uint32_t first, uint32_t end, genair_status *st) {
    const struct text near = nearest(d, of, first, end, text_of(name));
    if (near.n > 0)
        return fail(st, GENAIR_USAGE, "no %s '%.*s' in the workspace; did you mean '%.*s'?", kind,
                    SHOWN, name, (int)min_size(near.n, SHOWN), near.p);
    return fail(
        st, GENAIR_USAGE,
        "no %s '%.*s' in the workspace: misspelt, or left out by prepare because it occurs in "
        "too few interactions",
        kind, SHOWN, name);
}

genair_code catalogue_item(const struct catalogue *c, const char *name, uint32_t *item,
                           genair_status *st) {
    if (catalogue_find(c, text_of(name), item)) return GENAIR_OK;
    return unknown(c->data, "item", name, dataset_item_name, 1, c->data->n_items + 1, st);
}

genair_code catalogue_user(const struct catalogue *c, const char *name, uint32_t *user,
                           genair_status *st) {
    if (dataset_user_named(c->data, text_of(name), user)) return GENAIR_OK;
    return unknown(c->data, "user", name, dataset_user_name, 0, c->data->n_users, st);
}

genair_code catalogue_record(const struct catalogue *c, uint32_t item, json_t **out,
                             genair_status *st) {
    *out = NULL;
    const struct added_item *a = added_of(c, item);
    if (!a && !c->line) return GENAIR_OK;
    const struct text line = a ? a->record
                               : (struct text){(const char *)c->records.data + c->line[item],
                                               c->line[item + 1] - c->line[item]};
    json_t *record;
    if (json_read(line, 0, &record, NULL, st) == GENAIR_MEMORY) return GENAIR_MEMORY;
    if (json_is_object(record)) {
        *out = record;
        return GENAIR_OK;
    }
    json_decref(record);
    return fail_line(st, GENAIR_FORMAT, ITEM_RECORDS, (int64_t)item,
                     "not a JSON object; run 'genair prepare' again");
}

/* The "name" of the item's record; no_title where there is none; NULL when memory is out. */
static const char *read_title(const struct catalogue *c, uint32_t item) {
    json_t *record;
    const genair_code code = catalogue_record(c, item, &record, NULL);
    if (code != GENAIR_OK) return code == GENAIR_MEMORY ? NULL : no_title;
    const json_t *name = json_object_get(record, "name");
    const char *title = json_is_string(name) ? mem_text(json_string_value(name), json_string_length(name)) : no_title;
    json_decref(record);
    return title;
}

static const char *title_of(const struct catalogue *c, uint32_t item) {
    if (!c->titles) return no_title;
    const char *known = atomic_load_explicit(&c->titles[item].text, memory_order_acquire);
    if (known) return known;
    const char *title = read_title(c, item);
    if (!title || atomic_compare_exchange_strong(&c->titles[item].text, &known, title)) return title;
    free_title(title); /* another thread was first */
    return known;
}

bool catalogue_describe(const struct catalogue *c, uint32_t item, const char *key,
                        const char *name_key, json_t *out) {
    const struct text id = catalogue_name(c, item);
    if (json_object_set_new(out, key, json_stringn(id.p, id.n)) != 0) return false;
    const char *title = title_of(c, item);
    if (title == no_title) return true;
    return title && json_object_set_new(out, name_key, json_string(title)) == 0;
}
