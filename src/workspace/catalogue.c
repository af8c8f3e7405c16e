/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/catalogue.h"

#include "base/alloc.h"
#include "base/size.h"

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
    char *path = path_join(workspace, "items.jsonl");
    if (!path) return fail_memory(st);
    genair_code code = GENAIR_OK;
    if (file_exists(path)) {
        code = mapping_open(path, &c->records, st);
        if (code == GENAIR_OK) code = index_lines(c, path, st);
    }
    mem_free(path);
    return code;
}

genair_code catalogue_open(const char *workspace, struct catalogue *out, genair_status *st) {
    struct catalogue c = {0};
    genair_code code = dataset_open(workspace, &c.data, st);
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
    for (size_t i = 0; c->titles && i <= c->data->n_items; i++)
        free_title(atomic_load_explicit(&c->titles[i].text, memory_order_relaxed));
    mem_free(c->titles);
}

void catalogue_close(struct catalogue *c) {
    forget_titles(c);
    mem_free(c->line);
    mapping_close(&c->records);
    if (c->data) dataset_close(c->data);
    *c = (struct catalogue){0};
}

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
    if (dataset_item_named(c->data, text_of(name), item)) return GENAIR_OK;
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
    if (!c->line) return GENAIR_OK;
    json_error_t error;
    json_t *record = json_loadb((const char *)c->records.data + c->line[item],
                                c->line[item + 1] - c->line[item], 0, &error);
    if (json_is_object(record)) {
        *out = record;
        return GENAIR_OK;
    }
    json_decref(record);
    if (!record && json_error_code(&error) == json_error_out_of_memory) return fail_memory(st);
    return fail_line(st, GENAIR_FORMAT, "items.jsonl", (int64_t)item,
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
    const struct text id = dataset_item_name(c->data, item);
    if (json_object_set_new(out, key, json_stringn(id.p, id.n)) != 0) return false;
    const char *title = title_of(c, item);
    if (title == no_title) return true;
    return title && json_object_set_new(out, name_key, json_string(title)) == 0;
}
