/* SPDX-License-Identifier: Apache-2.0 */
#include "fuse/item_rows.h"

#include "base/alloc.h"
#include "base/mapping.h"
#include "workspace/metadata_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES = 80 }; /* of a name in a message */
static const size_t no_row = SIZE_MAX;

static int shown(struct text name) {
    return (int)(name.n < SHOWN_BYTES ? name.n : SHOWN_BYTES);
}

void item_rows_deinit(struct item_rows *r) {
    mem_free(r->row);
    *r = (struct item_rows){0};
}

/* ---- by name ---- */

static genair_code take_name(const struct dataset *d, const char *path, struct text name,
                             size_t row, struct item_rows *r, genair_status *st) {
    const int64_t line = (int64_t)row + 1;
    uint32_t item;
    if (!name.n)
        return fail_line(st, GENAIR_FORMAT, path, line,
                         "an empty line, expected the id of the item in row %zu", row);
    if (!dataset_item_named(d, name, &item)) {
        r->n_unused++;
        return GENAIR_OK;
    }
    if (r->row[item] != no_row)
        return fail_line(st, GENAIR_FORMAT, path, line,
                         "item '%.*s' stands in line %zu already; each item has one row",
                         shown(name), name.p, r->row[item] + 1);
    r->row[item] = row;
    return GENAIR_OK;
}

static genair_code rows_by_name(const struct dataset *d, const char *path, const char *matrix,
                                size_t n_rows, struct item_rows *r, genair_status *st) {
    struct mapping m;
    genair_code code = mapping_open(path, &m, st);
    if (code != GENAIR_OK) return code;
    const char *p = (const char *)m.data, *end = p + m.size;
    if (m.size >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) p += 3; /* a byte order mark */
    size_t row = 0;
    for (; p < end && code == GENAIR_OK; row++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline : end;
        struct text name = {p, (size_t)(stop - p)};
        if (name.n && name.p[name.n - 1] == '\r') name.n--;
        code = take_name(d, path, name, row, r, st);
        p = newline ? newline + 1 : end;
    }
    mapping_close(&m);
    if (code == GENAIR_OK && row != n_rows)
        code = fail_line(st, GENAIR_FORMAT, path, 0,
                         "%zu lines, but %s has %zu rows; --ids needs one line for each row", row,
                         matrix, n_rows);
    return code;
}

/* ---- by position ---- */

static genair_code wrong_count(const struct dataset *d, uint64_t n_records, const char *matrix,
                               size_t n_rows, genair_status *st) {
    char records[96] = "";
    if (n_records)
        snprintf(records, sizeof records,
                 "%" PRIu64 " (a row for each record of the item metadata) or ", n_records);
    return fail_line(
        st, GENAIR_FORMAT, matrix, 0,
        "%zu rows, expected %s%" PRIu32
        " (a row for each item, in the order of the workspace's items.jsonl); make the matrix "
        "again, or name its rows with --ids",
        n_rows, records, d->n_items);
}

static genair_code rows_by_place(const char *workspace, const struct dataset *d, const char *matrix,
                                 size_t n_rows, struct item_rows *r, genair_status *st) {
    uint64_t n_records, *record = NULL;
    const genair_code code = metadata_rows_read(workspace, d->n_items, &n_records, &record, st);
    if (code != GENAIR_OK) return code;
    const bool by_record = n_records && n_records == n_rows;
    r->order = by_record ? "metadata" : "items";
    size_t n_used = 0;
    for (uint32_t i = 1; i <= d->n_items; i++) {
        if (!by_record)
            r->row[i] = i - 1;
        else if (record[i] != METADATA_ROW_NONE)
            r->row[i] = (size_t)record[i];
        n_used += r->row[i] != no_row;
    }
    mem_free(record);
    if (!by_record && n_rows != d->n_items) return wrong_count(d, n_records, matrix, n_rows, st);
    r->n_unused = n_rows - n_used;
    return GENAIR_OK;
}

static genair_code check_complete(const struct dataset *d, const char *matrix,
                                  const struct item_rows *r, genair_status *st) {
    uint32_t n_missing = 0, first = 0;
    for (uint32_t i = d->n_items; i >= 1; i--)
        if (r->row[i] == no_row) {
            n_missing++;
            first = i;
        }
    if (!n_missing) return GENAIR_OK;
    const struct text name = dataset_item_name(d, first);
    return fail_line(st, GENAIR_FORMAT, matrix, 0,
                     "%" PRIu32 " of %" PRIu32
                     " items have no row, the first is '%.*s'; make vectors for every item that "
                     "prepare kept (items.jsonl in the workspace lists them)",
                     n_missing, d->n_items, shown(name), name.p);
}

genair_code item_rows_find(const char *workspace, const struct dataset *d, const char *ids,
                           const char *matrix, size_t n_rows, struct item_rows *out,
                           genair_status *st) {
    *out = (struct item_rows){.order = "ids",
                              .row = mem_array((size_t)d->n_items + 1, sizeof *out->row)};
    if (!out->row) return fail_memory(st);
    for (size_t i = 0; i <= d->n_items; i++)
        out->row[i] = no_row;
    genair_code code = ids ? rows_by_name(d, ids, matrix, n_rows, out, st)
                           : rows_by_place(workspace, d, matrix, n_rows, out, st);
    if (code == GENAIR_OK) code = check_complete(d, matrix, out, st);
    if (code != GENAIR_OK) item_rows_deinit(out);
    return code;
}
