/* SPDX-License-Identifier: Apache-2.0 */
/* This module takes new items into a workspace without training: it gathers them, gives those without vectors an
 * archetype (archetype/author.h), checks that a run can have them (model/new_items.h), and stores them. */
#ifndef GENAIR_INTAKE_INTAKE_H
#define GENAIR_INTAKE_INTAKE_H

#include "base/context.h"
#include "workspace/item_parts.h"
#include "workspace/dataset.h"

#include <jansson.h>

struct author;
struct intake;

/* run: one that is to recommend them. GENAIR_USAGE says why it cannot. data: borrowed. */
CHECKED genair_code intake_create(const char *workspace, const char *run, const struct dataset *data,
                                  struct intake **out, genair_status *st);
void intake_free(struct intake *in); /* NULL is fine */

/* record: in normal form, with "item_id"; a reference is kept. GENAIR_USAGE for an id that the log has, or that is
 * given twice; one that was added to the workspace before is replaced. */
CHECKED genair_code intake_add(struct intake *in, json_t *record, genair_status *st);
/* The vector of a part of the item added last, copied. GENAIR_USAGE for values that are not finite. */
CHECKED genair_code intake_vector(struct intake *in, enum item_part part, const float *values, size_t width,
                                  genair_status *st);
/* What the log called its items ("asin", in plain form), to find the id in a record; NULL: not known. Borrowed. */
const char *intake_item_name(const struct intake *in);
size_t intake_count(const struct intake *in);
struct text intake_id(const struct intake *in, size_t i); /* of an item, by its place from 0; borrowed */

struct intake_result {
    size_t added, replaced, described; /* replaced: had been added before; described: by author */
};
/* All are stored, or none is. author: describes those without a vector; NULL: GENAIR_USAGE when there are any. */
CHECKED genair_code intake_store(struct intake *in, genair_context *ctx, struct author *author,
                                 struct intake_result *out, genair_status *st);

#endif
