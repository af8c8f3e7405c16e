/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes items.jsonl: line i is item i's metadata in normal form, {"item_id": …} where
 * none is known; beside it metadata.bin, which record that was. Memory: 20 bytes an item, and the texts up to the limit given; more goes through a
 * temporary file. */
#ifndef GENAIR_PREPARE_ITEM_RECORDS_H
#define GENAIR_PREPARE_ITEM_RECORDS_H

#include "base/context.h"
#include "prepare/filter.h"

#include <jansson.h>


struct item_records;

struct item_record_counts {
    uint64_t n_with_metadata, n_unknown,
        n_repeated; /* unknown: of no item that stays; repeated: the first counts */
};

/* names: of the log; numbering: which of them stay. Both and directory borrowed. */
CHECKED genair_code item_records_create(const char *directory, const struct map *names,
                                        const struct numbering *numbering, size_t memory_bytes,
                                        struct item_records **out, genair_status *st);
void item_records_free(struct item_records *r);
CHECKED genair_code item_records_add(struct item_records *r, const json_t *record,
                                     genair_status *st);
CHECKED genair_code item_records_write(genair_context *ctx, struct item_records *r,
                                       const char *made_from, struct item_record_counts *counts,
                                       genair_status *st);

#endif
