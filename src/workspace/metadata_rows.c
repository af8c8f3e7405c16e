/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/metadata_rows.h"

#include "base/alloc.h"
#include "base/files.h"
#include "workspace/store.h"

#include <string.h>

static const char kind[] = "META";

genair_code metadata_rows_write(const char *workspace, const char *made_from, uint64_t n_records,
                                const uint64_t *row, uint32_t n_items, genair_status *st) {
    char *path = path_join(workspace, METADATA_ROWS_FILE);
    if (!path) return fail_memory(st);
    struct store_writer *w = NULL;
    genair_code code = store_create(path, kind, made_from, &w, st);
    mem_free(path);
    if (code != GENAIR_OK) return code;
    code = store_array(w, "records", sizeof n_records, &n_records, 1, st);
    if (code == GENAIR_OK) code = store_array(w, "row", sizeof *row, row, (size_t)n_items + 1, st);
    if (code == GENAIR_OK) return store_commit(w, st);
    store_abandon(w);
    return code;
}

static genair_code copy_rows(const struct store *s, uint32_t n_items, uint64_t *n_records,
                             uint64_t **row, genair_status *st) {
    const void *records, *rows;
    const size_t n = (size_t)n_items + 1;
    genair_code code = store_find_n(s, "records", sizeof *n_records, 1, &records, st);
    if (code == GENAIR_OK) code = store_find_n(s, "row", sizeof **row, n, &rows, st);
    if (code != GENAIR_OK) return code;
    uint64_t total;
    memcpy(&total, records, sizeof total);
    uint64_t *copy = mem_array(n, sizeof *copy);
    if (!copy) return fail_memory(st);
    memcpy(copy, rows, n * sizeof *copy);
    for (size_t i = 1; i < n && code == GENAIR_OK; i++)
        if (copy[i] != METADATA_ROW_NONE && copy[i] >= total)
            code = store_damaged(s, st, "it names a record that is not there");
    if (code != GENAIR_OK) {
        mem_free(copy);
        return code;
    }
    *n_records = total;
    *row = copy;
    return GENAIR_OK;
}

genair_code metadata_rows_read(const char *workspace, uint32_t n_items, uint64_t *n_records,
                               uint64_t **row, genair_status *st) {
    char *path = path_join(workspace, METADATA_ROWS_FILE);
    if (!path) return fail_memory(st);
    struct store *s = NULL;
    genair_code code = store_open(path, kind, "prepare", &s, st);
    mem_free(path);
    if (code != GENAIR_OK) return code;
    code = copy_rows(s, n_items, n_records, row, st);
    store_close(s);
    return code;
}
