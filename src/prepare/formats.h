/* SPDX-License-Identifier: Apache-2.0 */
/* This module knows the input formats: their shapes and the names they give to user, item, time,
 * rating. */
#ifndef GENAIR_PREPARE_FORMATS_H
#define GENAIR_PREPARE_FORMATS_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* What is in the files. */
enum record_kind { KIND_INTERACTIONS, KIND_ITEMS };

enum shape { SHAPE_COMMA = 1, SHAPE_TAB = 2, SHAPE_COLONS = 4, SHAPE_JSON = 8 };

enum role { ROLE_USER, ROLE_ITEM, ROLE_TIME, ROLE_RATING, N_ROLES };

struct format {
    const char *name;
    unsigned shapes;
    /* Names of columns and keys that may fill a role, best first, in plain form: lower case,
     * letters and digits only. The role of an item in metadata files has its own list. */
    const char *roles[N_ROLES];
    const char *item_record;
    const char *positions[2]; /* by record_kind: columns of files without header; NULL: a header is
                                 needed */
};

/* GENAIR_USAGE with the list of names when there is none such. */
CHECKED genair_code format_find(const char *name, const struct format **out, genair_status *st);
const char *role_noun(enum role role); /* "user", … */
/* Rank of a column's name in a list as above, from 0; -1 when it is not there. */
int format_rank(const char *names, struct text column);
enum { FORMAT_WORD = 32 };
/* The name of the list that the column is, in plain form; empty when it is not there. */
void format_word(const char *names, struct text column, char out[FORMAT_WORD]);

/* "no column among … is the NOUN", with the names that are expected. columns: NULL for keys of
 * JSON. */
void missing_role(const char *noun, const char *names, const struct text *columns, size_t n_columns,
                  genair_status *bad);

/* What the first line of a file shows. */
struct layout {
    enum shape shape;
    char delimiter; /* ',', '\t'; ':' for "::" */
    bool quoted;    /* fields may stand in quotes (comma only) */
};
/* first: the first line of path that is not empty, and its number. Errors: GENAIR_FORMAT. */
CHECKED genair_code layout_recognise(const struct format *format, struct text first,
                                     const char *path, int64_t line, struct layout *out,
                                     genair_status *st);

#endif
