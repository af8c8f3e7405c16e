/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spill.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIN_BLOCK_BYTES = 16 * 1024, MAX_BLOCK_BYTES = 1024 * 1024 };

/* buffer holds all records while they fit into the limit; after that the end of them (n_written are
 * in the file), and while reading a block of them. */
struct spill {
    const char *directory;
    size_t record_bytes, limit_bytes, block_records;
    int fd; /* -1: all in memory */
    uint64_t n_records, n_written, next;
    unsigned char *buffer;
    size_t n_buffered, capacity; /* records, bytes */
};

genair_code spill_create(const char *directory, size_t record_bytes, size_t limit_bytes,
                         struct spill **out, genair_status *st) {
    struct spill *s = mem_zeros(1, sizeof *s);
    if (!s) return fail_memory(st);
    s->directory = directory;
    s->record_bytes = record_bytes;
    const size_t block = min_size(max_size(limit_bytes, MIN_BLOCK_BYTES), MAX_BLOCK_BYTES);
    s->block_records = max_size(block / record_bytes, 1);
    s->limit_bytes = max_size(limit_bytes, record_bytes);
    s->fd = -1;
    *out = s;
    return GENAIR_OK;
}

void spill_free(struct spill *s) {
    if (!s) return;
    if (s->fd >= 0) close(s->fd);
    mem_free(s->buffer);
    mem_free(s);
}

uint64_t spill_count(const struct spill *s) {
    return s->n_records;
}

bool spill_on_disk(const struct spill *s) {
    return s->fd >= 0;
}

static genair_code open_file(struct spill *s, genair_status *st) {
    char *path = path_join(s->directory, ".spill-XXXXXX.partial");
    if (!path) return fail_memory(st);
    s->fd = mkostemps(path, (int)strlen(".partial"), O_CLOEXEC);
    genair_code code = GENAIR_OK;
    if (s->fd < 0)
        code = fail_errno(st, s->directory, "create a temporary file");
    else
        unlink(path);
    mem_free(path);
    return code;
}

static genair_code write_out(struct spill *s, const unsigned char *p, size_t n, genair_status *st) {
    if (s->fd < 0) {
        const genair_code code = open_file(s, st);
        if (code != GENAIR_OK) return code;
    }
    size_t bytes = n * s->record_bytes;
    off_t at = (off_t)(s->n_written * s->record_bytes);
    while (bytes) {
        const ssize_t done = pwrite(s->fd, p, bytes, at);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return fail_errno(st, s->directory, "write a temporary file");
        p += done;
        at += done;
        bytes -= (size_t)done;
    }
    s->n_written += n;
    return GENAIR_OK;
}

static genair_code write_buffer(struct spill *s, genair_status *st) {
    const genair_code code = write_out(s, s->buffer, s->n_buffered, st);
    s->n_buffered = 0;
    return code;
}

genair_code spill_add(struct spill *s, const void *records, size_t n, genair_status *st) {
    const unsigned char *p = records;
    s->n_records += n;
    while (n) {
        const size_t most =
            max_size(s->fd < 0 ? s->limit_bytes / s->record_bytes : s->block_records, 1);
        if (s->n_buffered >= most) {
            const genair_code code = write_buffer(s, st);
            if (code != GENAIR_OK) return code;
            continue;
        }
        const size_t step = min_size(n, most - s->n_buffered);
        if (!mem_grow(&s->buffer, &s->capacity, (s->n_buffered + step) * s->record_bytes, 1))
            return fail_memory(st);
        memcpy(s->buffer + s->n_buffered * s->record_bytes, p, step * s->record_bytes);
        s->n_buffered += step;
        p += step * s->record_bytes;
        n -= step;
    }
    return GENAIR_OK;
}

genair_code spill_rewind(struct spill *s, genair_status *st) {
    s->next = 0;
    if (s->fd < 0 || s->n_written == s->n_records) return GENAIR_OK;
    const genair_code code = write_buffer(s, st);
    if (code != GENAIR_OK) return code;
    /* From here on the buffer holds one block: the large one would only keep memory. */
    const size_t bytes = s->block_records * s->record_bytes;
    if (s->capacity <= bytes) return GENAIR_OK;
    mem_free(s->buffer);
    s->buffer = NULL;
    s->capacity = 0;
    return GENAIR_OK;
}

static genair_code read_file(struct spill *s, uint64_t first, unsigned char *p, size_t n,
                             genair_status *st) {
    size_t bytes = n * s->record_bytes;
    off_t at = (off_t)(first * s->record_bytes);
    while (bytes) {
        const ssize_t done = pread(s->fd, p, bytes, at);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return fail_errno(st, s->directory, "read a temporary file");
        if (done == 0)
            return fail_line(st, GENAIR_IO, s->directory, 0, "a temporary file has become shorter");
        p += done;
        at += done;
        bytes -= (size_t)done;
    }
    return GENAIR_OK;
}

genair_code spill_next(struct spill *s, const void **records, size_t *n, genair_status *st) {
    const uint64_t left = s->n_records - s->next;
    *n = left < s->block_records ? (size_t)left : s->block_records;
    if (*n == 0) return GENAIR_OK;
    if (s->fd < 0) {
        *records = s->buffer + s->next * s->record_bytes;
    } else {
        if (!mem_grow(&s->buffer, &s->capacity, *n * s->record_bytes, 1)) return fail_memory(st);
        const genair_code code = read_file(s, s->next, s->buffer, *n, st);
        if (code != GENAIR_OK) return code;
        *records = s->buffer;
    }
    s->next += *n;
    return GENAIR_OK;
}

genair_code spill_read(struct spill *s, uint64_t first, void *records, size_t n,
                       genair_status *st) {
    if (n > s->n_records || first > s->n_records - n)
        return fail(st, GENAIR_INTERNAL, "reading past the end of a temporary file");
    if (n == 0) return GENAIR_OK;
    if (s->fd >= 0) return read_file(s, first, records, n, st);
    memcpy(records, s->buffer + first * s->record_bytes, n * s->record_bytes);
    return GENAIR_OK;
}
