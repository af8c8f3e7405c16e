/* SPDX-License-Identifier: Apache-2.0 */
/* This module records the first failure of an operation for its caller. */
#ifndef GENAIR_BASE_STATUS_H
#define GENAIR_BASE_STATUS_H

#include "genair.h"

#define CHECKED __attribute__((warn_unused_result))
#define PRINTF(a, b) __attribute__((format(printf, a, b)))

/* Each fills *st unless it holds a failure already, and returns code. st may be NULL. */
genair_code fail(genair_status *st, genair_code code, const char *format, ...) PRINTF(3, 4);
genair_code fail_line(genair_status *st, genair_code code, const char *file, int64_t line,
                      const char *format, ...) PRINTF(5, 6);
genair_code fail_offset(genair_status *st, genair_code code, const char *file, int64_t offset,
                        const char *format, ...) PRINTF(5, 6);
/* What was recorded elsewhere, its place too. */
genair_code fail_like(genair_status *st, const genair_status *why);
/* GENAIR_IO with the text of errno: "cannot VERB: No space left on device". */
genair_code fail_errno(genair_status *st, const char *file, const char *verb);

void status_out_of_memory(genair_status *st);
/* In sight of compilers and analysers, who see that it is a failure. */
static inline genair_code fail_memory(genair_status *st) {
    status_out_of_memory(st);
    return GENAIR_MEMORY;
}

#endif
