/* SPDX-License-Identifier: Apache-2.0 */
/* This module looks at a file of the user's before a stage reads or writes it. */
#ifndef GENAIR_WORKSPACE_STAGE_INPUT_H
#define GENAIR_WORKSPACE_STAGE_INPUT_H

#include "base/status.h"

#include <stddef.h>

#define EVENTS_FILE "events.sqlite" /* what serve is told, unless it is told where */

/* Fails with GENAIR_USAGE when path, given as --option, is no regular file, or is the file that stands under one of
 * the names outputs in the directory workspace: the stage would put its own in that one's place. A file that is not
 * there is for its reader to report. */
CHECKED genair_code stage_input_check(const char *workspace, const char *const *outputs, size_t n_outputs,
                                      const char *option, const char *path, genair_status *st);
/* The files by whose content a stage is recorded, each as it was before that was looked at. {0}: none. */
struct stage_inputs {
    struct stage_input *files;
    size_t n, capacity;
};
/* The content's hash (base/files.h), and a note of the file. path is borrowed. */
CHECKED genair_code stage_inputs_hash(struct stage_inputs *s, const genair_context *ctx, const char *path, char out[33],
                                      genair_status *st);
/* Asked once they are read: GENAIR_IO for one of another content now, so that what was read may not be what was hashed. */
CHECKED genair_code stage_inputs_unchanged(const struct stage_inputs *s, genair_status *st);
void stage_inputs_free(struct stage_inputs *s);

/* Fails with GENAIR_USAGE when path, given as --option, is a file that the workspace's manifest lists, the manifest, or
 * a database of the workspace's. */
CHECKED genair_code stage_output_check(const char *workspace, const char *option, const char *path, genair_status *st);

#endif
