/* SPDX-License-Identifier: Apache-2.0 */
/* Scorers made of random vectors. */
#ifndef GENAIR_TESTS_RANKING_FAKE_MODEL_H
#define GENAIR_TESTS_RANKING_FAKE_MODEL_H

#include "ranking/scorer.h"

/* A model: user vector = sum of the vectors of its history. Values are small integers when exact,
 * so that every product is exact in float32 and ties are many. */
struct fake_model {
    struct scorer scorer; /* encode */
    struct scorer rows;   /* scores: the same numbers as rows */
    float *vectors;
    size_t width;
};
struct fake_model *fake_model(uint32_t n_items, size_t width, int exact, uint64_t seed);
void fake_model_free(struct fake_model *m);

#endif
