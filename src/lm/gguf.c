/* SPDX-License-Identifier: Apache-2.0 */
/* The GGUF format, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3;
 * little-endian:
 *
 *     "GGUF"  u32 version  u64 n_tensors  u64 n_values
 *     n_values times   text key, u32 type, value     text: u64 length, bytes
 *                                                    array: u32 type of elements, u64 n, elements
 *     n_tensors times  text name, u32 n_dims, u64 dims[n_dims], u32 type, u64 offset
 *     padding to the next multiple of the alignment (general.alignment, else 32)
 *     data; tensor offsets count from here; at most padding behind the last
 *
 * The header is read in growing pieces, since only reading tells where it ends; vocabularies make
 * it 2 to 20 MB. Arrays of arrays, which the format allows, are in no model and refused. */
#include "lm/gguf.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/map.h"
#include "base/random_file.h"
#include "base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_BYTES = 1 << 20,
    MAX_HEADER = 1 << 30,
    DEFAULT_ALIGNMENT = 32,
    MAX_DIMS = 4,
    MIN_VALUE_BYTES = 8 + 4 + 1, /* of an entry with an empty key */
    MIN_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8,
};

static const struct {
    const char *name;
    size_t bytes; /* 0: not fixed */
} types[] = {
    [GGUF_U8] = {"u8", 1},       [GGUF_I8] = {"i8", 1},     [GGUF_U16] = {"u16", 2},
    [GGUF_I16] = {"i16", 2},     [GGUF_U32] = {"u32", 4},   [GGUF_I32] = {"i32", 4},
    [GGUF_F32] = {"f32", 4},     [GGUF_BOOL] = {"bool", 1}, [GGUF_STRING] = {"string", 0},
    [GGUF_ARRAY] = {"array", 0}, [GGUF_U64] = {"u64", 8},   [GGUF_I64] = {"i64", 8},
    [GGUF_F64] = {"f64", 8},
};
static_assert(COUNT(types) == N_GGUF_TYPES, "one row for each type");

const char *gguf_type_name(enum gguf_type type) {
    return types[type].name;
}

struct opened {
    struct gguf g;
    struct random_file file;
    unsigned char *header; /* the file's first n_header bytes */
    size_t n_header;
    struct gguf_value *values;
    size_t values_capacity;
    struct gguf_tensor *tensors;
    size_t tensors_capacity;
    struct map *keys, *names; /* of values, of tensors: numbered in file order */
};

/* ---- reading on through the header ---- */

struct cursor {
    struct opened *o;
    genair_status *st;
    size_t at; /* in the file, and in its header in memory */
};

#define DAMAGED "; the file is damaged: copy or download it again"

static genair_code cut(const struct cursor *c, const char *what) {
    return fail_offset(
        c->st, GENAIR_FORMAT, c->o->file.path, (int64_t)c->at,
        "the file ends inside %s: it is cut, or a length in it is wrong; copy or download it again",
        what);
}

/* Keys and names point into the header in memory, which has a new place. */
static void move_header(struct opened *o, unsigned char *to) {
    const char *from = (const char *)o->header;
    for (size_t i = 0; i < o->g.n_values; i++) {
        o->values[i].key.p = (const char *)to + (o->values[i].key.p - from);
        o->values[i].at = to + (o->values[i].at - o->header);
    }
    for (size_t i = 0; i < o->g.n_tensors; i++)
        o->tensors[i].name.p = (const char *)to + (o->tensors[i].name.p - from);
    mem_free(o->header);
    o->header = to;
}

/* Makes the next n bytes readable at o->header + at. */
static genair_code need(struct cursor *c, uint64_t n, const char *what) {
    struct opened *o = c->o;
    if (n > o->file.size - c->at) return cut(c, what);
    const size_t end = c->at + (size_t)n;
    if (end <= o->n_header) return GENAIR_OK;
    if (end > MAX_HEADER)
        return fail_offset(c->st, GENAIR_FORMAT, o->file.path, (int64_t)c->at,
                           "%s would make the header larger than 1 GiB" DAMAGED, what);
    const size_t size = (size_t)(o->file.size < MAX_HEADER ? o->file.size : MAX_HEADER),
                 wanted = min_size(max_size(end, max_size(2 * o->n_header, FIRST_BYTES)), size);
    unsigned char *grown = mem_array(wanted, 1);
    if (!grown) return fail_memory(c->st);
    if (o->n_header) memcpy(grown, o->header, o->n_header);
    const genair_code code =
        random_file_read(&o->file, o->n_header, grown + o->n_header, wanted - o->n_header, c->st);
    if (code != GENAIR_OK) {
        mem_free(grown);
        return code;
    }
    move_header(o, grown);
    o->n_header = wanted;
    return GENAIR_OK;
}

static genair_code take_u32(struct cursor *c, const char *what, uint32_t *out) {
    const genair_code code = need(c, 4, what);
    if (code != GENAIR_OK) return code;
    *out = bytes_u32(c->o->header + c->at);
    c->at += 4;
    return GENAIR_OK;
}

static genair_code take_u64(struct cursor *c, const char *what, uint64_t *out) {
    const genair_code code = need(c, 8, what);
    if (code != GENAIR_OK) return code;
    *out = bytes_u64(c->o->header + c->at);
    c->at += 8;
    return GENAIR_OK;
}

/* Borrowed until the header moves. */
static genair_code take_text(struct cursor *c, const char *what, struct text *out) {
    uint64_t n;
    genair_code code = take_u64(c, what, &n);
    if (code == GENAIR_OK) code = need(c, n, what);
    if (code != GENAIR_OK) return code;
    *out = (struct text){(const char *)c->o->header + c->at, (size_t)n};
    c->at += (size_t)n;
    return GENAIR_OK;
}

/* ---- values ---- */

static genair_code skip_texts(struct cursor *c, uint64_t n, const char *what) {
    struct text t;
    genair_code code = GENAIR_OK;
    for (uint64_t i = 0; i < n && code == GENAIR_OK; i++)
        code = take_text(c, what, &t);
    return code;
}

static genair_code take_type(struct cursor *c, const char *key, enum gguf_type *out) {
    uint32_t number;
    const genair_code code = take_u32(c, "the type of a value", &number);
    if (code != GENAIR_OK) return code;
    if (number >= N_GGUF_TYPES)
        return fail_offset(c->st, GENAIR_FORMAT, c->o->file.path, (int64_t)c->at - 4,
                           "the value of \"%s\" has type %" PRIu32
                           ", the format has types 0 to %d" DAMAGED,
                           key, number, N_GGUF_TYPES - 1);
    *out = (enum gguf_type)number;
    return GENAIR_OK;
}

static genair_code skip_elements(struct cursor *c, const struct gguf_value *v, const char *key) {
    size_t bytes;
    char what[TEXT_EXCERPT + 32];
    snprintf(what, sizeof what, "the value of \"%s\"", key);
    if (v->type == GGUF_STRING) return skip_texts(c, v->n, what);
    if (!mul_size((size_t)v->n, types[v->type].bytes, &bytes)) return cut(c, what);
    const genair_code code = need(c, bytes, what);
    if (code == GENAIR_OK) c->at += bytes;
    return code;
}

static genair_code read_value(struct cursor *c, struct gguf_value *v) {
    struct opened *o = c->o;
    const int64_t offset = (int64_t)c->at;
    char key[TEXT_EXCERPT];
    uint32_t number;
    text_excerpt(v->key, key);
    genair_code code = map_add(o->keys, v->key, &number, c->st);
    if (code == GENAIR_OK && number + 1 != o->g.n_values)
        code = fail_offset(c->st, GENAIR_FORMAT, o->file.path, offset,
                           "the key \"%s\" stands in the header twice" DAMAGED, key);
    if (code == GENAIR_OK) code = take_type(c, key, &v->type);
    if (code != GENAIR_OK) return code;
    v->n = 1;
    v->is_array = v->type == GGUF_ARRAY;
    if (v->is_array) {
        code = take_type(c, key, &v->type);
        if (code == GENAIR_OK) code = take_u64(c, "the length of an array", &v->n);
        if (code != GENAIR_OK) return code;
        if (v->type == GGUF_ARRAY)
            return fail_offset(c->st, GENAIR_FORMAT, o->file.path, offset,
                               "\"%s\" is an array of arrays, which no known model has", key);
    }
    v->offset = (int64_t)c->at;
    code = skip_elements(c, v, key);
    v->at = o->header + v->offset; /* only now: the header may have moved */
    return code;
}

static genair_code read_values(struct cursor *c, uint64_t n) {
    struct opened *o = c->o;
    genair_code code = GENAIR_OK;
    for (uint64_t i = 0; i < n && code == GENAIR_OK; i++) {
        struct text key;
        if (!mem_grow(&o->values, &o->values_capacity, o->g.n_values + 1, sizeof *o->values))
            return fail_memory(c->st);
        code = take_text(c, "a key", &key);
        if (code != GENAIR_OK) break;
        struct gguf_value *v = &o->values[o->g.n_values++]; /* its key moves with the header */
        *v = (struct gguf_value){.key = key, .at = o->header};
        code = read_value(c, v);
    }
    o->g.values = o->values;
    return code;
}

/* ---- tensors ---- */

static genair_code tensor_wrong(const struct cursor *c, const struct gguf_tensor *t,
                                const char *format, ...) PRINTF(3, 4);

static genair_code tensor_wrong(const struct cursor *c, const struct gguf_tensor *t,
                                const char *format, ...) {
    char name[TEXT_EXCERPT], what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    text_excerpt(t->name, name);
    return fail_offset(c->st, GENAIR_FORMAT, c->o->file.path, (int64_t)c->at,
                       "tensor \"%s\" %s" DAMAGED, name, what);
}

static genair_code read_dims(struct cursor *c, struct gguf_tensor *t) {
    uint32_t n;
    genair_code code = take_u32(c, "the list of tensors", &n);
    if (code != GENAIR_OK) return code;
    if (n < 1 || n > MAX_DIMS)
        return tensor_wrong(c, t, "has %" PRIu32 " dimensions, not 1 to %d", n, MAX_DIMS);
    t->n_dims = n;
    for (size_t i = 0; i < MAX_DIMS; i++) {
        uint64_t dim = 1;
        if (i < n) code = take_u64(c, "the list of tensors", &dim);
        if (code != GENAIR_OK) return code;
        if (!dim || dim > INT64_MAX) return tensor_wrong(c, t, "has a dimension of %" PRIu64, dim);
        t->dims[i] = (size_t)dim;
    }
    return GENAIR_OK;
}

static genair_code type_unknown(const struct cursor *c, const struct gguf_tensor *t,
                                uint32_t number) {
    char known[160] = "", name[TEXT_EXCERPT];
    for (size_t i = 0, n = 0; i < N_LM_TYPES && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, i ? ", %s" : "%s", lm_types[i].name);
    text_excerpt(t->name, name);
    return fail_offset(c->st, GENAIR_FORMAT, c->o->file.path, (int64_t)c->at - 4,
                       "tensor \"%s\" has type %" PRIu32 ", which is not known here; known are %s",
                       name, number, known);
}

/* The type, with it the number of bytes. */
static genair_code read_type(struct cursor *c, struct gguf_tensor *t) {
    uint32_t number;
    size_t bytes;
    const genair_code code = take_u32(c, "the list of tensors", &number);
    if (code != GENAIR_OK) return code;
    if (!lm_type_of_gguf(number, &t->type)) return type_unknown(c, t, number);
    if (t->dims[0] % lm_types[t->type].block_values)
        return tensor_wrong(c, t, "has rows of %zu values, a block of %s has %zu", t->dims[0],
                            lm_types[t->type].name, lm_types[t->type].block_values);
    bool fits = lm_row_bytes(t->type, t->dims[0], &bytes);
    for (size_t i = 1; i < MAX_DIMS; i++)
        fits = fits && mul_size(bytes, t->dims[i], &bytes);
    if (!fits || bytes > c->o->file.size)
        return tensor_wrong(c, t, "has more values than the file has room for");
    t->n_bytes = bytes;
    return GENAIR_OK;
}

static genair_code read_tensor(struct cursor *c, struct gguf_tensor *t) {
    uint32_t number;
    genair_code code = map_add(c->o->names, t->name, &number, c->st);
    if (code == GENAIR_OK && number + 1 != c->o->g.n_tensors)
        code = tensor_wrong(c, t, "stands in the header twice");
    if (code == GENAIR_OK) code = read_dims(c, t);
    if (code == GENAIR_OK) code = read_type(c, t);
    if (code == GENAIR_OK) code = take_u64(c, "the list of tensors", &t->offset);
    return code;
}

static genair_code read_tensors(struct cursor *c, uint64_t n) {
    struct opened *o = c->o;
    genair_code code = GENAIR_OK;
    for (uint64_t i = 0; i < n && code == GENAIR_OK; i++) {
        struct text name;
        if (!mem_grow(&o->tensors, &o->tensors_capacity, o->g.n_tensors + 1, sizeof *o->tensors))
            return fail_memory(c->st);
        code = take_text(c, "the list of tensors", &name);
        if (code != GENAIR_OK) break;
        o->tensors[o->g.n_tensors++] = (struct gguf_tensor){.name = name};
        code = read_tensor(c, &o->tensors[o->g.n_tensors - 1]);
    }
    o->g.tensors = o->tensors;
    return code;
}

static int by_place(const void *a, const void *b) {
    const struct gguf_tensor *const *x = a, *const *y = b;
    if ((*x)->offset != (*y)->offset) return (*x)->offset < (*y)->offset ? -1 : 1;
    return *x < *y ? -1 : *x > *y;
}

static genair_code check_overlap(const struct cursor *c) {
    const struct gguf *g = &c->o->g;
    const struct gguf_tensor **sorted = mem_array(g->n_tensors, sizeof *sorted);
    if (!sorted) return fail_memory(c->st);
    for (size_t i = 0; i < g->n_tensors; i++)
        sorted[i] = &g->tensors[i];
    qsort(sorted, g->n_tensors, sizeof *sorted, by_place);
    genair_code code = GENAIR_OK;
    for (size_t i = 1; i < g->n_tensors && code == GENAIR_OK; i++)
        if (sorted[i]->offset < sorted[i - 1]->offset + sorted[i - 1]->n_bytes)
            code = tensor_wrong(c, sorted[i], "shares bytes with another");
    mem_free(sorted);
    return code;
}

/* Its offset becomes a place in the file, whose data begin at begin. */
static genair_code place_tensor(const struct cursor *c, struct gguf_tensor *t, uint64_t alignment,
                                uint64_t begin) {
    const uint64_t size = c->o->file.size;
    if (t->offset % alignment)
        return tensor_wrong(c, t, "begins at %" PRIu64 ", no multiple of the alignment %" PRIu64,
                            t->offset, alignment);
    if (begin > size || t->offset > size - begin || t->n_bytes > size - begin - t->offset)
        return tensor_wrong(c, t,
                            "reaches past the end of the file: %" PRIu64 " bytes from %" PRIu64
                            " on, the file has %" PRIu64,
                            t->n_bytes, t->offset, size);
    t->offset += begin;
    return GENAIR_OK;
}

static uint64_t round_up(uint64_t n, uint64_t alignment) {
    return (n + alignment - 1) / alignment * alignment;
}

/* c stands behind the list of tensors. */
static genair_code place_tensors(const struct cursor *c) {
    struct opened *o = c->o;
    uint64_t alignment = DEFAULT_ALIGNMENT;
    genair_code code = gguf_u64(&o->g, "general.alignment", false, &alignment, c->st);
    if (code != GENAIR_OK) return code;
    if (!alignment || alignment & (alignment - 1) || alignment > UINT32_MAX)
        return fail_offset(
            c->st, GENAIR_FORMAT, o->file.path, gguf_find(&o->g, "general.alignment")->offset,
            "\"general.alignment\" is %" PRIu64 ", not a power of two" DAMAGED, alignment);
    const uint64_t begin = round_up(c->at, alignment);
    uint64_t end = begin;
    for (size_t i = 0; i < o->g.n_tensors && code == GENAIR_OK; i++) {
        const struct gguf_tensor *t = &o->tensors[i];
        code = place_tensor(c, &o->tensors[i], alignment, begin);
        if (t->offset + t->n_bytes > end) end = t->offset + t->n_bytes;
    }
    if (code != GENAIR_OK) return code;
    end = round_up(end, alignment);
    if (o->file.size > end)
        return fail_offset(c->st, GENAIR_FORMAT, o->file.path, (int64_t)end,
                           "%" PRIu64 " bytes after the last tensor" DAMAGED, o->file.size - end);
    return check_overlap(c);
}

/* ---- the whole header ---- */

static genair_code check_magic(const struct cursor *c) {
    char begin[TEXT_EXCERPT];
    if (memcmp(c->o->header, "GGUF", 4) == 0) return GENAIR_OK;
    text_excerpt((struct text){(const char *)c->o->header, 4}, begin);
    return fail_offset(c->st, GENAIR_FORMAT, c->o->file.path, 0,
                       "not a GGUF file: it begins with \"%s\"", begin);
}

static genair_code check_version(const struct cursor *c) {
    const uint32_t version = c->o->g.version, swapped = __builtin_bswap32(version);
    const char *path = c->o->file.path;
    if (version == 2 || version == 3) return GENAIR_OK;
    if (swapped == 2 || swapped == 3)
        return fail_offset(c->st, GENAIR_FORMAT, path, 4,
                           "a big-endian GGUF file; only little-endian ones are read: convert it");
    return fail_offset(c->st, GENAIR_FORMAT, path, 4,
                       "GGUF version %" PRIu32 ", known are 2 and 3: convert the model again",
                       version);
}

/* A count that the rest of the file has no room for. */
static genair_code check_count(const struct cursor *c, uint64_t n, size_t min_bytes,
                               const char *what) {
    if (n <= (c->o->file.size - c->at) / min_bytes) return GENAIR_OK;
    return fail_offset(
        c->st, GENAIR_FORMAT, c->o->file.path, (int64_t)c->at,
        "the header announces %" PRIu64 " %s, more than the file has room for" DAMAGED, n, what);
}

static genair_code read_header(struct cursor *c) {
    uint64_t n_tensors = 0, n_values = 0;
    genair_code code = need(c, 4, "its first four bytes");
    if (code == GENAIR_OK) code = check_magic(c);
    c->at = 4;
    if (code == GENAIR_OK) code = take_u32(c, "its version", &c->o->g.version);
    if (code == GENAIR_OK) code = check_version(c);
    if (code == GENAIR_OK) code = take_u64(c, "the number of tensors", &n_tensors);
    if (code == GENAIR_OK) code = take_u64(c, "the number of keys", &n_values);
    if (code == GENAIR_OK) code = check_count(c, n_tensors, MIN_TENSOR_BYTES, "tensors");
    if (code == GENAIR_OK) code = check_count(c, n_values, MIN_VALUE_BYTES, "keys");
    if (code == GENAIR_OK) code = read_values(c, n_values);
    if (code == GENAIR_OK) code = read_tensors(c, n_tensors);
    if (code == GENAIR_OK) code = place_tensors(c);
    return code;
}

genair_code gguf_open(const char *path, struct gguf **out, genair_status *st) {
    struct opened *o = mem_zeros(1, sizeof *o);
    if (!o) return fail_memory(st);
    o->g.private_ = o;
    o->keys = map_create();
    o->names = map_create();
    struct cursor c = {o, st, 0};
    genair_code code = o->keys && o->names ? random_file_open(path, &o->file, st) : fail_memory(st);
    o->g.path = o->file.path;
    o->g.file_bytes = o->file.size;
    if (code == GENAIR_OK) code = read_header(&c);
    if (code == GENAIR_OK)
        *out = &o->g;
    else
        gguf_close(&o->g);
    return code;
}

void gguf_close(struct gguf *g) {
    if (!g) return;
    struct opened *o = g->private_;
    random_file_close(&o->file);
    map_free(o->keys);
    map_free(o->names);
    mem_free(o->values);
    mem_free(o->tensors);
    mem_free(o->header);
    mem_free(o);
}

const struct gguf_value *gguf_find(const struct gguf *g, const char *key) {
    const struct opened *o = g->private_;
    uint32_t number;
    return map_find(o->keys, text_of(key), &number) ? &g->values[number] : NULL;
}

const struct gguf_tensor *gguf_tensor(const struct gguf *g, const char *name) {
    const struct opened *o = g->private_;
    uint32_t number;
    return map_find(o->names, text_of(name), &number) ? &g->tensors[number] : NULL;
}

genair_code gguf_read(const struct gguf *g, uint64_t offset, void *out, size_t size,
                      genair_status *st) {
    const struct opened *o = g->private_;
    return random_file_read(&o->file, offset, out, size, st);
}
