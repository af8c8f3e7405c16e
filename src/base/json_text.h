/* SPDX-License-Identifier: Apache-2.0 */
/* This module is how JSON becomes text and text JSON: whole or not at all. A value whose parts were not all made, for want of
 * memory, looks to jansson like one that never had them, and of a text that it has no room for it drops bytes. */
#ifndef GENAIR_BASE_JSON_TEXT_H
#define GENAIR_BASE_JSON_TEXT_H

#include "base/status.h"
#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>

/* Watches jansson's allocations from here on, in every thread, unless the process has given it an allocator of its own.
 * Memory stays malloc's. */
void json_watch(void);

/* Whether one has failed in this thread since it was last asked, or a failure was told by fail_memory. */
bool json_lost(void);

/* json_dumps's text, to be given to free(); NULL when memory is or was out, or value is NULL. */
char *json_text(const json_t *value, size_t flags);

/* The hash of before ("": nothing) and behind it the value's compact text with sorted keys. false: memory is or was out,
 * or value is NULL. */
CHECKED bool json_hash(const char *before, const json_t *value, char out[33]);

/* json_loadb. *out: NULL on failure. Errors: GENAIR_MEMORY; GENAIR_FORMAT with where and what in *error, st left to the caller, who knows
 * what the text is. error: may be NULL. */
CHECKED genair_code json_read(struct text text, size_t flags, json_t **out, json_error_t *error, genair_status *st);

/* A file of at most limit bytes that holds one JSON value, no key twice. *out: NULL on failure. Errors: as file_read; GENAIR_FORMAT naming
 * file and line. */
CHECKED genair_code json_file_read(const char *path, size_t limit, json_t **out, genair_status *st);
/* The same of a file that one can do without: *out is NULL where it is missing, damaged or unreadable. Error: GENAIR_MEMORY. */
CHECKED genair_code json_file_try(const char *path, size_t limit, json_t **out, genair_status *st);

#endif
