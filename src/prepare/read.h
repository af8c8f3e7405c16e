/* SPDX-License-Identifier: Apache-2.0 */
/* This module streams interactions and item records out of the formats in which shops and data sets
 * come.
 *
 * Formats (docs/formats.md): delimited text with a header; Amazon reviews 2014, 2018, 2023; Yelp;
 * RecBole atomic files; MovieLens; plain or gzip, told by the first bytes. */
#ifndef GENAIR_PREPARE_READ_H
#define GENAIR_PREPARE_READ_H

#include "base/context.h"
#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { LINE_MAX_BYTES = 16 * 1024 * 1024 };

struct interaction {
    struct text user, item; /* borrowed until the next call */
    int64_t time;           /* milliseconds since 1970-01-01 UTC */
    double rating;          /* NaN when the file has none; it is checked, and no more */
};

struct read_options {
    genair_context *context; /* whose stop flag is looked at, and where progress and warnings go; NULL: none */
    const char *format;  /* "auto" or a name of the format table */
    bool skip_bad_lines; /* count and go on, instead of failing */
    bool may_skip;       /* the command has --on-bad-line, which failures then name */
    const char *item_name; /* items: what the log calls the item, from interactions_item_name; NULL or empty: unknown */
};

/* One reader goes through all files in turn. */
struct interaction_reader;
CHECKED genair_code interactions_open(const char *const *paths, size_t n_paths,
                                      const struct read_options *options,
                                      struct interaction_reader **out, genair_status *st);
/* *more is false at the end. A malformed line fails with file, line and reason, or is counted.
 * GENAIR_INTERRUPTED when the context was stopped. */
CHECKED genair_code interactions_next(struct interaction_reader *r, struct interaction *out,
                                      bool *more, genair_status *st);
uint64_t interactions_skipped(const struct interaction_reader *r);
/* What the first file calls the item, in plain form ("productid"), once a line was read; empty where it has no names.
 * As long as r. */
const char *interactions_item_name(const struct interaction_reader *r);
/* Of the files as stored, for progress. */
uint64_t interactions_bytes_read(const struct interaction_reader *r);
uint64_t interactions_bytes_total(const struct interaction_reader *r);
void interactions_close(struct interaction_reader *r); /* NULL is fine */

/* Times: a number is seconds or milliseconds by magnitude, milliseconds from 10^11 on (year 5138 in
 * seconds, 1973 in milliseconds), or always milliseconds where the column's name says so
 * ("timestamp_ms"). Dates ("2018-03-01 12:00:00", Yelp) are UTC unless they name a zone. All come
 * as milliseconds, so that files may be mixed. */

/* Item metadata: one record per item in normal form (spec §2): {"item_id", "name", "brand", "date",
 * "feature", "price", "rating", "description", "categories", …others under their own names}, text
 * with HTML entities resolved, nested lists flattened. */
struct item_reader;
CHECKED genair_code items_open(const char *const *paths, size_t n_paths,
                               const struct read_options *options, struct item_reader **out,
                               genair_status *st);
/* *record is the caller's (json_decref), NULL at the end. */
CHECKED genair_code items_next(struct item_reader *r, json_t **record, genair_status *st);
uint64_t items_skipped(const struct item_reader *r);
void items_close(struct item_reader *r); /* NULL is fine */
/* One record that stands alone: a JSON object, its numbers as texts; then in normal form. item_name: as in read_options.
 * GENAIR_USAGE says what is wrong. */
CHECKED genair_code items_parse(struct text object, json_t **raw, genair_status *st);
CHECKED genair_code items_normalise(json_t *raw, const char *item_name, json_t **record, genair_status *st);

#endif
