/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes the text that LLMEmb's language model reads of an item (Liu et al., 2025): a line that says what
 * follows, then "name is value" of each attribute, in the order and number that a view of the item has. */
#ifndef GENAIR_TUNE_VIEWS_H
#define GENAIR_TUNE_VIEWS_H

#include "base/status.h"
#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct view_style {
    const char *noun;
    size_t characters; /* of a value at most */
    double drop;       /* share of the attributes that a view lacks: the last floor(drop m) of m */
    uint64_t seed;
};

/* Memory, reused from text to text; starts with {0}. */
struct view {
    char *text;
    size_t n, capacity;
    size_t *order; /* [n_attributes] in the record's numbering; the first n_kept stand in the text */
    size_t order_capacity, n_attributes, n_kept;
};
void view_deinit(struct view *v);

/* All attributes in the record's order. record: texts by name, or NULL. "item_id", other ids, coordinates, images, ranks and
 * lists of related items are no attributes. */
CHECKED genair_code view_whole(struct view *v, json_t *record, const struct view_style *style, genair_status *st);
/* A shuffled part of them, by (seed, visit). Of a single attribute nothing stays when anything is to be dropped. */
CHECKED genair_code view_part(struct view *v, json_t *record, const struct view_style *style, uint64_t visit,
                              genair_status *st);

#endif
