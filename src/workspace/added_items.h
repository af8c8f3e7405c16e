/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps the items that came after a workspace was prepared, in an SQLite file: record, archetype, and the
 * vectors of the language model. They belong to no run: each run that can makes of them what it makes of its own items.
 *
 * An item that was put is on the disk: it survives the end of the process and of the power. Several processes may put
 * and read at the same time. */
#ifndef GENAIR_WORKSPACE_ADDED_ITEMS_H
#define GENAIR_WORKSPACE_ADDED_ITEMS_H

#include "base/status.h"
#include "base/text.h"
#include "workspace/item_parts.h"

#include <stdint.h>

#define ADDED_ITEMS_FILE "added.sqlite"

struct added_item {
    struct text item;            /* its id */
    struct text record;          /* a JSON object in the form of items.jsonl */
    struct text archetype;       /* may be empty */
    const float *part[N_PARTS];  /* [width], or NULL */
    size_t width[N_PARTS];       /* 0 with NULL */
};

/* All of them, or on failure none. An item that is there already is replaced, and keeps its place. *replaced: how many. */
CHECKED genair_code added_items_put(const char *workspace, const struct added_item *items, size_t n, size_t *replaced,
                                    genair_status *st);
/* Takes them away: all, or none with GENAIR_USAGE when one of them was not added. As durable. */
CHECKED genair_code added_items_remove(const char *workspace, const struct text *items, size_t n, genair_status *st);

struct added_items {
    uint32_t n;
    struct added_item *items; /* [n] in the order in which they came */
    void *private_;           /* what they point into */
};
/* n is 0 where the workspace has none. GENAIR_FORMAT names the item whose row is damaged. */
CHECKED genair_code added_items_load(const char *workspace, struct added_items *out, genair_status *st);
void added_items_free(struct added_items *a); /* {0} is fine */

#endif
