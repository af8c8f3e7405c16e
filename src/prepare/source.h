/* SPDX-License-Identifier: Apache-2.0 */
/* This module turns a row of files into records, whatever is in them: fields of a line, or a line
 * of JSON. */
#ifndef GENAIR_PREPARE_SOURCE_H
#define GENAIR_PREPARE_SOURCE_H

#include "prepare/formats.h"
#include "prepare/read.h"

enum {
    COLUMNS_MAX = 1000,
    RECORD_MAX_LINES = 1000 /* of a record whose quoted fields hold line breaks */
};

/* Borrowed until the next call. */
struct record {
    struct layout layout;
    struct text line;           /* the whole record */
    const struct text *columns; /* [n_columns] names of the fields; none for JSON */
    const struct text *fields;  /* [n_columns] */
    size_t n_columns;
    bool header; /* a file begins: no line and no fields yet, but its layout and columns */
};

struct source;
CHECKED genair_code source_open(const char *const *paths, size_t n_paths,
                                const struct read_options *options, enum record_kind kind,
                                struct source **out, genair_status *st);
void source_close(struct source *s); /* NULL is fine */
/* *more is false behind the last file. Lines that cannot be split fail or are counted as source_bad
 * says. A file of which all lines were bad fails. Looks at the context's stop flag at each line. */
CHECKED genair_code source_next(struct source *s, struct record *out, bool *more,
                                genair_status *st);
/* The record just given is bad for the reason in bad. Counts it, or fails with file, line and
 * reason. A reason that is not in the data (memory) always fails. */
CHECKED genair_code source_bad(struct source *s, const genair_status *bad, genair_status *st);
/* For faults of the header: they cannot be passed over. */
CHECKED genair_code source_bad_header(const struct source *s, const genair_status *bad,
                                      genair_status *st);
/* A warning with the file and line of the record just given. */
void source_warn(const struct source *s, const char *message);

const struct format *source_format(const struct source *s);
uint64_t source_skipped(const struct source *s);
uint64_t source_bytes_read(const struct source *s);
uint64_t source_bytes_total(const struct source *s);

#endif
