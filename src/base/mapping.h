/* SPDX-License-Identifier: Apache-2.0 */
/* This module gives a file, or a part of one, as memory. */
#ifndef GENAIR_BASE_MAPPING_H
#define GENAIR_BASE_MAPPING_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* ---- a file mapped read-only ---- */
struct mapping {
    const unsigned char *data; /* never NULL, also for an empty file */
    size_t size;
    void *private_;
};
CHECKED genair_code mapping_open(const char *path, struct mapping *out, genair_status *st);
void mapping_close(struct mapping *m); /* {0} is fine */
/* What was read leaves the process's resident memory, until it is read again: for files that are checked whole, then read in places. */
void mapping_release(const struct mapping *m);

/* ---- memory that begins as a part of a file: a page is read when it is touched, and shared with other processes until it is
 * written, which the file never sees ---- */
struct file_part {
    const char *path;
    uint64_t offset;
    size_t n;
};
struct overlay {
    unsigned char *bytes; /* [size] of overlay_open */
    size_t at, n;         /* where the part lies */
    uint64_t offset;
    int fd;
    void *private_;
    size_t mapped;
};
/* size bytes: at `at` those of the part, zeros around them. bytes + at lies in a page as the part does in the file. GENAIR_IO
 * for a file that ends before the part does, GENAIR_MEMORY when the address space is out. */
CHECKED genair_code overlay_open(const struct file_part *part, size_t size, size_t at, struct overlay *out, genair_status *st);
void overlay_close(struct overlay *o); /* {0} is fine */
/* n bytes from place `from` on; those of the part from the file, so that its pages do not become resident. They must not have been
 * written. Any thread. */
void overlay_read(const struct overlay *o, size_t from, void *out, size_t n);

#endif
