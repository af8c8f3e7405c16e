/* SPDX-License-Identifier: Apache-2.0 */
/* This module runs the readers over files for the tests, as text that can be compared. */
#ifndef GENAIR_TESTS_PREPARE_READING_H
#define GENAIR_TESTS_PREPARE_READING_H

#include "genair.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line a record: "user|item|time|rating" ("-" without rating), or the item as JSON. */
struct reading {
    char *text; /* freed with reading_free; never NULL */
    uint64_t n_records, n_skipped;
    genair_status st;
};

struct reading read_all(bool items, const char *format, bool skip, const char *const *paths,
                        size_t n_paths);
struct reading read_one(bool items, const char *format, bool skip, const char *path);
void reading_free(struct reading *r);

/* Whole file, NUL added; NULL when it is not there. Freed with free. */
char *slurp(const char *path, size_t *size);
void spill(const char *path, const void *data, size_t size); /* writes a file, or fails the test */
/* data as gzip in n_members members, written to path. */
void spill_gzip(const char *path, const void *data, size_t size, int n_members);

#endif
