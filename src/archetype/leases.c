/* SPDX-License-Identifier: Apache-2.0 */
/* archetypes.leases: HEAD bytes (magic, identity in 32 digits, zeros), then a byte for each item, from 1. Locked are: the
 * first byte while somebody begins or joins, the second by everybody at work, an item's byte by who makes it. The locks
 * are those of the open file (OFD): they end with it, and no other descriptor of the process takes them away. */
#include "archetype/leases.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "archetypes.leases"

enum { HEAD = 64, BEGINNING = 0, WORKING = 1, DIGITS = 32 };
static const char magic[8] = {'G', 'A', 'I', 'R', 'L', 'S', 'E', '1'};

struct leases {
    int fd;
    char *path;
    char head[HEAD];
    uint32_t n_items;
    uint8_t *marks;      /* [n_items + 1] */
    uint8_t *unmarked;   /* [leases] of a lease of ours: its items that are not marked */
    bool *ours, *tried;  /* [leases] */
};

static size_t lease_of(uint32_t item) {
    return (item - 1) / LEASE_ITEMS;
}

static size_t n_leases(const struct leases *l) {
    return (l->n_items + LEASE_ITEMS - 1) / LEASE_ITEMS;
}

static uint32_t first_of(size_t lease) {
    return (uint32_t)(lease * LEASE_ITEMS + 1);
}

static uint32_t last_of(const struct leases *l, size_t lease) {
    return (uint32_t)min_size(l->n_items, (lease + 1) * LEASE_ITEMS);
}

/* ---- locks ---- */

static genair_code fail_lock(const struct leases *l, genair_status *st) {
    if (errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP || errno == EINVAL)
        return fail_line(st, GENAIR_IO, l->path, 0,
                         "this file system holds no locks (%s), by which ranks share out the items; mount it with locks, or "
                         "use a workspace on another one", strerror(errno));
    return fail_errno(st, l->path, "lock");
}

/* type: F_RDLCK, F_WRLCK, F_UNLCK. Without wait *held says whether it was to be had. */
static genair_code lock_bytes(const struct leases *l, short type, off_t from, off_t n, bool wait, bool *held,
                              genair_status *st) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = n};
    int result;
    do result = fcntl(l->fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
    while (result != 0 && errno == EINTR);
    *held = result == 0;
    if (*held || (!wait && (errno == EAGAIN || errno == EACCES))) return GENAIR_OK;
    return fail_lock(l, st);
}

static genair_code unlock(const struct leases *l, off_t from, off_t n, genair_status *st) {
    bool unused;
    return lock_bytes(l, F_UNLCK, from, n, false, &unused, st);
}

/* ---- the file ---- */

static genair_code write_bytes(const struct leases *l, const void *bytes, size_t n, off_t at, genair_status *st) {
    ssize_t done;
    do done = pwrite(l->fd, bytes, n, at);
    while (done < 0 && errno == EINTR);
    if (done == (ssize_t)n) return GENAIR_OK;
    if (done >= 0) errno = ENOSPC;
    return fail_errno(st, l->path, "write");
}

/* Marks from an item on, as they are now. */
static genair_code read_marks(struct leases *l, uint32_t first, size_t n, genair_status *st) {
    for (size_t done = 0; done < n;) {
        const ssize_t got = pread(l->fd, l->marks + first + done, n - done, (off_t)(HEAD + first - 1 + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(st, l->path, "read");
        if (got == 0) return fail_line(st, GENAIR_FORMAT, l->path, 0, "was cut short while it was in use; run the ranks again");
        done += (size_t)got;
    }
    return GENAIR_OK;
}

/* Whether the file is of this work. */
static bool is_ours(const struct leases *l) {
    char head[HEAD];
    struct stat info;
    return pread(l->fd, head, HEAD, 0) == HEAD && memcmp(head, l->head, HEAD) == 0 && fstat(l->fd, &info) == 0 &&
           info.st_size == (off_t)HEAD + l->n_items;
}

/* An empty file of the right length, which gets its head when the marks are in it. */
static genair_code begin(const struct leases *l, genair_status *st) {
    bool alone;
    const genair_code code = lock_bytes(l, F_WRLCK, WORKING, 1, false, &alone, st);
    if (code != GENAIR_OK) return code;
    if (!alone)
        return fail_line(st, GENAIR_USAGE, l->path, 0,
                         "other ranks are at work in this workspace with another model, template or options; give the same, "
                         "or wait for them");
    if (ftruncate(l->fd, 0) == 0 && ftruncate(l->fd, (off_t)HEAD + l->n_items) == 0) return GENAIR_OK;
    return fail_errno(st, l->path, "write");
}

static genair_code join(struct leases *l, genair_status *st) {
    bool unused;
    genair_code code = lock_bytes(l, F_RDLCK, WORKING, 1, true, &unused, st);
    if (code == GENAIR_OK) code = unlock(l, BEGINNING, 1, st);
    return code == GENAIR_OK ? read_marks(l, 1, l->n_items, st) : code;
}

static genair_code open_file(struct leases *l, bool *fresh, genair_status *st) {
    bool unused;
    l->fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (l->fd < 0) return fail_errno(st, l->path, "open");
    genair_code code = lock_bytes(l, F_WRLCK, BEGINNING, 1, true, &unused, st);
    if (code != GENAIR_OK) return code;
    *fresh = !is_ours(l);
    return *fresh ? begin(l, st) : join(l, st);
}

genair_code leases_open(const char *workspace, const char *identity, uint32_t n_items, struct leases **out, bool *fresh,
                        genair_status *st) {
    struct leases *l = mem_zeros(1, sizeof *l);
    if (!l) return fail_memory(st);
    l->fd = -1;
    l->n_items = n_items;
    memcpy(l->head, magic, sizeof magic);
    memcpy(l->head + sizeof magic, identity, DIGITS);
    l->path = path_join(workspace, FILE_NAME);
    l->marks = mem_zeros((size_t)n_items + 1, sizeof *l->marks);
    l->unmarked = mem_zeros(n_leases(l) + 1, sizeof *l->unmarked);
    l->ours = mem_zeros(n_leases(l) + 1, sizeof *l->ours);
    l->tried = mem_zeros(n_leases(l) + 1, sizeof *l->tried);
    genair_code code = GENAIR_OK;
    if (!l->path || !l->marks || !l->unmarked || !l->ours || !l->tried) code = fail_memory(st);
    if (code == GENAIR_OK) code = open_file(l, fresh, st);
    if (code == GENAIR_OK)
        *out = l;
    else
        leases_close(l);
    return code;
}

void leases_note_done(struct leases *l, uint32_t item) {
    l->marks[item] = ITEM_DONE;
}

genair_code leases_ready(struct leases *l, genair_status *st) {
    genair_code code = write_bytes(l, l->marks + 1, l->n_items, HEAD, st);
    if (code == GENAIR_OK) code = write_bytes(l, l->head, HEAD, 0, st);
    return code == GENAIR_OK ? join(l, st) : code;
}

void leases_close(struct leases *l) {
    if (!l) return;
    if (l->fd >= 0) close(l->fd);
    mem_free(l->path);
    mem_free(l->marks);
    mem_free(l->unmarked);
    mem_free(l->ours);
    mem_free(l->tried);
    mem_free(l);
}

/* ---- leases ---- */

static genair_code give_back(const struct leases *l, size_t lease, genair_status *st) {
    const uint32_t first = first_of(lease);
    return unlock(l, (off_t)HEAD + first - 1, (off_t)(last_of(l, lease) - first + 1), st);
}

genair_code leases_take(struct leases *l, uint32_t item, bool *taken, uint32_t *first, uint32_t *last, genair_status *st) {
    const size_t lease = lease_of(item);
    *taken = false;
    if (l->tried[lease] || l->ours[lease]) return GENAIR_OK;
    l->tried[lease] = true;
    *first = first_of(lease);
    *last = last_of(l, lease);
    const size_t n = *last - *first + 1;
    genair_code code = lock_bytes(l, F_WRLCK, (off_t)HEAD + *first - 1, (off_t)n, false, taken, st);
    if (code != GENAIR_OK || !*taken) return code;
    code = read_marks(l, *first, n, st);
    if (code != GENAIR_OK) return code;
    l->unmarked[lease] = 0;
    for (uint32_t i = *first; i <= *last; i++)
        if (l->marks[i] != ITEM_DONE) l->unmarked[lease]++;
    *taken = l->ours[lease] = l->unmarked[lease] > 0;
    return *taken ? GENAIR_OK : give_back(l, lease, st);
}

genair_code leases_again(struct leases *l, genair_status *st) {
    memset(l->tried, 0, n_leases(l) * sizeof *l->tried);
    return read_marks(l, 1, l->n_items, st);
}

enum lease_mark leases_mark_of(const struct leases *l, uint32_t item) {
    return (enum lease_mark)l->marks[item];
}

genair_code leases_mark(struct leases *l, uint32_t item, enum lease_mark mark, genair_status *st) {
    const size_t lease = lease_of(item);
    const uint8_t byte = (uint8_t)mark;
    genair_code code = write_bytes(l, &byte, 1, (off_t)HEAD + item - 1, st);
    if (code != GENAIR_OK) return code;
    l->marks[item] = byte;
    if (!l->ours[lease] || --l->unmarked[lease] > 0) return GENAIR_OK;
    l->ours[lease] = false;
    return give_back(l, lease, st);
}

genair_code leases_remove(const char *workspace, genair_status *st) {
    char *path = path_join(workspace, FILE_NAME);
    genair_code code = path ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK && unlink(path) != 0 && errno != ENOENT) code = fail_errno(st, path, "remove");
    mem_free(path);
    return code;
}
