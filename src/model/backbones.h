/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the forward passes of the sequence models and the projector, from named parameters. */
#ifndef GENAIR_MODEL_BACKBONES_H
#define GENAIR_MODEL_BACKBONES_H

#include "model/model.h"

/* Adds a backbone's parameters to m->parameters. */
CHECKED genair_code transformer_parameters(struct model *m, genair_status *st);
CHECKED genair_code gru4rec_parameters(struct model *m, genair_status *st);
CHECKED genair_code projector_parameters(struct model *m, genair_status *st);

/* table: [n, d] item vectors, index: [T] rows of it or MASK_ROW. Returns [T, d]. */
struct tensor *transformer_forward(struct model *m, struct tensor *table, const uint32_t *index,
                                   const uint32_t *offsets, size_t n_sequences);
struct tensor *gru4rec_forward(struct model *m, struct tensor *table, const uint32_t *index,
                               const uint32_t *offsets, size_t n_sequences);

/* The same from the sequences' input x [T, m->width]. */
struct tensor *transformer_states(struct model *m, struct tensor *x, const uint32_t *offsets, size_t n_sequences);
struct tensor *gru4rec_states(struct model *m, struct tensor *x, const uint32_t *offsets, size_t n_sequences);
/* Operations of the backbone alone over a history of n items. */
double backbone_flops(const struct model *m, size_t n);

/* Adds a parameter: a matrix is drawn (xavier-normal), a vector is filled. */
CHECKED genair_code add_matrix(struct model *m, const char *name, size_t rows, size_t cols, double gain,
                                    genair_status *st);
CHECKED genair_code add_vector(struct model *m, const char *name, size_t n, float value, genair_status *st);
/* Adds NAME.weight [out, in], xavier-normal, and NAME.bias [out], uniform within 1 / sqrt(in). */
CHECKED genair_code add_linear(struct model *m, const char *name, size_t out, size_t in, genair_status *st);
/* Adds the trained table of item vectors, its rows from 1 a copy of start ([n_items, width]) or drawn. */
CHECKED genair_code add_table(struct model *m, const char *name, size_t width, const float *start, genair_status *st);
/* Adds NAME.lin1 and NAME.lin2, two linear layers without an activation between them: weights drawn, biases 0. */
CHECKED genair_code add_adapter(struct model *m, const char *name, size_t in, size_t hidden, size_t out, genair_status *st);
/* W2 (W1 x + b1) + b2; of x = 0, [1, out]. */
struct tensor *adapter_of(struct model *m, const char *name, struct tensor *x);
struct tensor *adapter_of_zero(struct model *m, const char *name);
/* The named parameter as a tensor of this step. */
struct tensor *parameter_named(struct model *m, const char *format, ...) PRINTF(2, 3);
/* x W^T + b with W = NAME.weight, b = NAME.bias. */
struct tensor *linear_named(struct model *m, struct tensor *x, const char *name);

#endif
