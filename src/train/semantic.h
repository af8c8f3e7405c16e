/* SPDX-License-Identifier: Apache-2.0 */
/* This module opens the semantic matrix of --semantic and makes of it what a method reads. */
#ifndef GENAIR_TRAIN_SEMANTIC_H
#define GENAIR_TRAIN_SEMANTIC_H

#include "base/context.h"
#include "model/method.h"
#include "workspace/manifest.h"
#include "workspace/stage_input.h"

/* What the matrix of the configuration is: the hash of its stage, or of its file, which is noted in files. Fails, naming
 * the command to run, when the workspace does not hold it. */
CHECKED genair_code semantic_identity(const genair_context *ctx, struct workspace *w, const json_t *config,
                                      struct stage_inputs *files, char out[33], genair_status *st);

/* Whether a value of --semantic is a file rather than a word. */
bool semantic_is_file(const char *name);

/* The rows as they are, released with mem_free. */
CHECKED genair_code semantic_raw(const char *workspace, const json_t *config, const struct dataset *data,
                                 struct method_matrix *out, genair_status *st);
/* A .npy file of n_rows rows of finite floats, scaled to length 1 if unit; whose names them in messages: "items". Released
 * with mem_free. */
CHECKED genair_code float_matrix_read(const char *path, size_t n_rows, const char *whose, bool unit,
                                      struct method_matrix *out, genair_status *st);

/* The values are released with mem_free. A PCA that finds fewer components than asked for says so, and the first
 * matrix, where a table starts from it, is reported with its scale. */
CHECKED genair_code semantic_open(genair_context *ctx, const char *workspace, const json_t *config,
                                  const struct dataset *data, const struct matrix_request *request,
                                  struct method_matrix *out, genair_status *st);

#endif
