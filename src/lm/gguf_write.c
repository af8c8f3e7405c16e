/* SPDX-License-Identifier: Apache-2.0 */
/* The file: "GGUF", version, numbers of tensors and values; the values; for each tensor name, dimensions, type and
 * offset; zeros to a multiple of 32; the data, each tensor at a multiple of 32. All integers little-endian. */
#include "lm/gguf_write.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/size.h"
#include "lm/gguf.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { VERSION = 3, ALIGNMENT = 32, BLOCK = 32, Q8_0_BYTES = 34, HALF_BYTES = 2 };

struct bytes {
    unsigned char *p;
    size_t n, capacity;
    bool failed;
};

struct tensor_data {
    struct lm_tensor t;
    const float *values; /* NULL: from read and source */
    lm_reader *read;
    const void *source;
};

struct gguf_writer {
    struct bytes values, tensors; /* the two parts of the header */
    uint64_t n_values, n_tensors, data_bytes;
    struct tensor_data *data;
    size_t capacity;
};

static size_t padded(size_t n) {
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Tensors are in memory, so this does not overflow. */
static size_t row_bytes(enum lm_type type, size_t cols) {
    return cols / lm_types[type].block_values * lm_types[type].block_bytes;
}

/* Room for n more bytes, or NULL once memory was refused. */
static unsigned char *extend(struct bytes *b, size_t n) {
    if (b->failed || !mem_grow(&b->p, &b->capacity, b->n + n, 1)) {
        b->failed = true;
        return NULL;
    }
    b->n += n;
    return b->p + b->n - n;
}

static void put_u32(struct bytes *b, uint32_t x) {
    unsigned char *p = extend(b, 4);
    if (p) bytes_put_u32(p, x);
}

static void put_u64(struct bytes *b, uint64_t x) {
    unsigned char *p = extend(b, 8);
    if (p) bytes_put_u64(p, x);
}

static void put_float(struct bytes *b, float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_u32(b, bits);
}

static void put_string(struct bytes *b, struct text t) {
    put_u64(b, t.n);
    unsigned char *p = extend(b, t.n);
    if (p && t.n) memcpy(p, t.p, t.n);
}

struct gguf_writer *gguf_writer_create(void) {
    return mem_zeros(1, sizeof(struct gguf_writer));
}

void gguf_writer_free(struct gguf_writer *w) {
    if (!w) return;
    mem_free(w->values.p);
    mem_free(w->tensors.p);
    mem_free(w->data);
    mem_free(w);
}

static struct bytes *put_key(struct gguf_writer *w, const char *key, enum gguf_type type) {
    put_string(&w->values, text_of(key));
    put_u32(&w->values, (uint32_t)type);
    w->n_values++;
    return &w->values;
}

static struct bytes *put_array(struct gguf_writer *w, const char *key, enum gguf_type type, size_t n) {
    struct bytes *b = put_key(w, key, GGUF_ARRAY);
    put_u32(b, (uint32_t)type);
    put_u64(b, n);
    return b;
}

void gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t value) {
    put_u32(put_key(w, key, GGUF_U32), value);
}

void gguf_put_f32(struct gguf_writer *w, const char *key, float value) {
    put_float(put_key(w, key, GGUF_F32), value);
}

void gguf_put_bool(struct gguf_writer *w, const char *key, bool value) {
    unsigned char *p = extend(put_key(w, key, GGUF_BOOL), 1);
    if (p) *p = value;
}

void gguf_put_text(struct gguf_writer *w, const char *key, const char *value) {
    put_string(put_key(w, key, GGUF_STRING), text_of(value));
}

void gguf_put_texts(struct gguf_writer *w, const char *key, const struct text *values, size_t n) {
    struct bytes *b = put_array(w, key, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++) put_string(b, values[i]);
}

void gguf_put_f32s(struct gguf_writer *w, const char *key, const float *values, size_t n) {
    struct bytes *b = put_array(w, key, GGUF_F32, n);
    for (size_t i = 0; i < n; i++) put_float(b, values[i]);
}

void gguf_put_i32s(struct gguf_writer *w, const char *key, const int32_t *values, size_t n) {
    struct bytes *b = put_array(w, key, GGUF_I32, n);
    for (size_t i = 0; i < n; i++) put_u32(b, (uint32_t)values[i]);
}

static void put_tensor(struct gguf_writer *w, const char *name, const struct tensor_data *data) {
    const struct lm_tensor *t = &data->t;
    struct bytes *b = &w->tensors;
    if (!mem_grow(&w->data, &w->capacity, w->n_tensors + 1, sizeof *w->data)) {
        b->failed = true;
        return;
    }
    w->data[w->n_tensors++] = *data;
    put_string(b, text_of(name));
    put_u32(b, t->rows == 1 ? 1 : 2);
    put_u64(b, t->cols);
    if (t->rows != 1) put_u64(b, t->rows);
    put_u32(b, lm_types[t->type].gguf);
    put_u64(b, w->data_bytes);
    w->data_bytes += padded(t->rows * t->row_bytes);
}

void gguf_put_tensor(struct gguf_writer *w, const char *name, enum lm_type type, size_t rows, size_t cols,
                     const float *values) {
    assert(type == LM_F32 || type == LM_Q8_0);
    assert(cols % lm_types[type].block_values == 0);
    const struct lm_tensor t = {.type = type, .rows = rows, .cols = cols, .row_bytes = row_bytes(type, cols)};
    put_tensor(w, name, &(struct tensor_data){.t = t, .values = values});
}

void gguf_put_rows(struct gguf_writer *w, const char *name, const struct lm_tensor *t, lm_reader *read, const void *source) {
    put_tensor(w, name, &(struct tensor_data){.t = *t, .read = read, .source = source});
}

/* ---- data ---- */

/* Half precision, rounded to nearest, ties to even; x >= 0 and below 65520. */
static uint16_t half_of(float x) {
    int exponent;
    const float fraction = frexpf(x, &exponent); /* x = fraction 2^exponent, fraction in [0.5, 1) */
    if (x <= 0) return 0;
    if (exponent < -13) return (uint16_t)nearbyintf(ldexpf(x, 24)); /* subnormal */
    const float mantissa = nearbyintf(ldexpf(fraction, 11));        /* 1024 .. 2048 */
    return (uint16_t)((uint32_t)(exponent + 13) * 1024 + (uint32_t)mantissa);
}

/* A block is its scale in half precision and 32 signed bytes; the scale as stored divides, so that its rounding costs
 * nothing. */
static void encode_block(const float *x, unsigned char out[Q8_0_BYTES]) {
    float largest = 0;
    for (size_t i = 0; i < BLOCK; i++) largest = fmaxf(largest, fabsf(x[i]));
    const uint16_t scale = half_of(largest / 127);
    const float step = float_of_half(scale), inverse = step > 0 ? 1 / step : 0;
    out[0] = (unsigned char)(scale & 255);
    out[1] = (unsigned char)(scale >> 8);
    for (size_t i = 0; i < BLOCK; i++) {
        const float q = fminf(127, fmaxf(-127, nearbyintf(x[i] * inverse)));
        out[HALF_BYTES + i] = (unsigned char)(int8_t)q;
    }
}

static genair_code put_zeros(struct writer *out, size_t n, genair_status *st) {
    static const unsigned char zeros[ALIGNMENT];
    return writer_put(out, zeros, n, st);
}

static void encode_row(const struct lm_tensor *t, const float *row, unsigned char *out) {
    for (size_t i = 0; t->type == LM_Q8_0 && i < t->cols / BLOCK; i++) encode_block(row + i * BLOCK, out + i * Q8_0_BYTES);
    for (size_t i = 0; t->type == LM_F32 && i < t->cols; i++) {
        uint32_t bits;
        memcpy(&bits, row + i, sizeof bits);
        bytes_put_u32(out + i * sizeof bits, bits);
    }
}

static genair_code write_tensor(struct writer *out, const struct tensor_data *data, genair_status *st) {
    const struct lm_tensor *t = &data->t;
    unsigned char *row = mem_array(t->row_bytes, 1);
    genair_code code = row ? GENAIR_OK : fail_memory(st);
    for (size_t r = 0; r < t->rows && code == GENAIR_OK; r++) {
        if (data->values)
            encode_row(t, data->values + r * t->cols, row);
        else
            code = data->read(data->source, t, r, 1, row, st);
        if (code == GENAIR_OK) code = writer_put(out, row, t->row_bytes, st);
    }
    mem_free(row);
    return code == GENAIR_OK ? put_zeros(out, padded(t->rows * t->row_bytes) - t->rows * t->row_bytes, st) : code;
}

static genair_code write_all(const struct gguf_writer *w, struct writer *out, genair_status *st) {
    unsigned char head[24] = "GGUF";
    bytes_put_u32(head + 4, VERSION);
    bytes_put_u64(head + 8, w->n_tensors);
    bytes_put_u64(head + 16, w->n_values);
    genair_code code = writer_put(out, head, sizeof head, st);
    if (code == GENAIR_OK) code = writer_put(out, w->values.p, w->values.n, st);
    if (code == GENAIR_OK) code = writer_put(out, w->tensors.p, w->tensors.n, st);
    const size_t n = sizeof head + w->values.n + w->tensors.n;
    if (code == GENAIR_OK) code = put_zeros(out, padded(n) - n, st);
    for (uint64_t i = 0; i < w->n_tensors && code == GENAIR_OK; i++) code = write_tensor(out, &w->data[i], st);
    return code;
}

genair_code gguf_writer_save(const struct gguf_writer *w, const char *path, genair_status *st) {
    if (w->values.failed || w->tensors.failed) return fail_memory(st);
    struct writer *out = NULL;
    genair_code code = writer_open(path, &out, st);
    if (code != GENAIR_OK) return code;
    code = write_all(w, out, st);
    if (code == GENAIR_OK) return writer_commit(out, st);
    writer_abandon(out);
    return code;
}
