/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/store.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/mapping.h"
#include "base/size.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "arrays are used where they lie in the file");

enum { VERSION = 1, HEAD = 16, ENTRY = 64, TAIL = 96, ALIGN = 64, DIGITS = 32 };
static const char magic[8] = {'G', 'E', 'N', 'A', 'I', 'R', 'W', 'S'};

struct array {
    char name[STORE_MAX_NAME];
    uint64_t offset, n_bytes, element_bytes;
    char hash[DIGITS + 1];
};

/* Head, table and tail as they stand in the file; the tail without hash and magic. */
static void put_entry(unsigned char *p, const struct array *a) {
    memcpy(p, a->name, STORE_MAX_NAME);
    bytes_put_u64(p + 8, a->offset);
    bytes_put_u64(p + 16, a->n_bytes);
    bytes_put_u64(p + 24, a->element_bytes);
    memcpy(p + 32, a->hash, DIGITS);
}

static void get_entry(const unsigned char *p, struct array *a) {
    memcpy(a->name, p, STORE_MAX_NAME);
    a->offset = bytes_u64(p + 8);
    a->n_bytes = bytes_u64(p + 16);
    a->element_bytes = bytes_u64(p + 24);
    memcpy(a->hash, p + 32, DIGITS);
    a->hash[DIGITS] = '\0';
}

/* ---- writing ---- */

struct store_writer {
    struct writer *file;
    unsigned char head[HEAD];
    char made_from[DIGITS];
    struct hasher *hasher; /* of the array being written */
    size_t n_arrays;
    struct array arrays[STORE_MAX_ARRAYS];
};

genair_code store_create(const char *path, const char *kind, const char *made_from,
                         struct store_writer **out, genair_status *st) {
    assert(strlen(kind) == 4 && strlen(made_from) == DIGITS);
    struct store_writer *w = mem_zeros(1, sizeof *w);
    if (!w) return fail_memory(st);
    memcpy(w->head, magic, sizeof magic);
    bytes_put_u32(w->head + 8, VERSION);
    memcpy(w->head + 12, kind, 4);
    memcpy(w->made_from, made_from, DIGITS);
    genair_code code = writer_open(path, &w->file, st);
    if (code == GENAIR_OK) code = writer_put(w->file, w->head, HEAD, st);
    if (code != GENAIR_OK) {
        store_abandon(w);
        return code;
    }
    *out = w;
    return GENAIR_OK;
}

/* Ends the current array, if any, and fills up to the next multiple of ALIGN. */
static genair_code end_array(struct store_writer *w, genair_status *st) {
    static const unsigned char zeros[ALIGN];
    if (w->hasher) {
        struct array *a = &w->arrays[w->n_arrays - 1];
        a->n_bytes = writer_bytes(w->file) - a->offset;
        hasher_finish(w->hasher, a->hash);
        w->hasher = NULL;
    }
    return writer_put(w->file, zeros, (size_t)(-writer_bytes(w->file) % ALIGN), st);
}

genair_code store_begin(struct store_writer *w, const char *name, size_t element_bytes,
                        genair_status *st) {
    assert(w->n_arrays < STORE_MAX_ARRAYS && strlen(name) <= STORE_MAX_NAME);
    const genair_code code = end_array(w, st);
    if (code != GENAIR_OK) return code;
    w->hasher = hasher_create();
    if (!w->hasher) return fail_memory(st);
    struct array *a = &w->arrays[w->n_arrays++];
    memcpy(a->name, name, strlen(name));
    a->offset = writer_bytes(w->file);
    a->element_bytes = element_bytes;
    return GENAIR_OK;
}

genair_code store_put(struct store_writer *w, const void *elements, size_t n, genair_status *st) {
    size_t bytes;
    if (!mul_size(n, w->arrays[w->n_arrays - 1].element_bytes, &bytes)) return fail_memory(st);
    hasher_add(w->hasher, elements, bytes);
    return writer_put(w->file, elements, bytes, st);
}

genair_code store_array(struct store_writer *w, const char *name, size_t element_bytes,
                        const void *elements, size_t n, genair_status *st) {
    const genair_code code = store_begin(w, name, element_bytes, st);
    return code == GENAIR_OK ? store_put(w, elements, n, st) : code;
}

static void checksum(const unsigned char *head, const unsigned char *table, size_t n_arrays,
                     const unsigned char *tail, struct hasher *h, char out[DIGITS + 1]) {
    hasher_add(h, head, HEAD);
    hasher_add(h, table, n_arrays * ENTRY);
    hasher_add(h, tail, 24 + DIGITS);
    hasher_finish(h, out);
}

static genair_code put_table(struct store_writer *w, genair_status *st) {
    genair_code code = end_array(w, st);
    if (code != GENAIR_OK) return code;
    unsigned char table[STORE_MAX_ARRAYS * ENTRY], tail[TAIL] = {0};
    const uint64_t at = writer_bytes(w->file);
    for (size_t i = 0; i < w->n_arrays; i++)
        put_entry(table + i * ENTRY, &w->arrays[i]);
    bytes_put_u64(tail, w->n_arrays);
    bytes_put_u64(tail + 8, at);
    bytes_put_u64(tail + 16, at + w->n_arrays * ENTRY + TAIL);
    memcpy(tail + 24, w->made_from, DIGITS);
    struct hasher *h = hasher_create();
    if (!h) return fail_memory(st);
    char digits[DIGITS + 1];
    checksum(w->head, table, w->n_arrays, tail, h, digits);
    memcpy(tail + 24 + DIGITS, digits, DIGITS);
    memcpy(tail + TAIL - sizeof magic, magic, sizeof magic);
    code = writer_put(w->file, table, w->n_arrays * ENTRY, st);
    return code == GENAIR_OK ? writer_put(w->file, tail, TAIL, st) : code;
}

genair_code store_commit(struct store_writer *w, genair_status *st) {
    genair_code code = put_table(w, st);
    if (code == GENAIR_OK) {
        code = writer_commit(w->file, st);
        w->file = NULL;
    }
    store_abandon(w);
    return code;
}

void store_abandon(struct store_writer *w) {
    if (!w) return;
    char unused[DIGITS + 1];
    if (w->hasher) hasher_finish(w->hasher, unused);
    writer_abandon(w->file);
    mem_free(w);
}

/* ---- reading ---- */

struct store {
    struct mapping file;
    char *path;
    const char *command;
    char made_from[DIGITS + 1];
    size_t n_arrays;
    struct array arrays[STORE_MAX_ARRAYS];
};

genair_code store_damaged(const struct store *s, genair_status *st, const char *what) {
    return fail_line(st, GENAIR_FORMAT, s->path, 0, "%s; run 'genair %s' again", what, s->command);
}

static genair_code check_frame(struct store *s, const char *kind, genair_status *st) {
    const unsigned char *p = s->file.data;
    const size_t size = s->file.size;
    if (size < HEAD + TAIL || memcmp(p, magic, sizeof magic) != 0)
        return store_damaged(s, st, "not a workspace file, or cut short");
    const unsigned char *tail = p + size - TAIL;
    if (memcmp(tail + TAIL - sizeof magic, magic, sizeof magic) != 0 ||
        bytes_u64(tail + 16) != size)
        return store_damaged(s, st, "the file is cut short or its end is damaged");
    if (bytes_u32(p + 8) != VERSION)
        return store_damaged(s, st, "written in another version of the layout, or damaged");
    if (memcmp(p + 12, kind, 4) != 0)
        return store_damaged(s, st, "holds another kind of data, or is damaged");
    const uint64_t n = bytes_u64(tail), at = bytes_u64(tail + 8);
    if (n > STORE_MAX_ARRAYS || at < HEAD || at != size - TAIL - n * ENTRY)
        return store_damaged(s, st, "its table of arrays is damaged");
    struct hasher *h = hasher_create();
    if (!h) return fail_memory(st);
    char digits[DIGITS + 1];
    checksum(p, p + at, (size_t)n, tail, h, digits);
    if (memcmp(digits, tail + 24 + DIGITS, DIGITS) != 0)
        return store_damaged(s, st, "its table of arrays does not match its checksum");
    memcpy(s->made_from, tail + 24, DIGITS);
    s->n_arrays = (size_t)n;
    for (size_t i = 0; i < s->n_arrays; i++)
        get_entry(p + at + i * ENTRY, &s->arrays[i]);
    return GENAIR_OK;
}

static bool all_zero(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return true;
}

/* A piece at a time, which then leaves memory: files may be larger than it. */
static genair_code hash_array(const struct store *s, const struct array *a, char out[DIGITS + 1], genair_status *st) {
    enum { PIECE = 1 << 20 };
    const unsigned char *p = s->file.data + a->offset;
    if (a->n_bytes <= PIECE) {
        hash_bytes(p, (size_t)a->n_bytes, out);
        return GENAIR_OK;
    }
    struct hasher *h = hasher_create();
    if (!h) return fail_memory(st);
    for (uint64_t at = 0; at < a->n_bytes; at += PIECE) {
        hasher_add(h, p + at, min_size(PIECE, (size_t)(a->n_bytes - at)));
        mapping_release(&s->file);
    }
    hasher_finish(h, out);
    return GENAIR_OK;
}

/* Arrays follow each other with less than ALIGN zeros between them, up to the table. */
static genair_code check_arrays(const struct store *s, genair_status *st) {
    const unsigned char *p = s->file.data;
    const uint64_t table = s->file.size - TAIL - s->n_arrays * ENTRY;
    uint64_t end = HEAD;
    for (size_t i = 0; i <= s->n_arrays; i++) {
        const struct array *a = &s->arrays[i];
        const uint64_t from = i < s->n_arrays ? a->offset : table;
        if (from > table || from < end || from - end >= ALIGN || from % ALIGN != 0 ||
            !all_zero(p + end, (size_t)(from - end)))
            return store_damaged(s, st, "its table of arrays is damaged");
        if (i == s->n_arrays) break;
        if (a->n_bytes > table - from || a->element_bytes == 0 ||
            a->n_bytes % a->element_bytes != 0)
            return store_damaged(s, st, "its table of arrays is damaged");
        char digits[DIGITS + 1];
        const genair_code code = hash_array(s, a, digits, st);
        if (code != GENAIR_OK) return code;
        if (memcmp(digits, a->hash, DIGITS) != 0)
            return store_damaged(s, st, "its content does not match its checksum");
        end = from + a->n_bytes;
    }
    return GENAIR_OK;
}

genair_code store_open(const char *path, const char *kind, const char *command, struct store **out,
                       genair_status *st) {
    if (file_missing(path))
        return fail_line(st, GENAIR_IO, path, 0, "the file is missing; run 'genair %s' first",
                         command);
    struct store *s = mem_zeros(1, sizeof *s);
    if (!s) return fail_memory(st);
    s->command = command;
    s->path = mem_text(path, strlen(path));
    genair_code code = s->path ? mapping_open(path, &s->file, st) : fail_memory(st);
    if (code == GENAIR_OK) code = check_frame(s, kind, st);
    if (code == GENAIR_OK) code = check_arrays(s, st);
    if (code != GENAIR_OK) {
        store_close(s);
        return code;
    }
    *out = s;
    return GENAIR_OK;
}

void store_release(const struct store *s) {
    mapping_release(&s->file);
}

void store_close(struct store *s) {
    if (!s) return;
    mapping_close(&s->file);
    mem_free(s->path);
    mem_free(s);
}

size_t store_count(const struct store *s) {
    return s->n_arrays;
}

struct store_entry store_entry(const struct store *s, size_t i) {
    const struct array *a = &s->arrays[i];
    struct store_entry e = {.n = a->n_bytes / a->element_bytes, .element_bytes = a->element_bytes};
    memcpy(e.name, a->name, STORE_MAX_NAME);
    return e;
}

genair_code store_find(const struct store *s, const char *name, size_t element_bytes,
                       const void **elements, size_t *n, genair_status *st) {
    char padded[STORE_MAX_NAME] = {0};
    memcpy(padded, name, min_size(strlen(name), sizeof padded));
    for (size_t i = 0; i < s->n_arrays; i++) {
        const struct array *a = &s->arrays[i];
        if (memcmp(a->name, padded, sizeof padded) != 0 || a->element_bytes != element_bytes)
            continue;
        *elements = s->file.data + a->offset;
        *n = (size_t)(a->n_bytes / element_bytes);
        return GENAIR_OK;
    }
    return store_damaged(s, st, "an array is missing in it");
}

genair_code store_find_n(const struct store *s, const char *name, size_t element_bytes, size_t n,
                         const void **elements, genair_status *st) {
    size_t found;
    const genair_code code = store_find(s, name, element_bytes, elements, &found, st);
    if (code != GENAIR_OK) return code;
    return found == n ? GENAIR_OK : store_damaged(s, st, "an array in it has the wrong length");
}

const char *store_made_from(const struct store *s) {
    return s->made_from;
}
