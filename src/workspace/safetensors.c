/* SPDX-License-Identifier: Apache-2.0 */
/* The safetensors format, https://github.com/huggingface/safetensors#format:
 *
 *     0          8               8 + n
 *     ┌──────────┬───────────────┬─────────────────────────────┐
 *     │ n        │ header: JSON, │ values, little-endian,      │
 *     │ u64      │ n bytes       │ without gaps, to file's end │
 *     └──────────┴───────────────┴─────────────────────────────┘
 *
 * The header maps a name to {"dtype", "shape", "data_offsets": [begin, end)}, offsets counted from
 * the first value; "__metadata__" maps text to text. */
#include "workspace/safetensors.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/mapping.h"
#include "base/random_file.h"
#include "base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "values are written as they lie in memory");

enum { LENGTH_BYTES = 8, MAX_HEADER = 100 << 20, MAX_DIMS = 8, ALIGNMENT = 8 };
static const char metadata_key[] = "__metadata__";

static const struct {
    const char *name;
    size_t bytes;
} types[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
             {"U16", 2},  {"I16", 2}, {"F16", 2}, {"BF16", 2},    {"U32", 4},
             {"I32", 4},  {"F32", 4}, {"U64", 8}, {"I64", 8},     {"F64", 8}};

struct opened {
    struct random_file file;
    struct mapping mapping; /* {0} when it was not asked for */
    json_t *header;         /* owns the names, types and metadata */
};

static genair_code tensor_wrong(const struct opened *o, const char *name, const char *what,
                                genair_status *st) {
    return fail_offset(st, GENAIR_FORMAT, o->file.path, LENGTH_BYTES,
                       "tensor \"%.100s\": %s; the file is damaged: make it again", name, what);
}

static bool type_bytes(const char *name, size_t *out) {
    for (size_t i = 0; i < COUNT(types); i++) {
        if (strcmp(name, types[i].name) != 0) continue;
        *out = types[i].bytes;
        return true;
    }
    return false;
}

static bool json_size(const json_t *v, size_t *out) {
    if (!json_is_integer(v) || json_integer_value(v) < 0) return false;
    *out = (size_t)json_integer_value(v);
    return true;
}

/* Fills *t from one entry; the values begin at data in the file. */
static genair_code read_tensor(const struct opened *o, const char *name, const json_t *entry,
                               uint64_t data, struct safetensor *t, genair_status *st) {
    const json_t *shape = json_object_get(entry, "shape"),
                 *offsets = json_object_get(entry, "data_offsets");
    size_t value_bytes, bytes, begin, end;
    *t = (struct safetensor){
        .name = name, .type = json_string_value(json_object_get(entry, "dtype")), .n_values = 1};
    if (!t->type) return tensor_wrong(o, name, "it has no \"dtype\"", st);
    if (!type_bytes(t->type, &value_bytes))
        return tensor_wrong(o, name, "its \"dtype\" is none of the format's", st);
    if (!json_is_array(shape) || json_array_size(shape) > MAX_DIMS)
        return tensor_wrong(o, name, "its \"shape\" is not a list of at most 8 sizes", st);
    t->n_dims = json_array_size(shape);
    for (size_t i = 0; i < t->n_dims; i++)
        if (!json_size(json_array_get(shape, i), &t->shape[i]) ||
            !mul_size(t->n_values, t->shape[i], &t->n_values))
            return tensor_wrong(o, name,
                                "its \"shape\" has an entry that is no size, or is too large", st);
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !json_size(json_array_get(offsets, 0), &begin) ||
        !json_size(json_array_get(offsets, 1), &end) || begin > end)
        return tensor_wrong(o, name, "its \"data_offsets\" are not a begin and an end", st);
    if (end > o->file.size - data)
        return tensor_wrong(o, name, "its \"data_offsets\" reach past the end of the file", st);
    if (!mul_size(t->n_values, value_bytes, &bytes) || bytes != end - begin)
        return tensor_wrong(
            o, name, "its \"shape\" and \"data_offsets\" disagree on the number of bytes", st);
    t->offset = data + begin;
    t->n_bytes = bytes;
    return GENAIR_OK;
}

static genair_code read_metadata(struct safetensors *f, const struct opened *o, json_t *entries,
                                 genair_status *st) {
    const char *key;
    json_t *value;
    const size_t n = json_object_size(entries);
    f->metadata_keys = mem_zeros(n, sizeof *f->metadata_keys);
    f->metadata_values = mem_zeros(n, sizeof *f->metadata_values);
    if (!f->metadata_keys || !f->metadata_values) return fail_memory(st);
    json_object_foreach(entries, key, value) {
        if (!json_is_string(value))
            return fail_offset(st, GENAIR_FORMAT, o->file.path, LENGTH_BYTES,
                               "\"__metadata__\" holds something else than text under \"%.100s\"",
                               key);
        f->metadata_keys[f->n_metadata] = key;
        f->metadata_values[f->n_metadata++] = json_string_value(value);
    }
    return GENAIR_OK;
}

/* By place in the file; among those that begin together, empty ones first. */
static int by_place(const void *a, const void *b) {
    const struct safetensor *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    if (!x->n_values != !y->n_values) return x->n_values ? 1 : -1;
    return strcmp(x->name, y->name);
}

/* The tensors cover the bytes after the header exactly: no overlap, no gap, nothing behind. */
static genair_code check_cover(const struct safetensors *f, const struct opened *o, uint64_t data,
                               genair_status *st) {
    uint64_t expected = data;
    for (size_t i = 0; i < f->n; i++) {
        if (f->tensors[i].offset < expected)
            return tensor_wrong(o, f->tensors[i].name, "it shares bytes with another", st);
        if (f->tensors[i].offset > expected)
            return tensor_wrong(o, f->tensors[i].name, "unused bytes stand before it", st);
        expected += f->tensors[i].n_bytes;
    }
    if (expected != o->file.size)
        return fail_offset(st, GENAIR_FORMAT, o->file.path, (int64_t)expected,
                           "%" PRIu64
                           " bytes after the last tensor; the file is damaged: make it again",
                           o->file.size - expected);
    return GENAIR_OK;
}

/* *n: bytes of the header's text. */
static genair_code read_length(const struct opened *o, size_t *n, genair_status *st) {
    const struct random_file *file = &o->file;
    unsigned char bytes[LENGTH_BYTES];
    if (file->size < LENGTH_BYTES)
        return fail_offset(st, GENAIR_FORMAT, file->path, (int64_t)file->size,
                           "not a safetensors file: it has %" PRIu64 " bytes", file->size);
    const genair_code code = random_file_read(file, 0, bytes, sizeof bytes, st);
    if (code != GENAIR_OK) return code;
    const uint64_t length = bytes_u64(bytes);
    if (length > file->size - LENGTH_BYTES || length > MAX_HEADER)
        return fail_offset(st, GENAIR_FORMAT, file->path, 0,
                           "not a safetensors file, or cut: a header of %" PRIu64
                           " bytes, but %" PRIu64 " follow",
                           length, file->size - LENGTH_BYTES);
    *n = (size_t)length;
    return GENAIR_OK;
}

static genair_code parse_header(struct opened *o, const char *text, size_t n, genair_status *st) {
    if (!n || text[0] != '{')
        return fail_offset(st, GENAIR_FORMAT, o->file.path, LENGTH_BYTES,
                           "not a safetensors file: its header is no JSON object");
    json_error_t error;
    const genair_code code = json_read((struct text){text, n}, JSON_REJECT_DUPLICATES, &o->header, &error, st);
    if (code == GENAIR_FORMAT)
        return fail_offset(st, GENAIR_FORMAT, o->file.path, LENGTH_BYTES + error.position,
                           "the safetensors header is wrong: %s", error.text);
    return code;
}

static genair_code read_header(struct opened *o, size_t *n, genair_status *st) {
    genair_code code = read_length(o, n, st);
    if (code != GENAIR_OK) return code;
    char *text = mem_array(*n, 1);
    code = text ? random_file_read(&o->file, LENGTH_BYTES, text, *n, st) : fail_memory(st);
    if (code == GENAIR_OK) code = parse_header(o, text, *n, st);
    mem_free(text);
    return code;
}

static genair_code read_all(struct safetensors *f, struct opened *o, genair_status *st) {
    size_t n_header;
    genair_code code = read_header(o, &n_header, st);
    if (code != GENAIR_OK) return code;
    const uint64_t data = LENGTH_BYTES + n_header;
    f->tensors = mem_zeros(json_object_size(o->header), sizeof *f->tensors);
    if (!f->tensors) return fail_memory(st);
    const char *name;
    json_t *entry;
    json_object_foreach(o->header, name, entry) {
        if (!json_is_object(entry)) return tensor_wrong(o, name, "its entry is no JSON object", st);
        code = strcmp(name, metadata_key) == 0
                   ? read_metadata(f, o, entry, st)
                   : read_tensor(o, name, entry, data, &f->tensors[f->n++], st);
        if (code != GENAIR_OK) return code;
    }
    qsort(f->tensors, f->n, sizeof *f->tensors, by_place);
    return check_cover(f, o, data, st);
}

genair_code safetensors_open_unmapped(const char *path, struct safetensors **out,
                                      genair_status *st) {
    struct safetensors *f = mem_zeros(1, sizeof *f);
    struct opened *o = mem_zeros(1, sizeof *o);
    genair_code code = f && o ? random_file_open(path, &o->file, st) : fail_memory(st);
    if (code != GENAIR_OK) {
        mem_free(o);
        mem_free(f);
        return code;
    }
    f->private_ = o;
    code = read_all(f, o, st);
    if (code == GENAIR_OK)
        *out = f;
    else
        safetensors_close(f);
    return code;
}

genair_code safetensors_open(const char *path, struct safetensors **out, genair_status *st) {
    struct safetensors *f = NULL;
    genair_code code = safetensors_open_unmapped(path, &f, st);
    if (code != GENAIR_OK) return code;
    struct opened *o = f->private_;
    code = mapping_open(path, &o->mapping, st);
    if (code == GENAIR_OK && o->mapping.size != o->file.size)
        code = fail_line(st, GENAIR_IO, path, 0, "another process is writing it: try again");
    for (size_t i = 0; code == GENAIR_OK && i < f->n; i++)
        f->tensors[i].data = o->mapping.data + f->tensors[i].offset;
    if (code == GENAIR_OK)
        *out = f;
    else
        safetensors_close(f);
    return code;
}

genair_code safetensors_read(const struct safetensors *f, uint64_t offset, void *out, size_t size,
                             genair_status *st) {
    const struct opened *o = f->private_;
    return random_file_read(&o->file, offset, out, size, st);
}

void safetensors_close(struct safetensors *f) {
    if (!f) return;
    struct opened *o = f->private_;
    json_decref(o->header);
    mapping_close(&o->mapping);
    random_file_close(&o->file);
    mem_free(o);
    mem_free(f->tensors);
    mem_free(f->metadata_keys);
    mem_free(f->metadata_values);
    mem_free(f);
}

const struct safetensor *safetensors_find(const struct safetensors *f, const char *name) {
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->tensors[i].name, name) == 0) return &f->tensors[i];
    return NULL;
}

const char *safetensors_metadata(const struct safetensors *f, const char *key) {
    for (size_t i = 0; i < f->n_metadata; i++)
        if (strcmp(f->metadata_keys[i], key) == 0) return f->metadata_values[i];
    return "";
}

/* ---- writing ---- */

struct safetensor safetensor_f32(const char *name, size_t rows, size_t cols, const float *data) {
    return (struct safetensor){.name = name, .type = "F32", .n_dims = 2, .shape = {rows, cols}, .n_values = rows * cols,
                               .data = (const unsigned char *)data};
}

static const char *type_of(const struct safetensor *t) {
    return t->type ? t->type : "F32";
}

static json_t *tensor_entry(const struct safetensor *t, size_t begin, size_t end) {
    json_t *shape = json_array();
    bool ok = shape != NULL;
    for (size_t i = 0; i < t->n_dims; i++)
        ok = ok && json_array_append_new(shape, json_integer((json_int_t)t->shape[i])) == 0;
    if (!ok) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_of(t), "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)end);
}

/* Number of bytes of the values; false when it does not fit. */
static bool value_bytes(const struct safetensor *t, size_t *out) {
    size_t bytes;
    if (!type_bytes(type_of(t), &bytes)) return false;
    for (size_t i = 0; i < t->n_dims; i++)
        if (!mul_size(bytes, t->shape[i], &bytes)) return false;
    *out = bytes;
    return true;
}

static genair_code build_header(size_t n, const struct safetensor *tensors, size_t n_metadata,
                                const char *const *keys, const char *const *values, json_t *header,
                                genair_status *st) {
    bool ok = true;
    if (n_metadata) {
        json_t *metadata = json_object();
        ok = json_object_set_new(header, metadata_key, metadata) == 0;
        for (size_t i = 0; i < n_metadata; i++)
            ok = ok && json_object_set_new(metadata, keys[i], json_string(values[i])) == 0;
    }
    size_t at = 0, bytes, end;
    for (size_t i = 0; i < n && ok; i++) {
        if (json_object_get(header, tensors[i].name))
            return fail(st, GENAIR_INTERNAL, "two tensors are named \"%s\"", tensors[i].name);
        if (!value_bytes(&tensors[i], &bytes) || !add_size(at, bytes, &end)) return fail_memory(st);
        ok = json_object_set_new(header, tensors[i].name, tensor_entry(&tensors[i], at, end)) == 0;
        at = end;
    }
    return ok ? GENAIR_OK : fail_memory(st);
}

static genair_code put_header(struct writer *w, const char *text, genair_status *st) {
    const size_t n = strlen(text), padded = (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    unsigned char length[LENGTH_BYTES];
    bytes_put_u64(length, padded);
    genair_code code = writer_put(w, length, sizeof length, st);
    if (code == GENAIR_OK) code = writer_put(w, text, n, st);
    if (code == GENAIR_OK) code = writer_put(w, "        ", padded - n, st);
    return code;
}

genair_code safetensors_begin(const char *path, size_t n, const struct safetensor *tensors,
                              size_t n_metadata, const char *const *keys, const char *const *values,
                              struct writer **out, genair_status *st) {
    struct writer *w = NULL;
    char *text = NULL;
    json_t *header = json_object();
    genair_code code =
        header ? build_header(n, tensors, n_metadata, keys, values, header, st) : fail_memory(st);
    if (code == GENAIR_OK && !(text = json_text(header, JSON_COMPACT))) code = fail_memory(st);
    if (code == GENAIR_OK) code = writer_open(path, &w, st);
    if (code == GENAIR_OK) code = put_header(w, text, st);
    if (code == GENAIR_OK)
        *out = w;
    else
        writer_abandon(w);
    free(text); /* jansson's */
    json_decref(header);
    return code;
}

genair_code safetensors_write(const char *path, size_t n, const struct safetensor *tensors,
                              size_t n_metadata, const char *const *keys, const char *const *values,
                              genair_status *st) {
    struct writer *w = NULL;
    genair_code code = safetensors_begin(path, n, tensors, n_metadata, keys, values, &w, st);
    for (size_t i = 0; i < n && code == GENAIR_OK; i++) {
        size_t bytes = 0;
        if (value_bytes(&tensors[i], &bytes)) code = writer_put(w, tensors[i].data, bytes, st);
    }
    if (code == GENAIR_OK) return writer_commit(w, st);
    writer_abandon(w);
    return code;
}
