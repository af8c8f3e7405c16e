/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a GGUF header's values, by key and kind. */
#include "lm/gguf.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <inttypes.h>
#include <string.h>

/* *v: NULL when the key is missing and not required. */
static genair_code find(const struct gguf *g, const char *key, bool required,
                        const struct gguf_value **v, genair_status *st) {
    *v = gguf_find(g, key);
    if (*v || !required) return GENAIR_OK;
    return fail_line(st, GENAIR_FORMAT, g->path, 0,
                     "the header has no \"%s\": the file is damaged, or no language model", key);
}

static genair_code wrong_kind(const struct gguf *g, const struct gguf_value *v, const char *key,
                              const char *expected, genair_status *st) {
    return fail_offset(st, GENAIR_FORMAT, g->path, v->offset, "\"%s\" is %s%s, expected %s", key,
                       v->is_array ? "an array of " : "of type ", gguf_type_name(v->type),
                       expected);
}

/* Bytes of a number; 0 for what is none. */
static size_t number_bytes(enum gguf_type type) {
    switch (type) {
    case GGUF_U8:
    case GGUF_I8:
        return 1;
    case GGUF_U16:
    case GGUF_I16:
        return 2;
    case GGUF_U32:
    case GGUF_I32:
    case GGUF_F32:
        return 4;
    case GGUF_U64:
    case GGUF_I64:
    case GGUF_F64:
        return 8;
    case GGUF_BOOL:
    case GGUF_STRING:
    case GGUF_ARRAY:
    case N_GGUF_TYPES:
        break;
    }
    return 0;
}

static bool is_float(enum gguf_type type) {
    return type == GGUF_F32 || type == GGUF_F64;
}

/* An integer as the 64 bits of its two's complement; *negative says how to read them. */
static uint64_t integer_at(enum gguf_type type, const unsigned char *p, bool *negative) {
    int64_t value = 0;
    *negative = false;
    switch (type) {
    case GGUF_U8:
        return p[0];
    case GGUF_U16:
        return bytes_u16(p);
    case GGUF_U32:
        return bytes_u32(p);
    case GGUF_U64:
        return bytes_u64(p);
    case GGUF_I8:
        value = (int8_t)p[0];
        break;
    case GGUF_I16:
        value = (int16_t)bytes_u16(p);
        break;
    case GGUF_I32:
        value = (int32_t)bytes_u32(p);
        break;
    case GGUF_I64:
        value = (int64_t)bytes_u64(p);
        break;
    case GGUF_F32:
    case GGUF_F64:
    case GGUF_BOOL:
    case GGUF_STRING:
    case GGUF_ARRAY:
    case N_GGUF_TYPES:
        break;
    }
    *negative = value < 0;
    return (uint64_t)value;
}

static double number_at(enum gguf_type type, const unsigned char *p) {
    if (type == GGUF_F32) return (double)bytes_f32(p);
    if (type == GGUF_F64) return bytes_f64(p);
    bool negative;
    const uint64_t bits = integer_at(type, p, &negative);
    return negative ? (double)(int64_t)bits : (double)bits;
}

genair_code gguf_u64(const struct gguf *g, const char *key, bool required, uint64_t *out,
                     genair_status *st) {
    const struct gguf_value *v;
    bool negative;
    const genair_code code = find(g, key, required, &v, st);
    if (code != GENAIR_OK || !v) return code;
    if (v->is_array || !number_bytes(v->type) || is_float(v->type))
        return wrong_kind(g, v, key, "an integer", st);
    const uint64_t bits = integer_at(v->type, v->at, &negative);
    if (negative)
        return fail_offset(st, GENAIR_FORMAT, g->path, v->offset,
                           "\"%s\" is %" PRId64 ", expected a number that is not negative", key,
                           (int64_t)bits);
    *out = bits;
    return GENAIR_OK;
}

genair_code gguf_f64(const struct gguf *g, const char *key, bool required, double *out,
                     genair_status *st) {
    const struct gguf_value *v;
    const genair_code code = find(g, key, required, &v, st);
    if (code != GENAIR_OK || !v) return code;
    if (v->is_array || !number_bytes(v->type)) return wrong_kind(g, v, key, "a number", st);
    *out = number_at(v->type, v->at);
    return GENAIR_OK;
}

genair_code gguf_bool(const struct gguf *g, const char *key, bool required, bool *out,
                      genair_status *st) {
    const struct gguf_value *v;
    const genair_code code = find(g, key, required, &v, st);
    if (code != GENAIR_OK || !v) return code;
    if (v->is_array || v->type != GGUF_BOOL || v->at[0] > 1)
        return wrong_kind(g, v, key, "a bool, 0 or 1", st);
    *out = v->at[0] == 1;
    return GENAIR_OK;
}

/* A string of which the header's reader has checked the length. */
static struct text text_at(const unsigned char *p) {
    return (struct text){(const char *)p + 8, (size_t)bytes_u64(p)};
}

genair_code gguf_text(const struct gguf *g, const char *key, bool required, struct text *out,
                      genair_status *st) {
    const struct gguf_value *v;
    const genair_code code = find(g, key, required, &v, st);
    if (code != GENAIR_OK || !v) return code;
    if (v->is_array || v->type != GGUF_STRING) return wrong_kind(g, v, key, "a string", st);
    *out = text_at(v->at);
    return GENAIR_OK;
}

genair_code gguf_texts(const struct gguf *g, const char *key, bool required, struct text **texts,
                       size_t *n, genair_status *st) {
    const struct gguf_value *v;
    const genair_code code = find(g, key, required, &v, st);
    if (code != GENAIR_OK) return code;
    *texts = NULL;
    *n = 0;
    if (!v) return GENAIR_OK;
    if (!v->is_array || v->type != GGUF_STRING)
        return wrong_kind(g, v, key, "an array of strings", st);
    *texts = mem_array((size_t)v->n, sizeof **texts);
    if (!*texts) return fail_memory(st);
    *n = (size_t)v->n;
    const unsigned char *p = v->at;
    for (size_t i = 0; i < *n; i++) {
        (*texts)[i] = text_at(p);
        p += 8 + (*texts)[i].n;
    }
    return GENAIR_OK;
}

genair_code gguf_numbers(const struct gguf *g, const char *key, bool required, double **numbers,
                         size_t *n, genair_status *st) {
    const struct gguf_value *v;
    const genair_code code = find(g, key, required, &v, st);
    if (code != GENAIR_OK) return code;
    *numbers = NULL;
    *n = 0;
    if (!v) return GENAIR_OK;
    const size_t bytes = number_bytes(v->type);
    if (!v->is_array || !bytes) return wrong_kind(g, v, key, "an array of numbers", st);
    *numbers = mem_array((size_t)v->n, sizeof **numbers);
    if (!*numbers) return fail_memory(st);
    *n = (size_t)v->n;
    for (size_t i = 0; i < *n; i++)
        (*numbers)[i] = number_at(v->type, v->at + i * bytes);
    return GENAIR_OK;
}
