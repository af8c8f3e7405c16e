/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps a long sequence of records in memory up to a limit, and beyond it in a nameless
 * file (which the system removes when the process ends, however it ends). */
#ifndef GENAIR_BASE_SPILL_H
#define GENAIR_BASE_SPILL_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spill;

/* directory: where the file goes if it is needed, borrowed. limit_bytes: held in memory; more is
 * written. record_bytes: blocks hold whole records. */
CHECKED genair_code spill_create(const char *directory, size_t record_bytes, size_t limit_bytes,
                                 struct spill **out, genair_status *st);
void spill_free(struct spill *s);
CHECKED genair_code spill_add(struct spill *s, const void *records, size_t n, genair_status *st);
uint64_t spill_count(const struct spill *s); /* records added */
bool spill_on_disk(const struct spill *s);

/* Reading from the start, any number of times, after the last spill_add: spill_rewind, then blocks
 * until *n is 0. The block is borrowed until the next call. */
CHECKED genair_code spill_rewind(struct spill *s, genair_status *st);
CHECKED genair_code spill_next(struct spill *s, const void **records, size_t *n, genair_status *st);
/* n records from the first-th on. */
CHECKED genair_code spill_read(struct spill *s, uint64_t first, void *records, size_t n,
                               genair_status *st);

#endif
