/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/item_records.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/spill.h"
#include "workspace/dataset_write.h"
#include "workspace/metadata_rows.h"

#include <stdlib.h>
#include <string.h>

struct item_records {
    const char *directory;
    const struct map *names;
    const struct numbering *numbering;
    struct spill *text; /* of bytes */
    uint64_t *at;       /* [n_items + 1] where the item's record stands in text */
    uint32_t *n_bytes;  /* [n_items + 1] 0: none yet */
    uint64_t *row;      /* [n_items + 1] number of the item's record among all, from 0 */
    uint64_t n_records; /* seen so far */
    struct item_record_counts counts;
};

genair_code item_records_create(const char *directory, const struct map *names,
                                const struct numbering *numbering, size_t memory_bytes,
                                struct item_records **out, genair_status *st) {
    struct item_records *r = mem_zeros(1, sizeof *r);
    if (!r) return fail_memory(st);
    *r = (struct item_records){.directory = directory, .names = names, .numbering = numbering};
    const size_t n = (size_t)numbering->n_items + 1;
    r->at = mem_zeros(n, sizeof *r->at);
    r->n_bytes = mem_zeros(n, sizeof *r->n_bytes);
    r->row = mem_array(n, sizeof *r->row);
    for (size_t i = 0; r->row && i < n; i++) r->row[i] = METADATA_ROW_NONE;
    genair_code code = r->at && r->n_bytes && r->row ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) code = spill_create(directory, 1, memory_bytes, &r->text, st);
    if (code == GENAIR_OK)
        *out = r;
    else
        item_records_free(r);
    return code;
}

void item_records_free(struct item_records *r) {
    if (!r) return;
    spill_free(r->text);
    mem_free(r->at);
    mem_free(r->n_bytes);
    mem_free(r->row);
    mem_free(r);
}

/* The item's number, 0 when it does not stay. */
static uint32_t item_of(const struct item_records *r, const json_t *record) {
    const json_t *id = json_object_get(record, "item_id");
    uint32_t name;
    if (!json_is_string(id)) return 0;
    const struct text text = {json_string_value(id), json_string_length(id)};
    if (!map_find(r->names, text, &name)) return 0;
    const uint32_t item = r->numbering->item_id[name];
    return item == FILTER_DROPPED ? 0 : item;
}

genair_code item_records_add(struct item_records *r, const json_t *record, genair_status *st) {
    const uint32_t item = item_of(r, record);
    const uint64_t number = r->n_records++;
    if (item == 0) {
        r->counts.n_unknown++;
        return GENAIR_OK;
    }
    if (r->n_bytes[item]) {
        r->counts.n_repeated++;
        return GENAIR_OK;
    }
    char *text = json_text(record, JSON_COMPACT);
    if (!text) return fail_memory(st);
    const size_t n = strlen(text);
    genair_code code = GENAIR_OK;
    if (n > UINT32_MAX)
        code = fail(st, GENAIR_FORMAT, "the record of item %u is longer than 4 GiB", item);
    if (code == GENAIR_OK) {
        r->at[item] = spill_count(r->text);
        r->n_bytes[item] = (uint32_t)n;
        r->row[item] = number;
        r->counts.n_with_metadata++;
        code = spill_add(r->text, text, n, st);
    }
    free(text);
    return code;
}

static genair_code put_bare(const struct item_records *r, uint32_t item, struct writer *w,
                            genair_status *st) {
    const struct text name = map_name(r->names, r->numbering->item_name[item]);
    json_t *record = json_pack("{s:s%}", "item_id", name.p, name.n);
    char *text = record ? json_text(record, JSON_COMPACT) : NULL;
    json_decref(record);
    const genair_code code = text ? writer_put(w, text, strlen(text), st) : fail_memory(st);
    free(text);
    return code;
}

static genair_code put_lines(genair_context *ctx, struct item_records *r, struct writer *w,
                             genair_status *st) {
    char *line = NULL;
    size_t capacity = 0;
    genair_code code = spill_rewind(r->text, st);
    for (uint32_t i = 1; code == GENAIR_OK && i <= r->numbering->n_items; i++) {
        const size_t n = r->n_bytes[i];
        if (i % 4096 == 0 && context_stopped(ctx))
            code = context_interrupted(st);
        else if (n == 0)
            code = put_bare(r, i, w, st);
        else if (!mem_grow(&line, &capacity, n, 1))
            code = fail_memory(st);
        else
            code = spill_read(r->text, r->at[i], line, n, st);
        if (code == GENAIR_OK && n) code = writer_put(w, line, n, st);
        if (code == GENAIR_OK) code = writer_put(w, "\n", 1, st);
    }
    mem_free(line);
    return code;
}

genair_code item_records_write(genair_context *ctx, struct item_records *r, const char *made_from,
                               struct item_record_counts *counts, genair_status *st) {
    char *path = path_join(r->directory, ITEM_RECORDS);
    if (!path) return fail_memory(st);
    struct writer *w;
    genair_code code = writer_open(path, &w, st);
    mem_free(path);
    if (code != GENAIR_OK) return code;
    code = put_lines(ctx, r, w, st);
    *counts = r->counts;
    if (code == GENAIR_OK)
        code = metadata_rows_write(r->directory, made_from, r->n_records, r->row,
                                   r->numbering->n_items, st);
    if (code == GENAIR_OK) return writer_commit(w, st);
    writer_abandon(w);
    return code;
}
