/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads archetypes that were written elsewhere: JSON lines of an item and its text. */
#ifndef GENAIR_ARCHETYPE_TEXTS_H
#define GENAIR_ARCHETYPE_TEXTS_H

#include "base/text.h"
#include "workspace/dataset.h"

struct texts;

/* {"item": ID, "archetype": TEXT}, plain or gzip; "id" or "item_id", and "text", will do as well,
 * other keys are passed over. Errors: GENAIR_FORMAT with the line for a line that is no such
 * object, an empty text, an item twice. Memory: all texts. path is borrowed. */
CHECKED genair_code texts_read(const char *path, const struct dataset *d, struct texts **out,
                               genair_status *st);
void texts_free(struct texts *t); /* NULL is fine */
/* The text of an item, without white space around it; empty when the file has none. */
struct text texts_of(const struct texts *t, uint32_t item);
/* Where it stands: the path, and the line. */
const char *texts_place(const struct texts *t, uint32_t item, int64_t *line);
size_t texts_unused(const struct texts *t); /* lines of items that are not in the workspace */

#endif
