/* SPDX-License-Identifier: Apache-2.0 */
/* This module finds the matrix row of every item: by name, by record of the metadata, or by number.
 */
#ifndef GENAIR_FUSE_ITEM_ROWS_H
#define GENAIR_FUSE_ITEM_ROWS_H

#include "workspace/dataset.h"

#include <stddef.h>

struct item_rows {
    const char *order; /* "ids": a file of names; "metadata": records given to prepare; "items":
                          item 1 first */
    size_t *row;       /* [n_items + 1], entry 0 not used; released with item_rows_deinit */
    size_t n_unused;   /* rows of items that the workspace does not have */
};

/* ids: a file with the name of each row's item, a line each, or NULL. matrix, n_rows: path and
 * rows, for the choice and the messages. Errors: GENAIR_FORMAT when a name stands twice, an item
 * has no row, or the number of rows fits no order. */
CHECKED genair_code item_rows_find(const char *workspace, const struct dataset *d, const char *ids,
                                   const char *matrix, size_t n_rows, struct item_rows *out,
                                   genair_status *st);
void item_rows_deinit(struct item_rows *r); /* {0} is fine */

#endif
