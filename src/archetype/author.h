/* SPDX-License-Identifier: Apache-2.0 */
/* This module describes further items the way those of a workspace were described: with the same language model,
 * template and way of choosing words, as the record of the vectors remembers them. */
#ifndef GENAIR_ARCHETYPE_AUTHOR_H
#define GENAIR_ARCHETYPE_AUTHOR_H

#include "base/context.h"
#include "base/text.h"
#include "workspace/archetypes.h"

#include <jansson.h>

struct author;

/* run: one that is to recommend them. template: as given to `archetype`, or NULL. GENAIR_USAGE when the model or template is
 * not the one that the vectors behind the run were made with, or when these cannot be known. workspace and run are borrowed.
 * One thread at a time. */
CHECKED genair_code author_open(const char *workspace, const char *run, const char *model, const char *template,
                                struct author **out, genair_status *st);
void author_close(struct author *a); /* NULL is fine */

struct author_item {
    struct text name;
    json_t *record; /* in the form of items.jsonl */
};
/* Calls take for each item, by its place from 0, in any order; row is borrowed. GENAIR_FORMAT names an item for which the
 * model gave no finite vectors; GENAIR_USAGE when the run's vectors are of other settings now. Reads the model's weights. */
typedef genair_code author_take(void *user, size_t place, const struct archetype *row, size_t width, genair_status *st);
CHECKED genair_code author_describe(struct author *a, genair_context *ctx, const struct author_item *items, size_t n,
                                    author_take *take, void *user, genair_status *st);

#endif
