/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what the fuzz targets share. Each defines LLVMFuzzerTestOneInput; libFuzzer calls
 * it with inputs of its making, replay.c with those of the corpus. */
#ifndef GENAIR_FUZZ_FUZZ_H
#define GENAIR_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

#endif
