/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes GGUF files for tests, right ones and wrong ones. */
#ifndef GENAIR_TESTS_LM_GGUF_BYTES_H
#define GENAIR_TESTS_LM_GGUF_BYTES_H

#include "lm/gguf.h"
#include "support/scratch.h"

#include "base/bytes.h"

#include <string.h>

struct gguf_bytes {
    unsigned char p[16384];
    size_t n;
};

static inline void put(struct gguf_bytes *b, const void *data, size_t n) {
    assert_true(n <= sizeof b->p - b->n);
    if (n) memcpy(b->p + b->n, data, n);
    b->n += n;
}

static inline void put_u32(struct gguf_bytes *b, uint32_t x) {
    unsigned char bytes[4];
    bytes_put_u32(bytes, x);
    put(b, bytes, sizeof bytes);
}

static inline void put_u64(struct gguf_bytes *b, uint64_t x) {
    unsigned char bytes[8];
    bytes_put_u64(bytes, x);
    put(b, bytes, sizeof bytes);
}

static inline void put_f32(struct gguf_bytes *b, float x) {
    put(b, &x, sizeof x);
}

static inline void put_text(struct gguf_bytes *b, const char *text) {
    put_u64(b, strlen(text));
    put(b, text, strlen(text));
}

static inline void put_head(struct gguf_bytes *b, uint32_t version, uint64_t n_tensors,
                            uint64_t n_values) {
    put(b, "GGUF", 4);
    put_u32(b, version);
    put_u64(b, n_tensors);
    put_u64(b, n_values);
}

static inline void put_key(struct gguf_bytes *b, const char *key, enum gguf_type type) {
    put_text(b, key);
    put_u32(b, (uint32_t)type);
}

static inline void put_array(struct gguf_bytes *b, const char *key, enum gguf_type type,
                             uint64_t n) {
    put_key(b, key, GGUF_ARRAY);
    put_u32(b, (uint32_t)type);
    put_u64(b, n);
}

/* cols 0: a vector of rows values */
static inline void put_tensor(struct gguf_bytes *b, const char *name, size_t rows, size_t cols,
                              enum lm_type type, uint64_t offset) {
    put_text(b, name);
    put_u32(b, cols ? 2 : 1);
    if (cols) put_u64(b, cols);
    put_u64(b, rows);
    put_u32(b, lm_types[type].gguf);
    put_u64(b, offset);
}

static inline void put_padding(struct gguf_bytes *b, size_t alignment) {
    while (b->n % alignment)
        put(b, "", 1);
}

#endif
