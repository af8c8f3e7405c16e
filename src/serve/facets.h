/* SPDX-License-Identifier: Apache-2.0 */
/* This module knows which items have a value of an attribute: the whole of its text, or, where that is a list, one of the
 * texts between the commas. */
#ifndef GENAIR_SERVE_FACETS_H
#define GENAIR_SERVE_FACETS_H

#include "workspace/catalogue.h"

struct facets;
struct map; /* base/map.h */

/* Reads every record once. */
CHECKED genair_code facets_create(const struct catalogue *c, struct text attribute, struct facets **out, genair_status *st);
void facets_free(struct facets *f); /* NULL is fine */
/* The names of the attributes that any item has. Reads every record once; map_free. */
CHECKED genair_code facets_attributes(const struct catalogue *c, struct map **out, genair_status *st);
/* The items with that value, ascending, *n of them; NULL when none has it. Any thread. */
const uint32_t *facets_items(const struct facets *f, struct text value, size_t *n);

#endif
