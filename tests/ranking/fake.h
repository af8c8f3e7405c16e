/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset made in memory and scorers made of random vectors: what ranking needs of a workspace.
 */
#ifndef GENAIR_TESTS_RANKING_FAKE_H
#define GENAIR_TESTS_RANKING_FAKE_H

#include "ranking/scorer.h"
#include "workspace/dataset.h"

/* n_users histories of 0 to 12 items with repeats; the last is the test target, the one before the
 * validation target; users with fewer than 3 have none. */
struct dataset *fake_dataset(uint32_t n_users, uint32_t n_items, uint64_t seed);
void fake_dataset_free(struct dataset *d);

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
