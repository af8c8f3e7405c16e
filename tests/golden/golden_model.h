/* SPDX-License-Identifier: Apache-2.0 */
/* This module builds models and their inputs from golden cases. Item ids of a case are 0-based, the
 * library's start at 1; -1 is the mask token. Tables of the library have a row 0 of zeros first. */
#ifndef GENAIR_TESTS_GOLDEN_MODEL_H
#define GENAIR_TESTS_GOLDEN_MODEL_H

#include "golden/golden.h"
#include "model/model.h"

/* Sizes and settings of "hyper", without the item table's width (fused_width). n_positions is 1 past the
 * longest sequence that the case's position table allows, or all tokens for a model without one. */
struct model_config golden_config(struct golden *g);
/* NULL, and the case failed, when it cannot be made. Free with model_free. */
struct model *golden_model(struct golden *g, const struct model_config *config, const float *fused,
                           const struct adam_options *adam);
struct adam_options golden_adam(struct golden *g); /* "hyper"."adam", or the library's default */

/* Every parameter whose name begins with prefix from its array param.NAME. */
void golden_set_parameters(struct golden *g, struct model *m, const char *prefix);
/* Against STEP.NAME ("step1", …). */
void golden_expect_parameters(struct golden *g, struct model *m, const char *step);
/* Dense parameters' gradients against grad.NAME; one that no backward wrote counts as 0. */
void golden_expect_gradients(struct golden *g, struct model *m, const char *prefix);

/* Item ids to the library's, -1 to MASK_ROW. */
const uint32_t *golden_items(struct golden *g, const char *array, size_t n_items, size_t *n);
/* Sequence offsets; array NULL: "in.offsets". */
const uint32_t *golden_offsets(struct golden *g, const char *array, size_t *n_sequences);
/* in.cooc_pairs and in.cooc_counts as the library's table. */
const struct cooccurrence *golden_pair_counts(struct golden *g, size_t n_items);

/* A tape without a model, training, first step; deinit it. false: the case failed. */
bool golden_tape(struct golden *g, struct tape *t);
/* A tensor of the tape with the array's values and a gradient. */
struct tensor *golden_tensor(struct golden *g, struct tape *t, const char *array, size_t rows, size_t cols);
/* Differentiates sum(y * cotangent): runs the backward pass; returns the sum. */
double golden_backward(struct golden *g, struct tape *t, struct tensor *y, const char *cotangent);

#endif
