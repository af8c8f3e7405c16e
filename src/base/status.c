/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include "base/json_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

PRINTF(6, 0)
static genair_code record(genair_status *st, genair_code code, const char *file, int64_t line,
                          int64_t offset, const char *format, va_list args) {
    if (!st || st->code != GENAIR_OK) return code;
    st->code = code;
    st->line = line;
    st->offset = offset;
    snprintf(st->file, sizeof st->file, "%s", file ? file : "");
    vsnprintf(st->message, sizeof st->message, format, args);
    return code;
}

genair_code fail(genair_status *st, genair_code code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    record(st, code, NULL, 0, -1, format, args);
    va_end(args);
    return code;
}

genair_code fail_line(genair_status *st, genair_code code, const char *file, int64_t line,
                      const char *format, ...) {
    va_list args;
    va_start(args, format);
    record(st, code, file, line, -1, format, args);
    va_end(args);
    return code;
}

genair_code fail_offset(genair_status *st, genair_code code, const char *file, int64_t offset,
                        const char *format, ...) {
    va_list args;
    va_start(args, format);
    record(st, code, file, 0, offset, format, args);
    va_end(args);
    return code;
}

genair_code fail_like(genair_status *st, const genair_status *why) {
    if (st && st->code == GENAIR_OK) *st = *why;
    return why->code;
}

genair_code fail_errno(genair_status *st, const char *file, const char *verb) {
    char text[256] = "unknown error";
    const int error = errno;
    const char *reason = strerror_r(error, text, sizeof text); /* GNU form: may return its own string */
    return fail_line(st, GENAIR_IO, file, 0, "cannot %s: %s", verb, reason);
}

void status_out_of_memory(genair_status *st) {
    (void)json_lost(); /* told now: what this thread does next begins anew */
    fail(st, GENAIR_MEMORY, "out of memory");
}

void genair_status_text(const genair_status *st, char *out, size_t size) {
    if (!size) return;
    if (!st)
        out[0] = '\0';
    else if (st->file[0] && st->line > 0)
        snprintf(out, size, "%s:%lld: %s", st->file, (long long)st->line, st->message);
    else if (st->file[0] && st->offset >= 0)
        snprintf(out, size, "%s: byte %lld: %s", st->file, (long long)st->offset, st->message);
    else if (st->file[0])
        snprintf(out, size, "%s: %s", st->file, st->message);
    else
        snprintf(out, size, "%s", st->message);
}
