/* SPDX-License-Identifier: Apache-2.0 */
/* This module counts which items stand in the same histories (eq. 10).
 *
 * Row by row: an index lists in which sequences an item stands, and the row is summed over these in
 * an array of one counter an item; a sequence in which the item repeats is walked once. So pairs are never held, only an index of 4 bytes a position;
 * where that exceeds the memory given, items are done in blocks, each with one more pass over the
 * sequences. Against sorting all pairs on disk this moves 4 bytes a position instead of 8 a pair,
 * and rows are independent work. */
#ifndef GENAIR_WORKSPACE_COOCCURRENCE_H
#define GENAIR_WORKSPACE_COOCCURRENCE_H

#include "base/context.h"

#include <stddef.h>
#include <stdint.h>

/* Symmetric sparse counts C, both triangles, rows 0..n_items (row 0 empty), columns ascending. */
struct cooccurrence {
    uint32_t n_items;
    uint32_t max_count;
    uint64_t n_pairs;      /* unordered pairs with a count, self pairs included */
    const uint64_t *start; /* [n_items + 2] row offsets into item and count */
    const uint32_t *item;
    const uint32_t *count;
};

/* Sequence u is item[start[u]] .. item[start[u] + length[u] - 1], ids 1..n_items. Borrowed. */
struct item_lists {
    uint32_t n, n_items;
    const uint64_t *start;  /* [n] */
    const uint32_t *length; /* [n] */
    const uint32_t *item;
};

enum cooccurrence_rule {
    COOCCURRENCE_OCCURRENCE, /* each pair of places counts; an item that repeats has a pair with
                                itself */
    COOCCURRENCE_USER /* each pair of distinct items at most once a sequence; no self pairs */
};

/* Receives row `item` (1, 2, … n_items, each once, empty ones too); arrays borrowed for the call.
 */
typedef genair_code cooccurrence_row(void *context, uint32_t item, size_t n, const uint32_t *items,
                                     const uint32_t *counts, genair_status *st);
/* memory_bytes: for index and finished rows; beside it 17 bytes an item, and 8 (user rule: 12) an
 * item and thread. The rows do not depend on it, nor on the number of threads. Errors: those of
 * row; GENAIR_FORMAT when a count passes 2^32; GENAIR_INTERRUPTED. */
CHECKED genair_code cooccurrence_rows(genair_context *ctx, const struct item_lists *lists,
                                      enum cooccurrence_rule rule, size_t memory_bytes,
                                      cooccurrence_row *row, void *context, genair_status *st);

/* The whole table in memory. */
CHECKED genair_code cooccurrence_count(genair_context *ctx, const struct item_lists *lists,
                                       enum cooccurrence_rule rule, size_t memory_bytes,
                                       struct cooccurrence *out, genair_status *st);
void cooccurrence_free(struct cooccurrence *c); /* of cooccurrence_count; {0} is fine */

#endif
