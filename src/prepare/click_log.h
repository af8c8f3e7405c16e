/* SPDX-License-Identifier: Apache-2.0 */
/* This module collects the raw interactions in file order, names replaced by numbers.
 *
 * Memory: the names (base/map.h) and 4 bytes a name, and the clicks up to the limit given: 16 bytes
 * each, beyond it in a temporary file that is read in order a few times. */
#ifndef GENAIR_PREPARE_CLICK_LOG_H
#define GENAIR_PREPARE_CLICK_LOG_H

#include "base/map.h"
#include "base/spill.h"

struct click {
    uint32_t user, item; /* numbers of the names */
    int64_t time;        /* milliseconds */
};

struct click_log {
    struct map *users, *items;
    uint32_t *user_count, *item_count; /* interactions of each name, at most UINT32_MAX */
    size_t user_capacity, item_capacity;
    struct spill *clicks; /* of struct click */
    uint64_t n;
    struct pending *pending; /* the last few clicks, whose names have no number yet */
};

/* directory: for temporary files, borrowed. */
CHECKED genair_code click_log_init(struct click_log *log, const char *directory,
                                   size_t memory_bytes, genair_status *st);
void click_log_deinit(struct click_log *log); /* {0} is fine */
CHECKED genair_code click_log_add(struct click_log *log, struct text user, struct text item,
                                  int64_t time, genair_status *st);
/* After the last click_log_add, before clicks and counts are looked at. */
CHECKED genair_code click_log_finish(struct click_log *log, genair_status *st);

#endif
