/* SPDX-License-Identifier: Apache-2.0 */
/* This module gives tokens that occur in the same examples similar embeddings, before training.
 *
 * Rows of the positive pointwise mutual information of tokens within an example (Bullinaria and Levy, 2007), on its
 * strongest directions, each scaled to the row's length and mixed half and half with what the row held, so that tokens of one
 * company stay apart. Costs seconds and saves most of a short training, which otherwise first learns what answers look
 * like and late that they depend on the question. */
#ifndef GENAIR_DATA_MODEL_LIKENESS_H
#define GENAIR_DATA_MODEL_LIKENESS_H

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "tensor/parameters.h"

struct likeness;

struct likeness *likeness_create(size_t n_tokens); /* NULL when memory is out */
void likeness_free(struct likeness *l);            /* NULL is fine */
/* An example's tokens, in any order, with repetitions. */
void likeness_count(struct likeness *l, const uint32_t *tokens, size_t n);
/* embedding: [n_tokens, width]. Rows of tokens that were never counted stay as they are. */
CHECKED genair_code likeness_start(struct likeness *l, struct parallel *parallel, const struct kernels *kernels,
                                   struct parameter *embedding, genair_status *st);

#endif
