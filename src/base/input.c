/* SPDX-License-Identifier: Apache-2.0 */
#include "base/input.h"

#include "base/alloc.h"
#include "base/size.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER_BYTES = 128 * 1024, STORED_BYTES = 64 * 1024 };

/* The buffer, with the current record in front:
 *
 *     | … passed over … | current record | not yet given out | free |
 *     0                begin            next                end    capacity
 */
struct input {
    char *path;
    int fd;
    bool gzip, in_member; /* in_member: inflate is inside a gzip member */
    bool ended;           /* nothing will be added to the buffer */
    z_stream z;
    unsigned char *stored; /* what was read of a gzip file; for a plain one its first bytes */
    uint64_t bytes_read, bytes_total;

    char *data;
    size_t capacity, begin, next, end;
    size_t second; /* where the line after the record's first one starts */
    size_t line_max;
    int64_t line, n_lines; /* number of the record's first line; how many lines it has */
};

/* zlib asks for its memory here, so that tests can refuse it. */
static voidpf zlib_alloc(voidpf opaque, uInt n, uInt size) {
    (void)opaque;
    return mem_zeros(n, size);
}

static void zlib_free(voidpf opaque, voidpf p) {
    (void)opaque;
    mem_free(p);
}

static genair_code read_some(struct input *in, void *out, size_t size, size_t *got,
                             genair_status *st) {
    ssize_t n;
    do {
        n = read(in->fd, out, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return fail_errno(st, in->path, "read");
    *got = (size_t)n;
    in->bytes_read += (uint64_t)n;
    return GENAIR_OK;
}

/* ---- gzip ---- */

static int64_t stored_offset(const struct input *in) {
    return (int64_t)(in->bytes_read - in->z.avail_in);
}

static genair_code refill_stored(struct input *in, genair_status *st) {
    size_t got;
    const genair_code code = read_some(in, in->stored, STORED_BYTES, &got, st);
    if (code) return code;
    in->z.next_in = in->stored;
    in->z.avail_in = (uInt)got;
    return GENAIR_OK;
}

static genair_code start_member(struct input *in, genair_status *st) {
    while (in->z.avail_in && *in->z.next_in == 0)
        in->z.next_in++, in->z.avail_in--; /* padding */
    if (!in->z.avail_in) return GENAIR_OK;
    if (inflateReset(&in->z) != Z_OK) return fail(st, GENAIR_INTERNAL, "zlib cannot start over");
    in->in_member = true;
    return GENAIR_OK;
}

static genair_code inflate_failed(const struct input *in, int result, genair_status *st) {
    if (result == Z_MEM_ERROR) return fail_memory(st);
    return fail_offset(st, GENAIR_FORMAT, in->path, stored_offset(in),
                       "broken gzip data (%s); fetch or pack the file again",
                       in->z.msg ? in->z.msg : "unknown form");
}

/* Adds something to the buffer, or sets ended. */
static genair_code fill_gzip(struct input *in, genair_status *st) {
    const size_t room = min_size(in->capacity - in->end, 1u << 30);
    in->z.next_out = (unsigned char *)in->data + in->end;
    in->z.avail_out = (uInt)room;
    while (in->z.avail_out == room) {
        if (!in->z.avail_in) {
            const genair_code code = refill_stored(in, st);
            if (code) return code;
        }
        if (!in->z.avail_in && in->in_member)
            return fail_offset(st, GENAIR_FORMAT, in->path, stored_offset(in),
                               "the gzip data ends in the middle; fetch or pack the file again");
        if (!in->z.avail_in) {
            in->ended = true;
            return GENAIR_OK;
        }
        if (!in->in_member) {
            const genair_code code = start_member(in, st);
            if (code) return code;
            continue;
        }
        const int result = inflate(&in->z, Z_NO_FLUSH);
        if (result == Z_STREAM_END)
            in->in_member = false;
        else if (result != Z_OK && result != Z_BUF_ERROR)
            return inflate_failed(in, result, st);
    }
    in->end += room - in->z.avail_out;
    return GENAIR_OK;
}

/* ---- the buffer ---- */

static genair_code fill_plain(struct input *in, genair_status *st) {
    size_t got;
    const genair_code code = read_some(in, in->data + in->end, in->capacity - in->end, &got, st);
    if (code) return code;
    in->end += got;
    in->ended = got == 0;
    return GENAIR_OK;
}

/* Moves the current record to the front, makes room behind it, and reads. */
static genair_code fill(struct input *in, genair_status *st) {
    if (in->begin) {
        memmove(in->data, in->data + in->begin, in->end - in->begin);
        in->next -= min_size(in->next, in->begin);
        in->second -= min_size(in->second, in->begin);
        in->end -= in->begin;
        in->begin = 0;
    }
    if (in->end == in->capacity && !mem_grow(&in->data, &in->capacity, in->capacity * 2, 1))
        return fail_memory(st);
    return in->gzip ? fill_gzip(in, st) : fill_plain(in, st);
}

/* Finds the line end at or after in->next: *stop is its place, *more false when no line is left.
 * The limit counts from in->begin. */
static genair_code find_end(struct input *in, size_t *stop, bool *more, bool *too_long,
                            genair_status *st) {
    size_t from = in->next;
    *too_long = false;
    for (;;) {
        const char *found = memchr(in->data + from, '\n', in->end - from);
        if (found || in->ended) {
            *stop = found ? (size_t)(found - in->data) : in->end;
            *more = found || in->next < in->end;
            *too_long = *stop - in->begin > in->line_max;
            return GENAIR_OK;
        }
        if (in->end - in->begin > in->line_max) {
            *too_long = true;
            return GENAIR_OK;
        }
        const size_t searched = in->end - in->begin;
        const genair_code code = fill(in, st);
        if (code) return code;
        from = in->begin + searched;
    }
}

static struct text record_text(const struct input *in) {
    const char *p = in->data + in->begin;
    size_t n = in->next - in->begin;
    if (n && p[n - 1] == '\n') n--;
    if (n && p[n - 1] == '\r') n--;
    return (struct text){p, n};
}

static genair_code pass_over(struct input *in, genair_status *st) {
    for (;;) {
        const char *found = memchr(in->data + in->begin, '\n', in->end - in->begin);
        in->begin = in->next = found ? (size_t)(found - in->data) + 1 : in->end;
        if (found || in->ended) break;
        const genair_code code = fill(in, st);
        if (code) return code;
    }
    in->second = in->next;
    return fail_line(st, GENAIR_FORMAT, in->path, in->line, "the line is longer than %zu bytes",
                     in->line_max);
}

static genair_code pass_byte_order_mark(struct input *in, genair_status *st) {
    while (in->end < 3 && !in->ended) {
        const genair_code code = fill(in, st);
        if (code) return code;
    }
    if (in->end >= 3 && memcmp(in->data, "\xEF\xBB\xBF", 3) == 0) in->next = 3;
    return GENAIR_OK;
}

genair_code input_line(struct input *in, struct text *line, bool *more, genair_status *st) {
    if (in->line == 0) {
        const genair_code code = pass_byte_order_mark(in, st);
        if (code) return code;
    }
    in->begin = in->next;
    in->line += in->n_lines;
    in->n_lines = 1;
    size_t stop;
    bool too_long;
    const genair_code code = find_end(in, &stop, more, &too_long, st);
    if (code) return code;
    if (too_long) return pass_over(in, st);
    if (!*more) return GENAIR_OK;
    in->next = in->second = min_size(stop + 1, in->end);
    *line = record_text(in);
    return GENAIR_OK;
}

genair_code input_extend(struct input *in, struct text *line, bool *more, genair_status *st) {
    size_t stop;
    bool too_long;
    const genair_code code = find_end(in, &stop, more, &too_long, st);
    if (code) return code;
    if (too_long)
        return fail_line(st, GENAIR_FORMAT, in->path, in->line,
                         "the record that starts here is longer than %zu bytes", in->line_max);
    if (*more) {
        in->next = min_size(stop + 1, in->end);
        in->n_lines++;
    }
    *line = record_text(in); /* also at the end: the buffer may have moved */
    return GENAIR_OK;
}

void input_retract(struct input *in) {
    in->next = in->second;
    in->n_lines = 1;
}

/* ---- opening ---- */

static genair_code open_file(struct input *in, genair_status *st) {
    in->fd = open(in->path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0) return fail_errno(st, in->path, "open");
    struct stat info;
    if (fstat(in->fd, &info) != 0) return fail_errno(st, in->path, "look at");
    if (S_ISDIR(info.st_mode))
        return fail_line(st, GENAIR_IO, in->path, 0, "is a directory; name the files in it");
    if (S_ISREG(info.st_mode)) in->bytes_total = (uint64_t)info.st_size;
    return GENAIR_OK;
}

/* Reads the first bytes and sees whether they are gzip's (RFC 1952: 1f 8b). */
static genair_code look_at_start(struct input *in, genair_status *st) {
    size_t n = 0, got = 1;
    while (n < 2 && got) { /* a pipe may give one byte at a time */
        const genair_code code = read_some(in, in->stored + n, STORED_BYTES - n, &got, st);
        if (code) return code;
        n += got;
    }
    if (n < 2 || in->stored[0] != 0x1F || in->stored[1] != 0x8B) {
        memcpy(in->data, in->stored, n);
        in->end = n;
        in->ended = n == 0;
        return GENAIR_OK;
    }
    in->z = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free};
    const int window_and_gzip = 15 + 16;
    if (inflateInit2(&in->z, window_and_gzip) != Z_OK) return fail_memory(st);
    in->z.next_in = in->stored;
    in->z.avail_in = (uInt)n;
    in->gzip = in->in_member = true;
    return GENAIR_OK;
}

genair_code input_open(const char *path, size_t line_max, struct input **out, genair_status *st) {
    struct input *in = mem_zeros(1, sizeof *in);
    if (!in) return fail_memory(st);
    in->fd = -1;
    in->line_max = line_max;
    in->capacity = BUFFER_BYTES;
    in->n_lines = 1;
    in->path = mem_text(path, strlen(path));
    in->data = mem_array(in->capacity, 1);
    in->stored = mem_array(STORED_BYTES, 1);
    genair_code code = in->path && in->data && in->stored ? GENAIR_OK : fail_memory(st);
    if (!code) code = open_file(in, st);
    if (!code) code = look_at_start(in, st);
    if (code) {
        input_close(in);
        return code;
    }
    *out = in;
    return GENAIR_OK;
}

void input_close(struct input *in) {
    if (!in) return;
    if (in->gzip) inflateEnd(&in->z);
    if (in->fd >= 0) close(in->fd);
    mem_free(in->stored);
    mem_free(in->data);
    mem_free(in->path);
    mem_free(in);
}

int64_t input_line_number(const struct input *in) {
    return in->line;
}

const char *input_path(const struct input *in) {
    return in->path;
}

uint64_t input_bytes_read(const struct input *in) {
    return in->bytes_read - (in->gzip ? in->z.avail_in : 0);
}

uint64_t input_bytes_total(const struct input *in) {
    return in->bytes_total;
}
