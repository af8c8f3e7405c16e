/* SPDX-License-Identifier: Apache-2.0 */
/* Small models of any method, with steps over made-up histories: for tests of src/model. */
#ifndef GENAIR_TESTS_MODEL_TRAINED_H
#define GENAIR_TESTS_MODEL_TRAINED_H

#include "model/method.h"

enum { TRAINED_ITEMS = 40, TRAINED_USERS = 24, TRAINED_WIDTH = 8, TRAINED_LENGTH = 6 };

struct trained {
    struct parallel *parallel;
    struct method_inputs inputs;
    struct model *model;
};

/* options: JSON text. matrix: [TRAINED_ITEMS, width] or NULL. inputs of t that are set stay. */
void trained_open(struct trained *t, enum backbone backbone, const struct method *method, const char *options,
                  const float *matrix, size_t width, double dropout);
void trained_close(struct trained *t);
/* The same batches for every model of a backbone; valid until the next call. */
void trained_batch(const struct trained *t, uint64_t number, struct batch *out);
/* Every dense parameter's gradient of the whole loss against differences. Without dropout. */
void trained_check_gradients(struct trained *t, const struct batch *b);
/* Steps with Adam over the same batches for every model of a backbone; returns the last losses. */
struct step_losses trained_steps(struct trained *t, size_t n);
/* Every parameter that both have under one name is equal, to the byte; returns how many there are. */
size_t trained_same(const struct trained *a, const struct trained *b);
/* Histories of 1 to 5 items, the small numbers often. */
const struct dataset *trained_data(void);
float *trained_matrix(size_t width, uint64_t seed); /* normal; mem_free */

#endif
