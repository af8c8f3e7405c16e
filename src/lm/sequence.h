/* SPDX-License-Identifier: Apache-2.0 */
/* This module is one sequence on its way through the engine: its tokens, its keys and values, its sums. */
#ifndef GENAIR_LM_SEQUENCE_H
#define GENAIR_LM_SEQUENCE_H

#include "base/rng.h"
#include "lm/engine.h"
#include "lm/forward.h"

struct sequence {
    uint64_t id;
    uint32_t *tokens; /* prompt, then what was drawn or given */
    size_t n_prompt, n_tokens, max_tokens; /* known; known at most */
    size_t n_fed, n_prefix;
    bool forced, keep_logits, has_logits;
    bool cut; /* max_tokens is what the context holds, not what was asked for */
    struct rng rng;
    struct kv kv;       /* data NULL until it is admitted */
    double *prompt_sum; /* [hidden] of hidden states; answer_sum: of tokens fed after the prompt */
    double *answer_sum;
    float *last_hidden; /* [hidden] of the prompt's last position */
    float *means;       /* [2, hidden], for the answer */
    float *logits;      /* [vocabulary] of the prompt's last position, if kept */
};

/* Copies what the request holds. Errors: GENAIR_USAGE for a token that the model does not have, or an empty prompt. */
CHECKED genair_code sequence_create(const struct lm_config *c, const struct lm_request *r, uint64_t seed,
                                    struct sequence **out, genair_status *st);
void sequence_free(struct sequence *s); /* NULL is fine */
/* Positions whose keys and values it may need. */
size_t sequence_positions(const struct lm_config *c, const struct sequence *s);
/* Adds the hidden states [n, stride] of the next n positions. */
void sequence_pool(const struct lm_config *c, struct sequence *s, const float *hidden, size_t stride, size_t n);
/* What the caller gets; pointers into s. */
struct answer sequence_answer(const struct lm_config *c, struct sequence *s, enum finish finish);

#endif
