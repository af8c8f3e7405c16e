/* SPDX-License-Identifier: Apache-2.0 */
/* This module opens a language model, a GGUF file or a Hugging Face directory: its sizes and the places of its weights.
 *
 * Architectures: llama (Touvron et al., 2023; Llama 3.1's rope scaling) and qwen2 (biases of q, k, v; tied embeddings).
 * Whatever the form, the names, shapes and types that a reader of this header sees are the same. */
#ifndef GENAIR_LM_WEIGHTS_H
#define GENAIR_LM_WEIGHTS_H

#include "base/context.h"
#include "lm/gguf.h"

enum lm_architecture { LM_LLAMA, LM_QWEN2, N_LM_ARCHITECTURES };
extern const char *const lm_architecture_names[N_LM_ARCHITECTURES];

enum { LM_MAX_EOS = 8 };

struct lm_config {
    enum lm_architecture architecture;
    size_t n_layers, hidden, n_heads, n_kv_heads, head_dim, ffn, vocabulary;
    size_t context;         /* longest sequence the model was made for */
    float norm_eps;         /* of RMSNorm */
    double rope_base;
    const float *rope_divisors; /* [head_dim / 2]; angle i of position p is p base^(-2i / head_dim) / divisors[i] */
    size_t n_eos, n_eos_named; /* n_eos_named: of them, the first, which the model's files name */
    uint32_t eos[LM_MAX_EOS]; /* tokens that end an answer */
};

/* A matrix of rows x cols in row-major order (y = W x gives rows values), or a vector (rows 1). */
struct lm_tensor {
    char name[80];   /* as in the file, for messages */
    enum lm_type type;
    size_t rows, cols;
    size_t row_bytes;
    int file;        /* which of the model's files */
    uint64_t offset; /* of its first byte */
};

enum { LAYER_MATRICES = 7 };

struct lm_layer {
    struct lm_tensor attn_norm, ffn_norm;
    struct lm_tensor q_bias, k_bias, v_bias; /* rows 0 where there is none */
    union {
        struct {
            struct lm_tensor q, k, v, out, gate, up, down;
        };
        struct lm_tensor matrices[LAYER_MATRICES];
    };
};

struct lm_weights {
    struct lm_config config;
    struct lm_tensor embedding;  /* [vocabulary, hidden] */
    struct lm_tensor final_norm;
    struct lm_tensor output;     /* [vocabulary, hidden]; the embedding's place when they are tied */
    struct lm_layer *layers;
    bool tied;
    bool rope_pairs; /* q and k rows as (i, i + 1) pairs (GGUF's llama), else rotate-half (i, i + head_dim / 2) */
    const char *path;
    const struct gguf *gguf; /* NULL for a directory */
    void *private_;
};

/* Errors: GENAIR_IO; GENAIR_FORMAT for a broken file (what, where), a missing or misshapen tensor, an unknown
 * architecture (with the list of those known). */
CHECKED genair_code lm_weights_open(const char *path, struct lm_weights **out, genair_status *st);
void lm_weights_close(struct lm_weights *w); /* NULL is fine */
/* Every tensor once, i from 0: NULL behind the last; rows 0 where the model has none (biases, a tied output). */
const struct lm_tensor *lm_weights_tensor(const struct lm_weights *w, size_t i);
/* n_rows rows as they stand in the file (row_bytes each), from row first. Any thread. GENAIR_FORMAT when the file has
 * become shorter, or when a value is an infinity or NaN: opening does not look at values. */
CHECKED genair_code lm_weights_read(const struct lm_weights *w, const struct lm_tensor *t, size_t first, size_t n_rows,
                                    void *out, genair_status *st);
/* The same as float32 values: out[n_rows * cols]. */
CHECKED genair_code lm_weights_values(const struct lm_weights *w, const struct lm_tensor *t, size_t first, size_t n_rows,
                                      float *out, genair_status *st);
/* Content hash of what decides the numbers: sizes, types and all weight bytes (32 hex digits). Reads the whole model: says how far
 * it is, and ends with GENAIR_INTERRUPTED. ctx NULL: in silence. */
CHECKED genair_code lm_weights_hash(genair_context *ctx, const struct lm_weights *w, char out[33], genair_status *st);
/* Adds one to those that end an answer, unless it is among them: for a way of speaking to the model, which the hash knows nothing of. */
CHECKED genair_code lm_weights_add_eos(struct lm_weights *w, uint32_t id, genair_status *st);

#endif
