/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's array file, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html:
 *
 *     0  6       8           10 or 12                 multiple of 64
 *     ┌──────────┬───────────┬───────────────────────┬──────────────┐
 *     │ \x93NUMPY│ version   │ header length, header │ values       │
 *     │ 6 bytes  │ 2 bytes   │ u16 (v1) or u32 (v2,3)│ to file's end│
 *     └──────────┴───────────┴───────────────────────┴──────────────┘
 *
 * The header is a Python dictionary with exactly the keys descr, fortran_order and shape. It is
 * parsed, never evaluated: whatever is not such a dictionary is refused with the offset of the
 * first wrong byte. */
#include "workspace/npy.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/mapping.h"
#include "base/size.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "values are written as they lie in memory");

enum { MAGIC_BYTES = 6, MAX_HEADER = 1 << 20 };
static const unsigned char magic[MAGIC_BYTES] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

static const struct {
    char kind;
    size_t bytes;
    const char *name;
} types[] = {
    [NPY_F2] = {'f', 2, "f2"}, [NPY_F4] = {'f', 4, "f4"}, [NPY_F8] = {'f', 8, "f8"},
    [NPY_I4] = {'i', 4, "i4"}, [NPY_I8] = {'i', 8, "i8"}, [NPY_U1] = {'u', 1, "u1"},
};

/* ---- the header's dictionary ---- */

struct cursor {
    const char *path;
    const unsigned char *start; /* of the file */
    const unsigned char *p, *end;
    genair_status *st;
};

static genair_code wrong(const struct cursor *c, const char *expected) {
    return fail_offset(c->st, GENAIR_FORMAT, c->path, c->p - c->start,
                       "the .npy header is not the dictionary that NumPy writes: expected %s",
                       expected);
}

static void skip_space(struct cursor *c) {
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t' || *c->p == '\r'))
        c->p++;
}

static bool take(struct cursor *c, char wanted) {
    skip_space(c);
    if (c->p == c->end || *c->p != (unsigned char)wanted) return false;
    c->p++;
    return true;
}

/* 'text' or "text" without escapes, which neither keys nor type names have. */
static genair_code take_string(struct cursor *c, struct text *out) {
    skip_space(c);
    if (c->p == c->end || (*c->p != '\'' && *c->p != '"')) return wrong(c, "a quoted word");
    const unsigned char quote = *c->p++;
    const unsigned char *begin = c->p;
    while (c->p < c->end && *c->p != quote && *c->p != '\\' && *c->p != '\n')
        c->p++;
    if (c->p == c->end || *c->p != quote) return wrong(c, "a closing quote");
    *out = (struct text){(const char *)begin, (size_t)(c->p - begin)};
    c->p++;
    return GENAIR_OK;
}

static genair_code take_word(struct cursor *c, struct text *out) {
    skip_space(c);
    const unsigned char *begin = c->p;
    while (c->p < c->end && ((*c->p >= 'a' && *c->p <= 'z') || (*c->p >= 'A' && *c->p <= 'Z')))
        c->p++;
    *out = (struct text){(const char *)begin, (size_t)(c->p - begin)};
    return GENAIR_OK;
}

static genair_code take_size(struct cursor *c, size_t *out) {
    skip_space(c);
    if (c->p < c->end && *c->p == '-') return wrong(c, "a dimension of 0 or more");
    const unsigned char *begin = c->p;
    size_t value = 0;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
        if (!mul_size(value, 10, &value) || !add_size(value, (size_t)(*c->p - '0'), &value))
            return wrong(c, "a dimension below 2^64");
    if (c->p == begin) return wrong(c, "a dimension");
    if (c->p < c->end && *c->p == 'L') c->p++; /* Python 2 marked its long integers */
    *out = value;
    return GENAIR_OK;
}

/* (), (n,) or (n, m, …) */
static genair_code take_shape(struct cursor *c, struct npy *a) {
    if (!take(c, '(')) return wrong(c, "a shape such as (100, 768)");
    bool comma = true;
    while (!take(c, ')')) {
        if (!comma) return wrong(c, "a comma or ')' in the shape");
        if (a->n_dims == NPY_MAX_DIMS) return wrong(c, "at most 8 dimensions");
        const genair_code code = take_size(c, &a->shape[a->n_dims]);
        if (code != GENAIR_OK) return code;
        a->n_dims++;
        comma = take(c, ',');
    }
    if (a->n_dims == 1 && !comma) return wrong(c, "a comma after the only dimension");
    return GENAIR_OK;
}

static genair_code wrong_type(const struct cursor *c, const unsigned char *at, struct text type) {
    return fail_offset(
        c->st, GENAIR_FORMAT, c->path, at - c->start,
        "values of type %.*s, expected f2, f4, f8, i4, i8 or u1; save the array as "
        "float32: numpy.save(path, array.astype('float32'))",
        (int)min_size(type.n, 40), type.p);
}

static genair_code take_type(struct cursor *c, struct npy *a) {
    skip_space(c);
    const unsigned char *at = c->p;
    struct text t;
    if (c->p < c->end && (*c->p == '[' || *c->p == '(')) { /* [('x', '<f4'), …]: structured */
        const unsigned char *close = memchr(at, *at == '[' ? ']' : ')', (size_t)(c->end - at));
        return wrong_type(c, at, (struct text){(const char *)at, (size_t)((close ? close + 1 : c->end) - at)});
    }
    const genair_code code = take_string(c, &t);
    if (code != GENAIR_OK) return code;
    for (size_t i = 0; i < COUNT(types); i++) {
        if (t.n != 3 || memcmp(t.p + 1, types[i].name, 2) != 0) continue;
        if (t.p[0] != '<' && t.p[0] != '>' && !(t.p[0] == '|' && types[i].bytes == 1)) continue;
        a->type = (enum npy_type)i;
        a->big_endian = t.p[0] == '>';
        return GENAIR_OK;
    }
    return wrong_type(c, at, (struct text){t.p - 1, t.n + 2});
}

static genair_code take_order(struct cursor *c, struct npy *a) {
    struct text t;
    const genair_code code = take_word(c, &t);
    if (code != GENAIR_OK) return code;
    a->fortran_order = text_equal(t, "True");
    return a->fortran_order || text_equal(t, "False") ? GENAIR_OK : wrong(c, "True or False");
}

static genair_code take_entry(struct cursor *c, struct npy *a, unsigned *seen) {
    static const struct {
        const char *key;
        genair_code (*value)(struct cursor *, struct npy *);
    } entries[] = {{"descr", take_type}, {"fortran_order", take_order}, {"shape", take_shape}};
    struct text key;
    const genair_code code = take_string(c, &key);
    if (code != GENAIR_OK) return code;
    for (size_t i = 0; i < COUNT(entries); i++) {
        if (!text_equal(key, entries[i].key)) continue;
        if (*seen & 1u << i) return wrong(c, "each key once");
        *seen |= 1u << i;
        if (!take(c, ':')) return wrong(c, "':' after a key");
        return entries[i].value(c, a);
    }
    return wrong(c, "the keys descr, fortran_order and shape");
}

static genair_code parse_dictionary(struct cursor *c, struct npy *a) {
    unsigned seen = 0;
    bool comma = true;
    if (!take(c, '{')) return wrong(c, "'{'");
    while (!take(c, '}')) {
        if (!comma) return wrong(c, "a comma or '}'");
        const genair_code code = take_entry(c, a, &seen);
        if (code != GENAIR_OK) return code;
        comma = take(c, ',');
    }
    skip_space(c);
    if (c->p != c->end) return wrong(c, "nothing after '}'");
    if (seen != 7) return wrong(c, "the keys descr, fortran_order and shape");
    return GENAIR_OK;
}

/* ---- the file ---- */

static genair_code check_size(struct npy *a, size_t at, size_t size, genair_status *st) {
    size_t n = 1, bytes;
    for (size_t i = 0; i < a->n_dims; i++)
        if (!mul_size(n, a->shape[i], &n))
            return fail_offset(st, GENAIR_FORMAT, a->path, MAGIC_BYTES,
                               "the shape's product does not fit in 64 bits");
    if (!mul_size(n, types[a->type].bytes, &bytes) || bytes != size - at)
        return fail_offset(
            st, GENAIR_FORMAT, a->path, (int64_t)at,
            "%zu bytes of values, but the header's shape needs %zu values of %zu bytes; "
            "the file is cut or damaged: write it again",
            size - at, n, types[a->type].bytes);
    a->n_values = n;
    return GENAIR_OK;
}

static genair_code parse(struct npy *a, const struct mapping *m, genair_status *st) {
    if (m->size < MAGIC_BYTES || memcmp(m->data, magic, MAGIC_BYTES) != 0)
        return fail_offset(st, GENAIR_FORMAT, a->path, 0,
                           "not a NumPy .npy file: it does not begin with \\x93NUMPY");
    const size_t at = MAGIC_BYTES + 2;
    if (m->size < at + 4)
        return fail_offset(st, GENAIR_FORMAT, a->path, (int64_t)m->size, "the .npy header is cut");
    const unsigned version = m->data[MAGIC_BYTES];
    if (version < 1 || version > 3)
        return fail_offset(st, GENAIR_FORMAT, a->path, MAGIC_BYTES,
                           ".npy format version %u, expected 1, 2 or 3", version);
    const unsigned char *p = m->data + at;
    size_t length = (size_t)p[0] | (size_t)p[1] << 8;
    if (version > 1) length |= (size_t)p[2] << 16 | (size_t)p[3] << 24;
    const size_t begin = at + (version > 1 ? 4 : 2);
    if (length > MAX_HEADER || length > m->size - begin)
        return fail_offset(
            st, GENAIR_FORMAT, a->path, (int64_t)at,
            "a .npy header of %zu bytes, but the file has %zu left; it is cut or damaged", length,
            m->size - begin);
    struct cursor c = {a->path, m->data, m->data + begin, m->data + begin + length, st};
    const genair_code code = parse_dictionary(&c, a);
    if (code != GENAIR_OK) return code;
    a->data = m->data + begin + length;
    return check_size(a, begin + length, m->size, st);
}

/* Without values; NULL when memory is out. */
static struct npy *create(const char *path) {
    struct npy *a = mem_zeros(1, sizeof *a);
    if (!a) return NULL;
    a->path = mem_text(path, strlen(path));
    a->private_ = mem_zeros(1, sizeof(struct mapping));
    if (a->path && a->private_) return a;
    npy_close(a);
    return NULL;
}

genair_code npy_open(const char *path, struct npy **out, genair_status *st) {
    struct npy *a = create(path);
    if (!a) return fail_memory(st);
    genair_code code = mapping_open(path, a->private_, st);
    if (code == GENAIR_OK) code = parse(a, a->private_, st);
    if (code == GENAIR_OK)
        *out = a;
    else
        npy_close(a);
    return code;
}

genair_code npy_wrap(const char *name, const void *values, enum npy_type type, size_t rows, size_t cols,
                     struct npy **out, genair_status *st) {
    size_t n, bytes;
    if (!mul_size(rows, cols, &n) || !mul_size(n, types[type].bytes, &bytes))
        return fail(st, GENAIR_USAGE, "%s: its size does not fit in memory", name);
    struct npy *a = create(name);
    if (!a) return fail_memory(st);
    a->type = type;
    a->n_dims = 2;
    a->shape[0] = rows;
    a->shape[1] = cols;
    a->n_values = n;
    a->data = values;
    *out = a;
    return GENAIR_OK;
}

void npy_close(struct npy *a) {
    if (!a) return;
    if (a->private_) mapping_close(a->private_);
    mem_free(a->private_);
    char *name;
    memcpy(&name, &a->path, sizeof name); /* ours, const for the users of struct npy */
    mem_free(name);
    mem_free(a);
}

const char *npy_type_name(enum npy_type type) {
    return types[type].name;
}

enum npy_type npy_type_of(genair_type type) {
    static const enum npy_type same[] = {[GENAIR_F16] = NPY_F2, [GENAIR_F32] = NPY_F4, [GENAIR_F64] = NPY_F8};
    return same[type];
}

/* ---- values ---- */

static uint64_t load_bits(const unsigned char *p, size_t bytes, bool big_endian) {
    uint64_t bits = 0;
    for (size_t i = 0; i < bytes; i++)
        bits |= (uint64_t)p[big_endian ? bytes - 1 - i : i] << 8 * i;
    return bits;
}

static double value_f64(const struct npy *a, size_t place) {
    const unsigned char *p = a->data + place * types[a->type].bytes;
    const uint64_t bits = load_bits(p, types[a->type].bytes, a->big_endian);
    const uint32_t low = (uint32_t)bits;
    float f;
    double d;
    switch (a->type) {
    case NPY_F2:
        return (double)float_of_half((uint16_t)low);
    case NPY_F4:
        memcpy(&f, &low, sizeof f);
        return (double)f;
    case NPY_F8:
        memcpy(&d, &bits, sizeof d);
        return d;
    case NPY_I4:
        return (int32_t)low;
    case NPY_I8:
        return (double)(int64_t)bits;
    case NPY_U1:
        return (double)low;
    }
    assert(false && "a type without a row");
    return 0;
}

/* Place in the file of the i-th value in C order. */
static size_t place_of(const struct npy *a, size_t i) {
    if (!a->fortran_order) return i;
    /* The last C index varies fastest; in the file its stride is the product of the dimensions
     * before it. */
    size_t stride = a->n_values, place = 0;
    for (size_t k = a->n_dims; k-- > 0;) {
        stride /= a->shape[k];
        place += i % a->shape[k] * stride;
        i /= a->shape[k];
    }
    return place;
}

double npy_f64(const struct npy *a, size_t i) {
    assert(i < a->n_values);
    return value_f64(a, place_of(a, i));
}

int64_t npy_i64(const struct npy *a, size_t i) {
    assert(i < a->n_values);
    if (types[a->type].kind == 'f') return (int64_t)npy_f64(a, i);
    const unsigned char *p = a->data + place_of(a, i) * types[a->type].bytes;
    const uint64_t bits = load_bits(p, types[a->type].bytes, a->big_endian);
    return a->type == NPY_I4 ? (int32_t)(uint32_t)bits : (int64_t)bits;
}

void npy_row_f64(const struct npy *a, size_t r, double *out) {
    assert(a->n_dims == 2 && r < a->shape[0]);
    const size_t cols = a->shape[1];
    const size_t step = a->fortran_order ? a->shape[0] : 1, begin = a->fortran_order ? r : r * cols;
    for (size_t c = 0; c < cols; c++)
        out[c] = value_f64(a, begin + c * step);
}

void npy_row_f32(const struct npy *a, size_t r, float *out) {
    assert(a->n_dims == 2 && r < a->shape[0]);
    const size_t cols = a->shape[1];
    if (a->type == NPY_F4 && !a->big_endian && !a->fortran_order) {
        if (cols) memcpy(out, a->data + r * cols * sizeof *out, cols * sizeof *out);
        return;
    }
    const size_t step = a->fortran_order ? a->shape[0] : 1, begin = a->fortran_order ? r : r * cols;
    for (size_t c = 0; c < cols; c++)
        out[c] = (float)value_f64(a, begin + c * step);
}

/* ---- writing ---- */

static genair_code put_header(struct writer *w, const char *type, size_t rows, size_t cols, genair_status *st) {
    enum { TOTAL = 128 }; /* both numbers have at most 20 digits, so the text always fits */
    char header[TOTAL + 1];
    memset(header, ' ', sizeof header);
    memcpy(header, magic, MAGIC_BYTES);
    memcpy(header + MAGIC_BYTES, "\x01\x00", 2);
    header[8] = TOTAL - 10;
    header[9] = 0;
    const int n =
        snprintf(header + 10, TOTAL - 10,
                 "{'descr': '<%s', 'fortran_order': False, 'shape': (%zu, %zu), }", type, rows, cols);
    assert(n > 0 && n < TOTAL - 11);
    header[10 + n] = ' ';
    header[TOTAL - 1] = '\n';
    return writer_put(w, header, TOTAL, st);
}

genair_code npy_put_header(struct writer *w, size_t rows, size_t cols, genair_status *st) {
    return put_header(w, types[NPY_F4].name, rows, cols, st);
}

static genair_code write_matrix(const char *path, enum npy_type type, size_t rows, size_t cols, const void *data,
                                genair_status *st) {
    size_t n, bytes;
    if (!mul_size(rows, cols, &n) || !mul_size(n, types[type].bytes, &bytes)) return fail_memory(st);
    struct writer *w = NULL;
    genair_code code = writer_open(path, &w, st);
    if (code != GENAIR_OK) return code;
    code = put_header(w, types[type].name, rows, cols, st);
    if (code == GENAIR_OK) code = writer_put(w, data, bytes, st);
    if (code == GENAIR_OK) return writer_commit(w, st);
    writer_abandon(w);
    return code;
}

genair_code npy_write_f32(const char *path, size_t rows, size_t cols, const float *data, genair_status *st) {
    return write_matrix(path, NPY_F4, rows, cols, data, st);
}

genair_code npy_write_i32(const char *path, size_t rows, size_t cols, const int32_t *data, genair_status *st) {
    return write_matrix(path, NPY_I4, rows, cols, data, st);
}
