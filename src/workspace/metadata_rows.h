/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps in which record of the item metadata each item stood, so that a matrix whose
 * rows follow the metadata can be told apart from the items' own order. */
#ifndef GENAIR_WORKSPACE_METADATA_ROWS_H
#define GENAIR_WORKSPACE_METADATA_ROWS_H

#include "base/status.h"

#include <stdint.h>

#define METADATA_ROWS_FILE "metadata.bin"
#define METADATA_ROW_NONE UINT64_MAX

/* row: [n_items + 1], record of each item counted from 0 over all metadata files, or
 * METADATA_ROW_NONE; entry 0 is not used. n_records: all that were read, those of items that did
 * not stay included; 0: no metadata. */
CHECKED genair_code metadata_rows_write(const char *workspace, const char *made_from,
                                        uint64_t n_records, const uint64_t *row, uint32_t n_items,
                                        genair_status *st);
/* row: [n_items + 1], released with mem_free. */
CHECKED genair_code metadata_rows_read(const char *workspace, uint32_t n_items, uint64_t *n_records,
                                       uint64_t **row, genair_status *st);

#endif
