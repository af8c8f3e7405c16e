/* SPDX-License-Identifier: Apache-2.0 */
/* This module stores every user's rank beside its run, for other programs. */
#ifndef GENAIR_EVALUATE_RANKS_FILE_H
#define GENAIR_EVALUATE_RANKS_FILE_H

#include "ranking/ranking.h"

#include <stdbool.h>

/* Replaces WORKSPACE/runs/RUN/ranks-PART-PROTOCOL.tsv: a line a user, "user target rank ties",
 * names as in the log, rank 0 the best. Tab, newline, carriage return and backslash in names are
 * written as \t, \n, \r, \\. *written is false where the run's folder cannot be written to, which
 * is no failure. */
CHECKED genair_code ranks_file_write(const char *workspace, const char *run,
                                     const struct dataset *data,
                                     const struct ranking_result *result, bool *written,
                                     genair_status *st);

#endif
