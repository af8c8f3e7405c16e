/* SPDX-License-Identifier: Apache-2.0 */
/* This module makes a language model of Qwen 2.5 0.5B's shape with random weights in Q8_0. */
#ifndef GENAIR_BENCH_LM_MODEL_H
#define GENAIR_BENCH_LM_MODEL_H

#include "lm/matrix.h"

enum { LM_MODEL_LAYERS = 24, LM_MODEL_HIDDEN = 896, LM_MODEL_HEAD = 64, LM_MODEL_VOCABULARY = 151936 };

struct lm_model {
    struct lm_weights weights; /* points into the rest */
    struct lm_layer layers[LM_MODEL_LAYERS];
    float divisors[LM_MODEL_HEAD / 2];
};

void lm_model_make(struct lm_model *out);
/* The weights: an lm_reader without a source. */
genair_code lm_model_rows(const void *source, const struct lm_tensor *t, size_t first, size_t n_rows, void *out,
                          genair_status *st);
/* Multiply-adds of all layers for one token. */
double lm_model_multiply_adds(void);
/* A GGUF file of it with a byte-level BPE of made-up tokens of up to four common letters, about three characters a token of English.
 * No token ends an answer. */
CHECKED genair_code lm_model_save(const struct lm_model *m, const char *path, genair_status *st);

#endif
