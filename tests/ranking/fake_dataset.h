/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset made in memory: what ranking and the closed forms need of a workspace. Its file takes
 * the place of workspace/dataset.c in a program. */
#ifndef GENAIR_TESTS_RANKING_FAKE_DATASET_H
#define GENAIR_TESTS_RANKING_FAKE_DATASET_H

#include "workspace/dataset.h"

/* n_users histories of 0 to 12 items with repeats; the last is the test target, the one before the
 * validation target; users with fewer than 3 have none. */
struct dataset *fake_dataset(uint32_t n_users, uint32_t n_items, uint64_t seed);
void fake_dataset_free(struct dataset *d);

#endif
