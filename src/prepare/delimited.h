/* SPDX-License-Identifier: Apache-2.0 */
/* This module splits a delimited record into its fields. */
#ifndef GENAIR_PREPARE_DELIMITED_H
#define GENAIR_PREPARE_DELIMITED_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

enum split_result {
    SPLIT_DONE,
    SPLIT_INCOMPLETE, /* the record ends inside quotes: it goes on in the next line */
    SPLIT_WRONG       /* something stands behind a closing quote, at *wrong_at */
};

/* Splits at every delimiter (':' stands for "::"). With quoted, a field that starts with '"' runs
 * to the closing quote (RFC 4180): '""' is one quote, delimiters and line breaks are text. fields:
 * the first max are kept, in record or scratch; *n counts all. scratch: record.n bytes, used when
 * a field holds doubled quotes only. Pure: no allocation. */
enum split_result delimited_split(struct text record, char delimiter, bool quoted,
                                  struct text *fields, size_t max, char *scratch, size_t *n,
                                  size_t *wrong_at);

#endif
