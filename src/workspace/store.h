/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads and writes the workspace's binary files: named arrays, each with its checksum.
 *
 *     0        8   magic "GENAIRWS"
 *     8        4   version of this layout, u32
 *     12       4   kind of the file, four letters
 *     …            arrays, each at a multiple of 64, zeros between
 *     table        64 bytes an array: name [8] (zeros after it), offset u64, bytes u64, bytes of an
 * element u64, hash of the array [32] end-96       number of arrays u64, offset of the table u64,
 * size of the file u64, hash of what the file was made from [32], hash of head, table and what
 * stands here before it [32], magic
 *
 * The table stands at the end so that a file is written in one go, without knowing its sizes
 * beforehand. Integers are little-endian; hashes are 32 digits (base/files.h). */
#ifndef GENAIR_WORKSPACE_STORE_H
#define GENAIR_WORKSPACE_STORE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { STORE_MAX_ARRAYS = 16, STORE_MAX_NAME = 8 };

/* ---- writing ---- */
struct store_writer;
/* kind: four letters. made_from: 32 digits, remembered in the file. */
CHECKED genair_code store_create(const char *path, const char *kind, const char *made_from,
                                 struct store_writer **out, genair_status *st);
/* Arrays one after another: begin, any number of puts, then the next begin. */
CHECKED genair_code store_begin(struct store_writer *w, const char *name, size_t element_bytes,
                                genair_status *st);
CHECKED genair_code store_put(struct store_writer *w, const void *elements, size_t n,
                              genair_status *st);
CHECKED genair_code store_array(struct store_writer *w, const char *name, size_t element_bytes,
                                const void *elements, size_t n, genair_status *st);
CHECKED genair_code store_commit(struct store_writer *w,
                                 genair_status *st); /* frees w in any case */
void store_abandon(struct store_writer *w);          /* NULL is fine */

/* ---- reading ---- */
struct store;
/* Maps the file and checks every byte of it. Errors: GENAIR_FORMAT with the file's name, what is
 * wrong, and "run 'genair COMMAND' again". */
CHECKED genair_code store_open(const char *path, const char *kind, const char *command,
                               struct store **out, genair_status *st);
void store_close(struct store *s);
void store_release(const struct store *s); /* as mapping_release */
/* An array, aligned to 64 bytes, until store_close; *n elements. Fails when there is none of that
 * name and element size. */
CHECKED genair_code store_find(const struct store *s, const char *name, size_t element_bytes,
                               const void **elements, size_t *n, genair_status *st);
/* As store_find, failing also unless there are exactly n elements. */
CHECKED genair_code store_find_n(const struct store *s, const char *name, size_t element_bytes,
                                 size_t n, const void **elements, genair_status *st);
/* What arrays there are. */
struct store_entry {
    char name[STORE_MAX_NAME + 1];
    uint64_t n, element_bytes;
};
size_t store_count(const struct store *s);
struct store_entry store_entry(const struct store *s, size_t i);
const char *store_made_from(const struct store *s); /* 32 digits, borrowed */
/* GENAIR_FORMAT about this file: "WHAT; run 'genair COMMAND' again". */
genair_code store_damaged(const struct store *s, genair_status *st, const char *what);

#endif
