/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/intake.h"

#include "archetype/author.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/json_text.h"
#include "base/map.h"
#include "model/new_items.h"
#include "workspace/added_items.h"
#include "workspace/manifest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct intake {
    const char *workspace;
    const struct dataset *data;
    json_t *item_name; /* NULL where `prepare` did not record one */
    struct fused_components components;
    struct map *names;
    struct arena *memory; /* of what items point to */
    struct added_item *items;
    json_t **records;
    size_t n, capacity, record_capacity;
};

static genair_code read_item_name(struct intake *in, genair_status *st) {
    struct workspace *w;
    const genair_code code = workspace_open_read(NULL, in->workspace, &w, st);
    if (code != GENAIR_OK) return code;
    const json_t *prepared = json_object_get(json_object_get(workspace_stages(w), "prepare"), "result");
    in->item_name = json_incref(json_object_get(prepared, "item_column"));
    workspace_close(w);
    return GENAIR_OK;
}

genair_code intake_create(const char *workspace, const char *run, const struct dataset *data, struct intake **out,
                          genair_status *st) {
    struct intake *in = mem_zeros(1, sizeof *in);
    if (!in) return fail_memory(st);
    in->workspace = workspace;
    in->data = data;
    in->names = map_create();
    in->memory = arena_create();
    genair_code code = in->names && in->memory ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) code = read_item_name(in, st);
    if (code == GENAIR_OK) code = new_items_components(workspace, run, &in->components, st);
    if (code == GENAIR_OK)
        *out = in;
    else
        intake_free(in);
    return code;
}

void intake_free(struct intake *in) {
    if (!in) return;
    for (size_t i = 0; i < in->n; i++) json_decref(in->records[i]);
    mem_free(in->records);
    mem_free(in->items);
    map_free(in->names);
    arena_free(in->memory);
    pca_file_free(&in->components);
    json_decref(in->item_name);
    mem_free(in);
}

const char *intake_item_name(const struct intake *in) {
    return json_string_value(in->item_name);
}

size_t intake_count(const struct intake *in) {
    return in->n;
}

struct text intake_id(const struct intake *in, size_t i) {
    return in->items[i].item;
}

/* ---- gathering ---- */

static bool keep_text(struct intake *in, struct text t, struct text *out) {
    char *copy = arena_array(in->memory, t.n + 1, 1);
    if (copy && t.n) memcpy(copy, t.p, t.n);
    *out = (struct text){copy, t.n};
    return copy != NULL;
}

static genair_code check_id(struct intake *in, struct text id, genair_status *st) {
    char shown[TEXT_EXCERPT];
    uint32_t number;
    const uint32_t n = map_count(in->names);
    text_excerpt(id, shown);
    if (!text_is_name(id, NAME_CHARACTERS))
        return fail(st, GENAIR_USAGE, "an item's id must have 1 to %d characters of UTF-8, none of them a control character", NAME_CHARACTERS);
    if (dataset_item_named(in->data, id, &number))
        return fail(st, GENAIR_USAGE, "the workspace has item '%s' already, from its log", shown);
    const genair_code code = map_add(in->names, id, &number, st);
    if (code != GENAIR_OK || number == n) return code;
    return fail(st, GENAIR_USAGE, "item '%s' is given twice", shown);
}

genair_code intake_add(struct intake *in, json_t *record, genair_status *st) {
    const json_t *id = json_object_get(record, "item_id");
    if (!json_is_string(id)) return fail(st, GENAIR_USAGE, "the item has no id");
    const struct text name = {json_string_value(id), json_string_length(id)};
    genair_code code = check_id(in, name, st);
    if (code != GENAIR_OK) return code;
    char *line = json_text(record, JSON_COMPACT);
    struct added_item item = {0};
    if (!line || !keep_text(in, name, &item.item) || !keep_text(in, text_of(line), &item.record) ||
        !mem_grow(&in->items, &in->capacity, in->n + 1, sizeof *in->items) ||
        !mem_grow(&in->records, &in->record_capacity, in->n + 1, sizeof *in->records))
        code = fail_memory(st);
    free(line);
    if (code != GENAIR_OK) return code;
    in->items[in->n] = item;
    in->records[in->n++] = json_incref(record);
    return GENAIR_OK;
}

static genair_code set_vector(struct intake *in, struct added_item *item, enum item_part part, const float *values,
                              size_t width, genair_status *st) {
    char shown[TEXT_EXCERPT];
    text_excerpt(item->item, shown);
    for (size_t i = 0; i < width; i++)
        if (!isfinite(values[i]))
            return fail(st, GENAIR_USAGE, "column %zu of the %s vector of item '%s' is not a finite number", i,
                        part_names[part], shown);
    float *copy = arena_array(in->memory, width, sizeof *copy);
    if (!copy) return fail_memory(st);
    memcpy(copy, values, width * sizeof *copy);
    item->part[part] = copy;
    item->width[part] = width;
    return GENAIR_OK;
}

genair_code intake_vector(struct intake *in, enum item_part part, const float *values, size_t width, genair_status *st) {
    return set_vector(in, &in->items[in->n - 1], part, values, width, st);
}

/* ---- describing ---- */

struct pending {
    struct intake *in;
    size_t *place; /* of each item that is described, among all */
};

static genair_code take(void *user, size_t i, const struct archetype *row, size_t width,
                        genair_status *st) {
    const struct pending *p = user;
    struct added_item *item = &p->in->items[p->place[i]];
    if (!keep_text(p->in, row->text, &item->archetype)) return fail_memory(st);
    for (size_t part = 0; part < N_PARTS; part++) {
        const struct pca *pca = &p->in->components.part[part];
        if (pca->width == 0) continue;
        const float *values = part == PREFILL ? row->prefill : row->decoding;
        const genair_code code = set_vector(p->in, item, (enum item_part)part, values, width, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

static bool is_bare(const struct added_item *item) {
    for (size_t i = 0; i < N_PARTS; i++)
        if (item->part[i]) return false;
    return true;
}

static genair_code describe(struct intake *in, genair_context *ctx, struct author *author, size_t *n_described,
                            genair_status *st) {
    struct pending p = {in, mem_array(in->n, sizeof *p.place)};
    struct author_item *items = mem_array(in->n, sizeof *items);
    genair_code code = p.place && items ? GENAIR_OK : fail_memory(st);
    size_t n = 0;
    for (size_t i = 0; code == GENAIR_OK && i < in->n; i++) {
        if (!is_bare(&in->items[i])) continue;
        items[n] = (struct author_item){in->items[i].item, in->records[i]};
        p.place[n++] = i;
    }
    if (code == GENAIR_OK && n > 0)
        code = author ? author_describe(author, ctx, items, n, take, &p, st)
                      : fail(st, GENAIR_USAGE, "%zu of %zu items have no vectors, and there is no --model to make some", n,
                             in->n);
    mem_free(p.place);
    mem_free(items);
    *n_described = n;
    return code;
}

genair_code intake_store(struct intake *in, genair_context *ctx, struct author *author, struct intake_result *out,
                         genair_status *st) {
    *out = (struct intake_result){0};
    if (in->n == 0) return fail(st, GENAIR_USAGE, "no item is given");
    genair_code code = describe(in, ctx, author, &out->described, st);
    for (size_t i = 0; code == GENAIR_OK && i < in->n; i++) code = new_item_fits(&in->components, &in->items[i], st);
    if (code == GENAIR_OK) code = added_items_put(in->workspace, in->items, in->n, &out->replaced, st);
    out->added = in->n - out->replaced;
    return code;
}
