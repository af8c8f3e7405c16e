/* SPDX-License-Identifier: Apache-2.0 */
/* The files that prepare leaves, with sound checksums and any arrays in them: refused with a message, or everything that a dataset says
 * lies inside it. Then with one byte changed: refused.
 *
 * Input: a file's number, a place in it (two bytes) and what is to be changed there; then arrays: number, bytes (two bytes), content. */
#include "fuzz.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "workspace/dataset.h"
#include "workspace/dataset_write.h"
#include "workspace/metadata_rows.h"
#include "workspace/store.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { N_FILES = 5, RECORDS = 4, N_ARRAYS = 27, HEAD = 4, DIGITS = 32 };

static const struct {
    const char *name, *kind;
} files[N_FILES] = {{DATASET_SEQUENCES, "SEQU"}, {DATASET_IDS, "NAME"}, {DATASET_COOCCURRENCE, "COOC"}, {DATASET_CANDIDATES_FILE, "CAND"},
                    {METADATA_ROWS_FILE, "META"}};

static const struct {
    int file;
    const char *name;
    size_t element_bytes;
} arrays[N_ARRAYS] = {{0, "start", 8},   {0, "item", 4},    {0, "popular", 4}, {0, "time", 8},     {0, "n_train", 4}, {0, "valid", 4},
                      {0, "test", 4},    {0, "tied", 1},    {0, "cold", 1},    {0, "tr_start", 8}, {0, "tr_item", 4}, {1, "u_text", 1},
                      {1, "u_start", 8}, {1, "u_slots", 4}, {1, "i_text", 1},  {1, "i_start", 8},  {1, "i_slots", 4}, {2, "item", 4},
                      {2, "count", 4},   {2, "start", 8},   {2, "summary", 8}, {3, "v_start", 8},  {3, "v_item", 4},  {3, "t_start", 8},
                      {3, "t_item", 4},  {4, "records", 8}, {4, "row", 8}};

static struct bytes content[N_ARRAYS];

static void read_arrays(const uint8_t *p, size_t n) {
    memset(content, 0, sizeof content);
    while (n >= 3) {
        const size_t which = p[0] % N_ARRAYS, most = n - 3, asked = bytes_u16(p + 1), size = asked < most ? asked : most;
        content[which] = (struct bytes){p + 3, size};
        p += 3 + size, n -= 3 + size;
    }
}

static void path_of(int file, char out[512]) {
    snprintf(out, 512, "%s/%s", scratch_directory(), files[file].name);
}

static void write_file(int file) {
    static const char made_from[DIGITS + 1] = "0123456789abcdef0123456789abcdef";
    struct store_writer *w = NULL;
    char path[512];
    path_of(file, path);
    scratch_put(files[file].name, NULL, 0);
    must(store_create(path, files[file].kind, made_from, &w, NULL) == GENAIR_OK);
    for (int i = 0; i < N_ARRAYS; i++)
        if (arrays[i].file == file)
            must(store_array(w, arrays[i].name, arrays[i].element_bytes, content[i].n ? (const void *)content[i].p : "",
                             content[i].n / arrays[i].element_bytes, NULL) == GENAIR_OK);
    must(store_commit(w, NULL) == GENAIR_OK);
}

/* false: the file has no such place, or nothing is to be changed. */
static bool damage(const uint8_t *how) {
    char path[512];
    path_of(how[0] % N_FILES, path);
    FILE *f = fopen(path, "r+b");
    must(f && fseek(f, bytes_u16(how + 1), SEEK_SET) == 0);
    const int c = fgetc(f);
    const bool changes = c != EOF && how[3];
    if (changes) must(fseek(f, -1, SEEK_CUR) == 0 && fputc(c ^ how[3], f) != EOF);
    must(fclose(f) == 0);
    return changes;
}

static void look_at_names(const struct dataset *d) {
    uint32_t found;
    for (uint32_t u = 0; u < d->n_users; u++)
        if (dataset_user_named(d, dataset_user_name(d, u), &found)) must(found < d->n_users);
    for (uint32_t i = 1; i <= d->n_items; i++)
        if (dataset_item_named(d, dataset_item_name(d, i), &found)) must(found >= 1 && found <= d->n_items);
}

static void look_at_users(const struct dataset *d) {
    for (uint32_t u = 0; u < d->n_users; u++) {
        const uint64_t n = d->start[u + 1] - d->start[u];
        uint32_t n_training, n_candidates;
        const uint32_t *training = dataset_training(d, u, &n_training);
        must(n_training <= d->n_train[u] && d->n_train[u] <= n);
        for (uint32_t i = 0; i < n_training; i++) must(training[i] >= 1 && training[i] <= d->n_items);
        for (uint64_t i = d->start[u]; i < d->start[u + 1]; i++) must(d->item[i] >= 1 && d->item[i] <= d->n_items);
        must(d->valid[u] == DATASET_NONE || d->valid[u] < n);
        must(d->test[u] == DATASET_NONE || d->test[u] < n);
        for (int part = 0; part < 2; part++) {
            const uint32_t *candidates = dataset_candidates(d, part, u, &n_candidates);
            must(n_candidates <= DATASET_CANDIDATES);
            for (uint32_t i = 0; i < n_candidates; i++) must(candidates[i] >= 1 && candidates[i] <= d->n_items);
        }
    }
}

static void look_at_pairs(const struct cooccurrence *c) {
    for (uint32_t i = 0; i <= c->n_items; i++)
        for (uint64_t k = c->start[i]; k < c->start[i + 1]; k++)
            must(i > 0 && c->item[k] >= 1 && c->item[k] <= c->n_items && c->count[k] <= c->max_count);
}

static bool look_at_records(uint32_t n_items) {
    uint64_t n, *row;
    if (metadata_rows_read(scratch_directory(), n_items, &n, &row, NULL) != GENAIR_OK) return false;
    for (uint32_t i = 1; i <= n_items; i++) must(row[i] < n || row[i] == METADATA_ROW_NONE);
    mem_free(row);
    return true;
}

struct sound {
    bool dataset, records;
};

static struct sound look(void) {
    struct sound sound = {0};
    struct dataset *d = NULL;
    genair_status st = {0};
    if (dataset_open(scratch_directory(), &d, &st) != GENAIR_OK) {
        must(st.code == GENAIR_FORMAT && st.message[0] && !d);
        return sound;
    }
    look_at_names(d);
    look_at_users(d);
    look_at_pairs(&d->cooccurrence);
    sound.dataset = true;
    sound.records = look_at_records(d->n_items);
    dataset_close(d);
    return sound;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < HEAD) return 0;
    read_arrays(data + HEAD, size - HEAD);
    for (int file = 0; file < N_FILES; file++) write_file(file);
    const struct sound before = look();
    if (!before.dataset || !damage(data)) return 0;
    const struct sound after = look();
    if (data[0] % N_FILES == RECORDS)
        must(after.dataset && !after.records);
    else
        must(!after.dataset);
    return 0;
}
