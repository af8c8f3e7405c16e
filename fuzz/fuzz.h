/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what the fuzz targets share. Each defines LLVMFuzzerTestOneInput; libFuzzer calls
 * it with inputs of its making, replay.c with those of the corpus. */
#ifndef GENAIR_FUZZ_FUZZ_H
#define GENAIR_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold; stops the process where both drivers see it. */
static inline void must(bool holds) {
    if (!holds) __builtin_trap();
}

/* data as a file without a disk. */
struct memory_file {
    int fd;
    char path[32];
};
struct memory_file memory_file_open(const uint8_t *data, size_t size);
void memory_file_close(struct memory_file *f);

/* A directory of this process, below $TMPDIR or /tmp, removed with what scratch_put left in it when the process ends. */
const char *scratch_directory(void);
void scratch_put(const char *name, const uint8_t *data, size_t size); /* size 0: no such file */

/* An input that is several files: what stands before the first mark, or all; it is taken from rest. */
struct bytes {
    const uint8_t *p;
    size_t n;
};
static inline struct bytes bytes_until(struct bytes *rest, uint8_t mark) {
    const uint8_t *end = rest->n ? memchr(rest->p, mark, rest->n) : NULL;
    const size_t n = end ? (size_t)(end - rest->p) : rest->n, taken = end ? n + 1 : n;
    const struct bytes part = {rest->p, n};
    *rest = (struct bytes){rest->p + taken, rest->n - taken};
    return part;
}

/* A language model at path: refused with a message, or every tensor lies inside its files, which have size bytes. */
void look_at_weights(const char *path, size_t size);
/* Text goes in and comes out. */
struct tokenizer;
void look_at_tokenizer(const struct tokenizer *t);

#endif
