/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes what a ranking found as tab-separated text, for other programs. Names are those of the log;
 * tab, newline, carriage return and backslash in them are written as \t, \n, \r, \\. Files are replaced whole. */
#ifndef GENAIR_RANKING_RANKS_FILE_H
#define GENAIR_RANKING_RANKS_FILE_H

#include "ranking/ranking.h"

struct writer;

CHECKED genair_code put_tsv_name(struct writer *w, struct text name, genair_status *st);

/* A line a user: user, target, rank (0 is the best), ties. */
CHECKED genair_code ranks_file_write(const char *path, const struct dataset *data,
                                     const struct ranking_result *result, genair_status *st);
/* A line for each item of each user's list, best first: user, item, place (1 is the first). result: of the full
 * protocol. */
CHECKED genair_code lists_file_write(const char *path, const struct dataset *data,
                                     const struct ranking_result *result, genair_status *st);

#endif
