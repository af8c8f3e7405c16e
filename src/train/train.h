/* SPDX-License-Identifier: Apache-2.0 */
/* This module trains runs in a workspace that the caller holds open, several at once if it likes. */
#ifndef GENAIR_TRAIN_TRAIN_H
#define GENAIR_TRAIN_TRAIN_H

#include "base/context.h"
#include "workspace/manifest.h"

#include <pthread.h>

/* As genair_train, but a checkpoint of the same inputs is gone on from, and one of others thrown away, whatever --resume
 * says; the workspace is open for writing. From several threads at once, each with a context and
 * a --run of its own: guard is held while the manifest is read or written. */
CHECKED genair_code train_within(genair_context *ctx, const genair_options *options, struct workspace *workspace,
                                 pthread_mutex_t *guard, char **json, genair_status *st);
/* Has the language model of --model read what runs of the method need, before the first of them, which then want no --model:
 * it is fine-tuned for llmemb, unless --semantic names vectors (semantic_named), and makes vectors of users for llm-esr
 * (users_are_read). Nothing that is there already is made again. */
CHECKED genair_code train_read_texts(genair_context *ctx, const genair_options *options, const char *method, bool semantic_named,
                                    bool users_are_read, struct workspace *w, genair_status *st);
/* Warns, and says so, when runs of the method read the workspace's own item matrix, and that was made of other vectors than
 * are there now. items, semantic: of these options, or NULL. */
bool train_warn_of_fused(const genair_context *ctx, const char *method, const char *items, const char *semantic,
                         const struct workspace *w);
/* Forgets a run, finished or begun, and removes its files; one that is not there is fine. */
CHECKED genair_code train_remove(struct workspace *workspace, pthread_mutex_t *guard, const char *name,
                                 genair_status *st);

#endif
