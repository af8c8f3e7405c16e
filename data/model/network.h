/* SPDX-License-Identifier: Apache-2.0 */
/* This module is a language model of the llama architecture (Touvron et al., 2023) on the tape: tied embeddings, as
 * many keys as queries, pairs of neighbouring columns turned by their position (as GGUF's llama has them). */
#ifndef GENAIR_DATA_MODEL_NETWORK_H
#define GENAIR_DATA_MODEL_NETWORK_H

#include "tensor/ops.h"
#include "tensor/parameters.h"

struct network_sizes {
    size_t vocabulary, hidden, n_layers, n_heads, ffn, context;
    double rope_base;
    float norm_eps;
};

enum { MOST_LAYERS = 8 };

struct network_layer {
    struct parameter *attention_norm, *q, *kv, *out, *ffn_norm, *gate, *up, *down;
};

struct network {
    struct network_sizes sizes;
    struct parameters *parameters; /* borrowed */
    struct parameter *embedding, *final_norm;
    struct network_layer layers[MOST_LAYERS];
};

CHECKED genair_code network_init(struct network *n, const struct network_sizes *sizes, struct parameters *parameters,
                                 uint64_t seed, genair_status *st);
/* Hidden states [tokens, hidden] after the final norm. Sequence b is tokens[offsets[b]] .. tokens[offsets[b + 1] - 1]. */
struct tensor *network_forward(const struct network *n, struct tape *t, const uint32_t *tokens, const uint32_t *offsets,
                               size_t n_sequences);
/* As GGUF under the usual names, matrices in Q8_0, with the vocabulary in SentencePiece's form. */
struct pieces;
CHECKED genair_code network_write(const struct network *n, const struct pieces *v, const char *path, genair_status *st);

#endif
