/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads and replaces whole files so that a crash at any moment leaves the old or the
 * new one. */
#ifndef GENAIR_BASE_FILES_H
#define GENAIR_BASE_FILES_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- a file written beside its name, renamed when complete ---- */
struct writer;
/* A pipe, a terminal or another device of characters, and what stands under /dev/fd, is written at once and not
 * replaced, so that a failure leaves a part there. GENAIR_IO: a directory, another device, or it cannot be created. */
CHECKED genair_code writer_open(const char *path, struct writer **out, genair_status *st);
/* Removes what killed processes left of path unfinished. Nobody may be writing it. */
void writer_remove_leftovers(const char *path);
/* Buffered; the first failure sticks and is reported by every later call. */
CHECKED genair_code writer_put(struct writer *w, const void *data, size_t size, genair_status *st);
CHECKED genair_code writer_printf(struct writer *w, genair_status *st, const char *format, ...)
    PRINTF(3, 4);
uint64_t writer_bytes(const struct writer *w); /* so far */
/* All of it is on disk afterwards: a later writer_commit only renames. */
CHECKED genair_code writer_sync(struct writer *w, genair_status *st);
/* Flushes, syncs, renames, syncs the directory. Frees w in any case. */
CHECKED genair_code writer_commit(struct writer *w, genair_status *st);
void writer_abandon(struct writer *w); /* removes the temporary file; NULL is fine */

CHECKED genair_code file_replace(const char *path, const void *data, size_t size,
                                 genair_status *st);
/* Whole content, NUL added after size bytes, caller frees with mem_free. limit: refused above. */
CHECKED genair_code file_read(const char *path, size_t limit, char **data, size_t *size,
                              genair_status *st);
bool file_exists(const char *path);
bool file_missing(const char *path); /* there is none; false too where that cannot be told */
CHECKED genair_code directory_make(const char *path, genair_status *st); /* with parents */
/* With everything in it; links are removed, not followed. One that is not there is fine. */
CHECKED genair_code directory_remove(const char *path, genair_status *st);
/* The last part of a path, without slashes behind it; of "/" that. */
struct text path_name(const char *path);
/* "a/b", caller frees with mem_free; NULL when memory is out. */
char *path_join(const char *a, const char *b);

/* ---- content hashes: XXH3, 128 bits, 32 hexadecimal digits ---- */
struct hasher;
struct hasher *hasher_create(void);
void hasher_add(struct hasher *h, const void *data, size_t size);
void hasher_finish(struct hasher *h, char out[33]); /* frees h */
void hash_bytes(const void *data, size_t size, char out[33]);
/* ctx: whose wish to stop is heard meanwhile; NULL: nobody's. */
CHECKED genair_code hash_file(const genair_context *ctx, const char *path, char out[33], genair_status *st);

#endif
