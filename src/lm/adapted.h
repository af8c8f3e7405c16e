/* SPDX-License-Identifier: Apache-2.0 */
/* This module is a language model whose weights stay as they are while low-rank adapters on all projections of its
 * blocks learn (LoRA: Hu et al., 2022).
 *
 * Weights are read and made float32 a block at a time, so that memory holds one block, its states for some sequences,
 * and the inputs of all blocks: hidden floats a token and block. A backward pass makes each block's states again. All
 * states are float32; for text alone they agree with the engine's float32 arithmetic. */
#ifndef GENAIR_LM_ADAPTED_H
#define GENAIR_LM_ADAPTED_H

#include "base/context.h"
#include "lm/block.h"
#include "lm/matrix.h"
#include "tensor/parameters.h"

struct adapter_options {
    size_t rank;
    double alpha;   /* what an adapter adds is scaled by alpha / rank */
    double dropout; /* of its input, while training */
    lm_reader *read; /* where weights come from, with source; NULL: lm_weights_read */
    const void *source;
};

enum pooling { POOL_MEAN, POOL_LAST }; /* of a sequence's states after the final norm */

struct adapted;

/* Adds "blk.N.attn_q.lora_a" [rank, in] and "….lora_b" [out, rank] and so on to parameters: a uniform in ±1 / sqrt(in),
 * b 0, so that nothing changes at the start. Borrows w and parameters. */
CHECKED genair_code adapted_create(genair_context *ctx, const struct lm_weights *w, const struct adapter_options *options,
                                   struct parameters *parameters, uint64_t seed, struct adapted **out, genair_status *st);
void adapted_free(struct adapted *m); /* NULL is fine */

struct sequences {
    const uint32_t *tokens;  /* below the vocabulary's size */
    const uint32_t *offsets; /* [n + 1]; none is empty */
    size_t n;
};

/* out: [n, hidden], one vector a sequence, the same bytes whatever else is there. No dropout. */
CHECKED genair_code adapted_encode(struct adapted *m, const struct sequences *s, enum pooling pooling, float *out,
                                   genair_status *st);
/* The same with dropout; step gives its masks. Keeps what adapted_backward needs. */
CHECKED genair_code adapted_forward(struct adapted *m, const struct sequences *s, enum pooling pooling, uint64_t step,
                                    float *out, genair_status *st);
/* After adapted_forward of the same sequences: from the slopes of its vectors [n, hidden] the adapters' gradients, left in
 * parameters for parameters_adam. Begins the parameters' step. */
CHECKED genair_code adapted_backward(struct adapted *m, const struct sequences *s, enum pooling pooling,
                                     const float *slopes, genair_status *st);

#endif
