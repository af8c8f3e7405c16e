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
/* Fails with GENAIR_USAGE when path, given as --option, is a file that the workspace's manifest lists, the manifest, or
 * a database of the workspace's. */
CHECKED genair_code stage_output_check(const char *workspace, const char *option, const char *path, genair_status *st);

#endif
