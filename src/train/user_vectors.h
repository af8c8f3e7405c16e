/* SPDX-License-Identifier: Apache-2.0 */
/* This module has a language model read what each user chose in training: --user-semantic llm.
 *
 * The prompt names the items in the order of time, the latest 8000 characters of their names, and asks for the user's
 * preference; the vector is the mean of the prompt's states, as an item's prefill vector is. Nothing is kept of the answer. The
 * vectors are the workspace's user_vectors.npy, float32, recorded as stage "user_vectors". */
#ifndef GENAIR_TRAIN_USER_VECTORS_H
#define GENAIR_TRAIN_USER_VECTORS_H

#include "base/context.h"
#include "base/options.h"
#include "workspace/manifest.h"

#define USER_VECTORS "user_vectors.npy"
#define USER_VECTORS_STAGE "user_vectors"

/* With --model: makes them unless the workspace has those of this model and data. Without: fails unless it has some of this
 * data. */
CHECKED genair_code user_vectors_make(genair_context *ctx, const genair_options *options, struct workspace *w,
                                      genair_status *st);
/* The failure that says so: always GENAIR_USAGE. */
genair_code user_vectors_missing(const struct workspace *w, genair_status *st);

#endif
