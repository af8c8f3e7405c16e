/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes what a ranking found as tab-separated text, for other programs, and reads ranks back. Names are those of the log;
 * tab, newline, carriage return and backslash in them are written as \t, \n, \r, \\. Files are replaced whole. */
#ifndef GENAIR_RANKING_RANKS_FILE_H
#define GENAIR_RANKING_RANKS_FILE_H

#include "ranking/ranking.h"

#include <stdbool.h>

struct writer;


/* A line a user: user, target, rank (0 is the best), ties. */
CHECKED genair_code ranks_file_write(const char *path, const struct dataset *data,
                                     const struct ranking_result *result, genair_status *st);
/* What evaluate stored as DIRECTORY/ranks-PART-PROTOCOL.tsv (directory: of the run) for this dataset; *found is
 * false when there is none. Lists are not in it. Errors: GENAIR_FORMAT with the line that is not as ranks_file_write
 * writes it. Released with ranking_result_free where found. */
CHECKED genair_code ranks_file_read(const char *directory, const struct dataset *data, enum part part,
                                    enum protocol protocol, struct ranking_result *out, bool *found,
                                    genair_status *st);
/* That path, released with mem_free; NULL when memory is out. */
char *ranks_file_path(const char *directory, enum part part, enum protocol protocol);
/* A line for each item of each user's list, best first: user, item, place (1 is the first). result: of the full
 * protocol. */
CHECKED genair_code lists_file_write(const char *path, const struct dataset *data,
                                     const struct ranking_result *result, genair_status *st);

#endif
