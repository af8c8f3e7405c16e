/* SPDX-License-Identifier: Apache-2.0 */
#include "train/epoch_lines.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "metrics.jsonl"

enum { MAX_FILE_BYTES = 1 << 30 };

static bool write_all(int fd, const char *p, size_t n) {
    while (n > 0) {
        const ssize_t written = write(fd, p, n);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        p += written;
        n -= (size_t)written;
    }
    return true;
}

static genair_code append(const char *path, const char *line, genair_status *st) {
    const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return fail_errno(st, path, "open");
    const bool sound = write_all(fd, line, strlen(line)) && write_all(fd, "\n", 1) && (fsync(fd) == 0 || errno == EINVAL);
    const genair_code code = sound ? GENAIR_OK : fail_errno(st, path, "write");
    return close(fd) == 0 || !sound ? code : fail_errno(st, path, "close");
}

genair_code epoch_lines_add(const char *directory, const json_t *line, genair_status *st) {
    char *path = path_join(directory, FILE_NAME), *text = json_text(line, JSON_PRESERVE_ORDER);
    const genair_code code = path && text ? append(path, text, st) : fail_memory(st);
    free(text);
    mem_free(path);
    return code;
}

static genair_code fail_lines(const char *path, const char *what, genair_status *st) {
    return fail_line(st, GENAIR_FORMAT, path, 0, "%s; leave out --resume to begin anew", what);
}

static genair_code keep(const char *path, uint64_t n, genair_status *st) {
    char *text;
    size_t size;
    if (!file_exists(path)) return fail_lines(path, "is missing", st);
    genair_code code = file_read(path, MAX_FILE_BYTES, &text, &size, st);
    if (code != GENAIR_OK) return code;
    const char *end = text;
    while (end && n-- > 0) {
        end = memchr(end, '\n', size - (size_t)(end - text));
        if (end) end++;
    }
    if (!end)
        code = fail_lines(path, "has fewer lines than its checkpoint says", st);
    else if (truncate(path, end - text) != 0)
        code = fail_errno(st, path, "cut");
    mem_free(text);
    return code;
}

genair_code epoch_lines_keep(const char *directory, uint64_t n, genair_status *st) {
    char *path = path_join(directory, FILE_NAME);
    if (!path) return fail_memory(st);
    const genair_code code = n == 0 && !file_exists(path) ? GENAIR_OK : keep(path, n, st);
    mem_free(path);
    return code;
}
