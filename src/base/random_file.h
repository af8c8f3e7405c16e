/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads pieces of a file from anywhere in it, without mapping it: one that is cut short under the process is an
 * error and not a signal. */
#ifndef GENAIR_BASE_RANDOM_FILE_H
#define GENAIR_BASE_RANDOM_FILE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct random_file {
    uint64_t size; /* when it was opened */
    char *path;
    int fd;
};

/* Regular files alone. */
CHECKED genair_code random_file_open(const char *path, struct random_file *out, genair_status *st);
void random_file_close(struct random_file *f); /* {0} is fine */
/* size bytes from offset on. GENAIR_FORMAT when the file does not reach that far. Any thread. */
CHECKED genair_code random_file_read(const struct random_file *f, uint64_t offset, void *out, size_t size,
                                     genair_status *st);

#endif
