/* SPDX-License-Identifier: Apache-2.0 */
/* This module brings the record of an item into normal form (spec §2). */
#ifndef GENAIR_PREPARE_NORMALISE_H
#define GENAIR_PREPARE_NORMALISE_H

#include "prepare/formats.h"

#include <jansson.h>

/* raw: an object as the file has it (strings, lists, objects, booleans, null), borrowed. *out, the
 * caller's: "item_id", then those present of "name", "brand", "date", "feature", "price", "rating",
 * "description", "categories", then the others under their own names in the order of the file.
 * Every value is a string that is not empty: lists flattened and joined by ", " (of a description
 * by " "), objects as "key: value", a category that repeats left out, categories between bars
 * split, HTML entities resolved, runs of white space (U+00A0 too) and control characters one space. An id is
 * taken as it is. Of several names for one attribute ("brand", "store") the first in our order that
 * has a value gives it; the others stay under their own names. What the record itself lacks is also
 * looked for in its object "details". The id is the key called item_name, in plain form, where there is one that the
 * format knows (NULL or empty: none), else the format's best.
 * Errors: GENAIR_FORMAT, GENAIR_MEMORY. */
CHECKED genair_code item_normalise(const struct format *format, const char *item_name, json_t *raw, json_t **out,
                                   genair_status *st);

#endif
