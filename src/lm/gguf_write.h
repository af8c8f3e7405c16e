/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes GGUF files, version 3. */
#ifndef GENAIR_LM_GGUF_WRITE_H
#define GENAIR_LM_GGUF_WRITE_H

#include "base/status.h"
#include "base/text.h"
#include "lm/matrix.h"
#include "lm/types.h"

#include <stdbool.h>

/* Values and tensors stand in the file in the order in which they were put. A request for memory that failed sticks and
 * is reported by gguf_writer_save. Keys and names are copied and must be distinct. */
struct gguf_writer;

struct gguf_writer *gguf_writer_create(void); /* NULL when memory is out */
void gguf_writer_free(struct gguf_writer *w); /* NULL is fine */

void gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t value);
void gguf_put_f32(struct gguf_writer *w, const char *key, float value);
void gguf_put_bool(struct gguf_writer *w, const char *key, bool value);
void gguf_put_text(struct gguf_writer *w, const char *key, const char *value);
void gguf_put_texts(struct gguf_writer *w, const char *key, const struct text *values, size_t n);
void gguf_put_f32s(struct gguf_writer *w, const char *key, const float *values, size_t n);
void gguf_put_i32s(struct gguf_writer *w, const char *key, const int32_t *values, size_t n);
/* values: [rows, cols], borrowed until the file is saved; rows 1: a vector. type: LM_F32, or LM_Q8_0 with cols a
 * multiple of 32. */
void gguf_put_tensor(struct gguf_writer *w, const char *name, enum lm_type type, size_t rows, size_t cols,
                     const float *values);
/* A tensor whose rows come, as the file holds them, from read and source when the file is saved; t is copied. */
void gguf_put_rows(struct gguf_writer *w, const char *name, const struct lm_tensor *t, lm_reader *read, const void *source);
CHECKED genair_code gguf_writer_save(const struct gguf_writer *w, const char *path, genair_status *st);

#endif
