/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random_file.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

genair_code random_file_open(const char *path, struct random_file *out, genair_status *st) {
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not wait here */
    if (fd < 0) return fail_errno(st, path, "open");
    genair_code code = GENAIR_OK;
    char *name = NULL;
    if (fstat(fd, &info) != 0)
        code = fail_errno(st, path, "examine");
    else if (!S_ISREG(info.st_mode))
        code = fail_line(st, GENAIR_IO, path, 0, "not a regular file");
    else if (!(name = mem_text(path, strlen(path))))
        code = fail_memory(st);
    if (code == GENAIR_OK)
        *out = (struct random_file){(uint64_t)info.st_size, name, fd};
    else
        close(fd);
    return code;
}

void random_file_close(struct random_file *f) {
    if (f->path) close(f->fd);
    mem_free(f->path);
    *f = (struct random_file){0};
}

genair_code random_file_read(const struct random_file *f, uint64_t offset, void *out, size_t size,
                             genair_status *st) {
    unsigned char *p = out;
    if (offset > INT64_MAX || size > INT64_MAX - offset)
        return fail(st, GENAIR_INTERNAL, "%zu bytes at %" PRIu64 " are in no file", size, offset);
    while (size) {
        const ssize_t n = pread(f->fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(st, f->path, "read");
        if (n == 0)
            return fail_offset(st, GENAIR_FORMAT, f->path, (int64_t)offset,
                               "the file ends here, %zu bytes too early; if it is still being "
                               "written, wait, else copy or download it again",
                               size);
        p += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return GENAIR_OK;
}
