/* SPDX-License-Identifier: Apache-2.0 */
/* This module passes one batch of tokens, of any sequences, through the model.
 *
 * Keys and values are float32, which makes what a token gets independent of how its sequence was cut into batches; a
 * sequence has its own. Memory: kv_bytes_per_token a position. */
#ifndef GENAIR_LM_FORWARD_H
#define GENAIR_LM_FORWARD_H

#include "base/context.h"
#include "kernels/kernels.h"
#include "lm/matrix.h"

struct layer {
    float *attn_norm, *ffn_norm;
    float *q_bias, *k_bias, *v_bias; /* NULL: none */
    union {
        struct {
            struct matrix q, k, v, out, gate, up, down;
        };
        struct matrix matrices[LAYER_MATRICES];
    };
};

struct model_lm {
    struct lm_config config;
    float *rope_divisors; /* config.rope_divisors points here */
    struct layer *layers;
    struct matrix embedding, output; /* output is empty when it is the embedding */
    float *final_norm;
    const struct kernels *kernels;
    struct parallel *parallel;
    bool float_arithmetic;
};

/* Reads and repacks all weights with read from source. kernels and float_arithmetic of out are set. The caller frees out,
 * also after a failure. */
CHECKED genair_code model_lm_load(genair_context *ctx, const struct lm_weights *w, lm_reader *read, const void *source,
                                  struct model_lm *out, genair_status *st);
void model_lm_free(struct model_lm *m);
uint64_t model_lm_bytes(const struct model_lm *m);

/* Keys and values of one sequence: for each layer and head keys as [capacity / PANEL][head_dim][PANEL], so that a panel
 * product gives the scores of PANEL positions, then values as [head_dim / PANEL][capacity][PANEL]. */
struct kv {
    float *data;
    size_t capacity; /* positions, a multiple of PANEL */
};

uint64_t kv_bytes_per_token(const struct lm_config *c);
size_t kv_round(size_t n_tokens); /* positions to reserve for so many tokens */
CHECKED genair_code kv_create(const struct lm_config *c, size_t capacity, struct kv *out, genair_status *st);
void kv_free(struct kv *kv);
/* The first n positions of another sequence; to has room for them. */
void kv_copy(const struct lm_config *c, const struct kv *from, struct kv *to, size_t n);

/* Rows row … row + n - 1 of a batch are positions position … of one sequence, whose earlier ones are in kv. */
struct span {
    struct kv *kv;
    size_t row, n, position;
};

/* Memory for batches. */
struct batch_memory;
/* max_rows: tokens in a batch. max_logits: rows of logits. */
CHECKED genair_code batch_memory_create(const struct model_lm *m, size_t max_rows, size_t max_logits,
                                        struct batch_memory **out, genair_status *st);
void batch_memory_free(struct batch_memory *b);
/* Before sequences of so many positions pass. */
CHECKED genair_code batch_memory_reserve(const struct model_lm *m, struct batch_memory *b, size_t positions,
                                         genair_status *st);

/* Hidden states after the final norm, [n, *stride], until the next call. tokens[n] are below the vocabulary's size; the
 * spans cover the rows. */
const float *forward(const struct model_lm *m, struct batch_memory *b, const uint32_t *tokens, size_t n,
                     const struct span *spans, size_t n_spans, size_t *stride);
/* Logits of rows[n_rows] of the last batch, [n_rows, *stride], the caller's to change until the next call. */
float *forward_logits(const struct model_lm *m, struct batch_memory *b, const size_t *rows, size_t n_rows, size_t *stride);

/* ---- attention.c ---- */

/* out[row, head_dim of each head] for all rows; keys and values of the rows' own positions are already in kv. q has been
 * rotated. scratch: attention_scratch(c, positions) floats for each worker. */
struct cached_attention {
    const struct lm_config *config;
    const struct kernels *kernels;
    const struct span *spans;
    size_t n_spans, layer;
    const float *q;
    float *out;
    size_t q_stride, out_stride;
    float *scratch;
    size_t scratch_stride;
    size_t n_pieces; /* attention's own */
};
size_t attention_scratch(const struct lm_config *c, size_t positions);
void cached_attention(struct parallel *p, struct cached_attention *a);
/* Stores key and value (head_dim each) of one position. */
void kv_put(const struct lm_config *c, struct kv *kv, size_t layer, size_t head, size_t position, const float *key,
            const float *value);

#endif
