/* SPDX-License-Identifier: Apache-2.0 */
/* This module finds for each user the SIMILAR_USERS others whose rows of a user matrix point most nearly the same way.
 *
 * The matrix is --user-semantic: a file, what train/user_vectors.h made, or the means of the text vectors of the items in each
 * user's training part. The list is the workspace's similar_users.npy, int32, recorded as stage "similar_users". */
#ifndef GENAIR_TRAIN_SIMILAR_USERS_H
#define GENAIR_TRAIN_SIMILAR_USERS_H

#include "base/context.h"
#include "model/method.h"
#include "workspace/manifest.h"
#include "workspace/stage_input.h"

#define SIMILAR_USERS_STAGE "similar_users"

/* What the matrix is: the hash of its file, which is noted in files, or of the stage that it comes from. Fails, naming the command to run, when the
 * workspace does not hold it. */
CHECKED genair_code similar_users_identity(const genair_context *ctx, struct workspace *w, const json_t *config,
                                           struct stage_inputs *files, char out[33], genair_status *st);
/* Makes the list where the workspace has none of this configuration's matrix. */
CHECKED genair_code similar_users_make(genair_context *ctx, struct workspace *w, const json_t *config, genair_status *st);
/* [n_users, SIMILAR_USERS] as in struct method_inputs: the workspace's, or found now and not kept. mem_free. */
CHECKED genair_code similar_users_open(genair_context *ctx, const char *workspace, const json_t *config,
                                       const struct dataset *data, int32_t **out, genair_status *st);
/* By cosine, 0 where a row is all zeros; equals by the lower number; none is its own. users: [n_users, width], scaled to
 * length 1 in place. Memory beside it: some 300 KiB a thread. Bytes do not depend on threads. out: mem_free. */
CHECKED genair_code similar_users_find(genair_context *ctx, float *users, size_t n_users, size_t width, int32_t **out,
                                       genair_status *st);

#endif
