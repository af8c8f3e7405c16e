/* SPDX-License-Identifier: Apache-2.0 */
/* This module is how JSON becomes text: whole or not at all. A value whose parts were not all made, for want of memory, looks to
 * jansson like one that never had them. */
#ifndef GENAIR_BASE_JSON_TEXT_H
#define GENAIR_BASE_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>

/* Watches jansson's allocations from here on, in every thread, unless the process has given it an allocator of its own.
 * Memory stays malloc's. */
void json_watch(void);

/* Whether one has failed in this thread since it was last asked. */
bool json_lost(void);

/* json_dumps's text, to be given to free(); NULL when memory is or was out, or value is NULL. */
char *json_text(const json_t *value, size_t flags);

#endif
