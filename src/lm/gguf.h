/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads the header of a GGUF file (versions 2 and 3): metadata and the places of tensors.
 *
 * Every count, length, offset and shape is checked against the file's size before it is used. The header is read into
 * memory; tensor data are read on demand with pread, so that a file cut short under the process is an error and
 * not a signal. */
#ifndef GENAIR_LM_GGUF_H
#define GENAIR_LM_GGUF_H

#include "base/status.h"
#include "base/text.h"
#include "lm/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gguf_type {
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING, GGUF_ARRAY,
    GGUF_U64, GGUF_I64, GGUF_F64, N_GGUF_TYPES
};
const char *gguf_type_name(enum gguf_type type); /* "u32" */

struct gguf_tensor {
    struct text name;
    enum lm_type type;
    size_t n_dims;
    size_t dims[4];   /* dims[0] varies fastest: a matrix of rows x cols has dims {cols, rows} */
    uint64_t offset;  /* in the file */
    uint64_t n_bytes;
};

struct gguf_value {
    struct text key;
    enum gguf_type type;      /* of the value, or of an array's elements */
    bool is_array;
    uint64_t n;               /* elements of an array, else 1 */
    const unsigned char *at;  /* first element, little-endian; strings as length (u64) and bytes */
    int64_t offset;           /* of the value in the file, for messages */
};

struct gguf {
    const char *path;
    uint32_t version;
    size_t n_values;
    const struct gguf_value *values; /* in file order; keys are distinct */
    size_t n_tensors;
    const struct gguf_tensor *tensors; /* in file order; names are distinct, data do not overlap */
    uint64_t file_bytes;
    void *private_;
};

CHECKED genair_code gguf_open(const char *path, struct gguf **out, genair_status *st);
void gguf_close(struct gguf *g); /* NULL is fine */
const struct gguf_value *gguf_find(const struct gguf *g, const char *key);      /* or NULL */
const struct gguf_tensor *gguf_tensor(const struct gguf *g, const char *name);  /* or NULL */

/* A required or optional scalar of any integer (float) type that fits. required false: a missing key leaves *out. A
 * value of another kind is a GENAIR_FORMAT that names key and offset. */
CHECKED genair_code gguf_u64(const struct gguf *g, const char *key, bool required, uint64_t *out, genair_status *st);
CHECKED genair_code gguf_f64(const struct gguf *g, const char *key, bool required, double *out, genair_status *st);
CHECKED genair_code gguf_bool(const struct gguf *g, const char *key, bool required, bool *out, genair_status *st);
CHECKED genair_code gguf_text(const struct gguf *g, const char *key, bool required, struct text *out, genair_status *st);
/* The array under key, of strings; NULL in *out when it is missing and not required. texts[n], the caller's, released
 * with mem_free; they point into the header. */
CHECKED genair_code gguf_texts(const struct gguf *g, const char *key, bool required, struct text **texts, size_t *n,
                               genair_status *st);
/* Numbers of any numeric type as doubles; the same ownership. */
CHECKED genair_code gguf_numbers(const struct gguf *g, const char *key, bool required, double **numbers, size_t *n,
                                 genair_status *st);
/* size bytes of the file at offset: GENAIR_FORMAT when the file has become shorter. Any thread. */
CHECKED genair_code gguf_read(const struct gguf *g, uint64_t offset, void *out, size_t size, genair_status *st);

#endif
