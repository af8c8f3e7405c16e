/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mapping.h"

#include "base/size.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the whole file ---- */

static genair_code map_file(int fd, const char *path, struct mapping *out, genair_status *st) {
    static const unsigned char nothing[1];
    struct stat info;
    if (fstat(fd, &info) != 0) return fail_errno(st, path, "examine");
    if (!S_ISREG(info.st_mode))
        return fail_line(st, GENAIR_IO, path, 0,
                         "not a regular file, so it cannot be mapped into memory");
    *out = (struct mapping){.data = nothing};
    if (info.st_size == 0) return GENAIR_OK;
    void *p = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) return fail_errno(st, path, "map");
    *out = (struct mapping){.data = p, .size = (size_t)info.st_size, .private_ = p};
    return GENAIR_OK;
}

genair_code mapping_open(const char *path, struct mapping *out, genair_status *st) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno(st, path, "open");
    const genair_code code = map_file(fd, path, out, st);
    close(fd);
    return code;
}

void mapping_close(struct mapping *m) {
    if (m->private_) munmap(m->private_, m->size);
    *m = (struct mapping){0};
}

void mapping_release(const struct mapping *m) {
    if (m->private_) (void)madvise(m->private_, m->size, MADV_DONTNEED); /* only memory is at stake */
}

/* ---- a part ---- */

static genair_code check_part(int fd, const struct file_part *part, genair_status *st) {
    struct stat info;
    if (fstat(fd, &info) != 0) return fail_errno(st, part->path, "examine");
    if (S_ISREG(info.st_mode) && part->offset <= (uint64_t)info.st_size && part->n <= (uint64_t)info.st_size - part->offset)
        return GENAIR_OK;
    return fail_line(st, GENAIR_IO, part->path, 0, "the file is shorter than it was, or no regular file: try again");
}

/* The pages that hold the part, over those of o; what of them is not the part becomes zero. */
static genair_code lay_over(int fd, const struct file_part *part, size_t size, size_t at, size_t page, struct overlay *o,
                            genair_status *st) {
    const size_t lead = part->offset % page;
    unsigned char *first = o->bytes + at - lead, *end = o->bytes + at + part->n;
    if (mmap(first, lead + part->n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, (off_t)(part->offset - lead)) == MAP_FAILED)
        return fail_errno(st, part->path, "map");
    memset(first, 0, lead);
    const size_t tail = (lead + part->n) % page;
    if (tail) memset(end, 0, min_size(page - tail, size - at - part->n));
    return GENAIR_OK;
}

static genair_code overlay_of(int fd, const struct file_part *part, size_t size, size_t at, struct overlay *out, genair_status *st) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct overlay o = {.at = at, .n = part->n, .offset = part->offset, .fd = fd};
    genair_code code = check_part(fd, part, st);
    if (code != GENAIR_OK) return code;
    if (!add_size(size, page, &o.mapped)) return fail_memory(st);
    void *p = mmap(NULL, o.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return fail_memory(st);
    o.private_ = p;
    o.bytes = (unsigned char *)p + (part->offset % page + page - at % page) % page;
    if (part->n) code = lay_over(fd, part, size, at, page, &o, st);
    if (code == GENAIR_OK)
        *out = o;
    else
        munmap(p, o.mapped);
    return code;
}

genair_code overlay_open(const struct file_part *part, size_t size, size_t at, struct overlay *out, genair_status *st) {
    assert(at <= size && part->n <= size - at);
    const int fd = open(part->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno(st, part->path, "open");
    const genair_code code = overlay_of(fd, part, size, at, out, st);
    if (code != GENAIR_OK) close(fd);
    return code;
}

void overlay_close(struct overlay *o) {
    if (o->private_) {
        munmap(o->private_, o->mapped);
        close(o->fd);
    }
    *o = (struct overlay){0};
}

void overlay_read(const struct overlay *o, size_t from, void *out, size_t n) {
    if (from >= o->at && from - o->at <= o->n && n <= o->n - (from - o->at) &&
        pread(o->fd, out, n, (off_t)(o->offset + (from - o->at))) == (ssize_t)n)
        return;
    memcpy(out, o->bytes + from, n);
}
