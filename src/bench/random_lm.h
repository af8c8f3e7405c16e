/* SPDX-License-Identifier: Apache-2.0 */
/* This module makes a language model of Qwen 2.5 0.5B's shape with random weights in Q8_0. */
#ifndef GENAIR_BENCH_RANDOM_LM_H
#define GENAIR_BENCH_RANDOM_LM_H

#include "lm/matrix.h"

enum { RANDOM_LM_LAYERS = 24, RANDOM_LM_HIDDEN = 896, RANDOM_LM_HEAD = 64, RANDOM_LM_VOCABULARY = 151936 };

struct random_lm {
    struct lm_weights weights; /* points into the rest */
    struct lm_layer layers[RANDOM_LM_LAYERS];
    float divisors[RANDOM_LM_HEAD / 2];
};

void random_lm_make(struct random_lm *out);
/* The weights: an lm_reader without a source. */
genair_code random_lm_rows(const void *source, const struct lm_tensor *t, size_t first, size_t n_rows, void *out,
                          genair_status *st);
/* Multiply-adds of all layers for one token. */
double random_lm_multiply_adds(void);
/* A GGUF file of it with a byte-level BPE of made-up tokens of up to four common letters, about three characters a token of English.
 * No token ends an answer. */
CHECKED genair_code random_lm_save(const struct random_lm *m, const char *path, genair_status *st);

#endif
