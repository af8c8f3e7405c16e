/* SPDX-License-Identifier: Apache-2.0 */
/* This module is a transformer block of the llama family (Touvron et al., 2023) on the tape, for training: RMSNorm, rotary
 * grouped attention, gated feed-forward net, each added to what came in. The engine's forward.c is the same for inference. */
#ifndef GENAIR_LM_BLOCK_H
#define GENAIR_LM_BLOCK_H

#include "tensor/ops.h"

/* y = W x + b + scale B A dropout(x) (LoRA: Hu et al., 2022). */
struct projection {
    struct tensor *w;    /* [out, in] */
    struct tensor *bias; /* [1, out] or NULL */
    struct tensor *a, *b; /* [rank, in], [out, rank]; NULL: none */
};

struct block {
    struct tensor *attention_norm, *ffn_norm; /* [1, hidden] */
    struct projection q, k, v, out, gate, up, down; /* v.w NULL: k gives keys and, beside them, values */
};

struct block_shape {
    size_t n_heads, n_kv_heads, head_dim;
    float norm_eps;
    double rope_base;
    const float *rope_divisors; /* as in struct rotation */
    bool rope_halves;
    float adapter_scale;
    double adapter_dropout;
};

/* x: [T, hidden]; sequence b is its rows offsets[b] .. offsets[b + 1] - 1. */
struct tensor *block_forward(struct tape *t, const struct block *b, const struct block_shape *s, struct tensor *x,
                             const uint32_t *offsets, size_t n_sequences);

#endif
