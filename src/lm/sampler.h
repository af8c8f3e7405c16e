/* SPDX-License-Identifier: Apache-2.0 */
/* This module chooses the next token from logits. */
#ifndef GENAIR_LM_SAMPLER_H
#define GENAIR_LM_SAMPLER_H

#include "base/rng.h"
#include "lm/engine.h"

/* Memory for one thread; released with mem_free. */
struct sampler_memory;
CHECKED genair_code sampler_memory_create(size_t n_vocabulary, struct sampler_memory **out, genair_status *st);

/* The token that follows tokens[n_tokens] (prompt and answer so far). logits[n_vocabulary] are changed. Takes one number
 * from rng unless greedy. What is drawn depends on the arguments alone. */
uint32_t sampler_choose(struct sampler_memory *m, const struct kernels *k, const struct sampling *s, float *logits,
                        const uint32_t *tokens, size_t n_tokens, struct rng *rng);

#endif
