/* SPDX-License-Identifier: Apache-2.0 */
/* A file is written under "NAME.<n>.partial" in the same directory, synced, and renamed over NAME;
 * then the directory is synced, since the rename itself is only in memory before that. What is no
 * file to be replaced, a pipe or a terminal, is written as it is. */
#include "base/files.h"

#include "base/alloc.h"
#include "base/context.h"
#include "base/size.h"

#define XXH_STATIC_LINKING_ONLY /* the size of a hash state, so that it comes from base/alloc */
#include <xxhash.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WRITE_BUFFER_BYTES = 256 * 1024,
    READ_BUFFER_BYTES = 1024 * 1024,
    MAX_PARTIALS = 1000, /* abandoned partial files of one name before we refuse to add another */
};

/* ---- writer ---- */

struct writer {
    char *path, *partial; /* partial: NULL when path itself is written */
    int fd;
    genair_status failure; /* the first one; code GENAIR_OK while all is well */
    uint64_t n_bytes;
    size_t n_buffered;
    unsigned char buffer[WRITE_BUFFER_BYTES];
};

static void writer_free(struct writer *w) {
    if (w->fd >= 0) close(w->fd);
    mem_free(w->path);
    mem_free(w->partial);
    mem_free(w);
}

/* Opens the first free partial name: two writers of one name never share a partial file. */
static genair_code open_partial(struct writer *w, genair_status *st) {
    const size_t size = strlen(w->path) + 32;
    w->partial = mem_array(size, 1);
    if (!w->partial) return fail_memory(st);
    for (int n = 0; n < MAX_PARTIALS; n++) {
        snprintf(w->partial, size, "%s.%d.partial", w->path, n);
        w->fd = open(w->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd >= 0) return GENAIR_OK;
        if (errno != EEXIST) return fail_errno(st, w->path, "create");
    }
    return fail_line(st, GENAIR_IO, w->path, 0,
                     "%d unfinished files \"%s\" lie beside it; remove them", MAX_PARTIALS,
                     w->partial);
}

void writer_remove_leftovers(const char *path) {
    char partial[4096];
    for (int n = 0; n < MAX_PARTIALS; n++)
        if (snprintf(partial, sizeof partial, "%s.%d.partial", path, n) >= (int)sizeof partial || unlink(partial) != 0) return;
}

/* What the shell or a parent has opened, be it a file: a rename would put another in its place. */
static bool is_descriptor(const char *path) {
    static const char *const begins[] = {"/dev/fd/", "/dev/std", "/proc/self/fd/"};
    for (size_t i = 0; i < COUNT(begins); i++)
        if (strncmp(path, begins[i], strlen(begins[i])) == 0) return true;
    return false;
}

/* At its end, where that counts. */
static genair_code open_as_it_is(struct writer *w, genair_status *st) {
    w->fd = open(w->path, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
    return w->fd >= 0 ? GENAIR_OK : fail_errno(st, w->path, "open");
}

static genair_code open_output(struct writer *w, genair_status *st) {
    struct stat info;
    if (stat(w->path, &info) != 0) return open_partial(w, st);
    if (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode) || is_descriptor(w->path)) return open_as_it_is(w, st);
    if (S_ISREG(info.st_mode)) return open_partial(w, st);
    return fail_line(st, GENAIR_IO, w->path, 0, "%s; name a file to write",
                     S_ISDIR(info.st_mode) ? "is a directory" : "is neither a file nor a pipe");
}

genair_code writer_open(const char *path, struct writer **out, genair_status *st) {
    struct writer *w = mem_zeros(1, sizeof *w);
    if (!w) return fail_memory(st);
    w->fd = -1;
    w->path = mem_text(path, strlen(path));
    const genair_code code = w->path ? open_output(w, st) : fail_memory(st);
    if (code != GENAIR_OK) {
        writer_free(w);
        return code;
    }
    *out = w;
    return GENAIR_OK;
}

static genair_code sticky(const struct writer *w, genair_status *st) {
    if (w->failure.code != GENAIR_OK && st && st->code == GENAIR_OK) *st = w->failure;
    return w->failure.code;
}

static void write_all(struct writer *w, const unsigned char *data, size_t size) {
    while (size) {
        const ssize_t n = write(w->fd, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            fail_errno(&w->failure, w->path, "write");
            return;
        }
        data += n;
        size -= (size_t)n;
    }
}

static void flush(struct writer *w) {
    if (w->failure.code == GENAIR_OK) write_all(w, w->buffer, w->n_buffered);
    w->n_buffered = 0;
}

genair_code writer_put(struct writer *w, const void *data, size_t size, genair_status *st) {
    if (w->failure.code != GENAIR_OK) return sticky(w, st);
    w->n_bytes += size;
    if (size > sizeof w->buffer - w->n_buffered) flush(w);
    if (size > sizeof w->buffer) {
        if (w->failure.code == GENAIR_OK) write_all(w, data, size);
    } else if (size) {
        memcpy(w->buffer + w->n_buffered, data, size);
        w->n_buffered += size;
    }
    return sticky(w, st);
}

genair_code writer_printf(struct writer *w, genair_status *st, const char *format, ...) {
    char small[512];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (n < 0) return fail(st, GENAIR_INTERNAL, "cannot format text for %s", w->path);
    if ((size_t)n < sizeof small) return writer_put(w, small, (size_t)n, st);
    char *large = mem_array((size_t)n + 1, 1);
    if (!large) return fail_memory(st);
    va_start(args, format);
    vsnprintf(large, (size_t)n + 1, format, args);
    va_end(args);
    const genair_code code = writer_put(w, large, (size_t)n, st);
    mem_free(large);
    return code;
}

uint64_t writer_bytes(const struct writer *w) {
    return w->n_bytes;
}

static genair_code sync_directory_of(const char *path, genair_status *st) {
    const char *slash = strrchr(path, '/');
    char *directory =
        !slash ? mem_text(".", 1) : mem_text(path, slash == path ? 1 : (size_t)(slash - path));
    if (!directory) return fail_memory(st);
    genair_code code = GENAIR_OK;
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* A directory that may be written but not read, or a file system without such a sync: the
     * rename is done, and nothing more can be asked for. */
    if (fd < 0 && errno != EACCES) code = fail_errno(st, directory, "open");
    if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        code = fail_errno(st, directory, "sync");
    if (fd >= 0) close(fd);
    mem_free(directory);
    return code;
}

genair_code writer_sync(struct writer *w, genair_status *st) {
    flush(w);
    if (w->failure.code == GENAIR_OK && fsync(w->fd) != 0 && errno != EINVAL)
        fail_errno(&w->failure, w->path, "sync");
    return sticky(w, st);
}

genair_code writer_commit(struct writer *w, genair_status *st) {
    genair_code code = writer_sync(w, st);
    const int fd = w->fd;
    w->fd = -1;
    if (close(fd) != 0 && w->failure.code == GENAIR_OK) fail_errno(&w->failure, w->path, "close");
    if (w->failure.code == GENAIR_OK && w->partial && rename(w->partial, w->path) != 0)
        fail_errno(&w->failure, w->path, "replace");
    if (w->failure.code != GENAIR_OK) {
        code = sticky(w, st);
        writer_abandon(w);
        return code;
    }
    if (w->partial) code = sync_directory_of(w->path, st);
    writer_free(w);
    return code;
}

void writer_abandon(struct writer *w) {
    if (!w) return;
    if (w->partial) unlink(w->partial);
    writer_free(w);
}

/* ---- whole files ---- */

genair_code file_replace(const char *path, const void *data, size_t size, genair_status *st) {
    struct writer *w;
    genair_code code = writer_open(path, &w, st);
    if (code != GENAIR_OK) return code;
    code = writer_put(w, data, size, st);
    if (code == GENAIR_OK) return writer_commit(w, st);
    writer_abandon(w);
    return code;
}

/* *n: bytes read, below size only at the end of the file. */
static genair_code read_some(int fd, const char *path, void *out, size_t size, size_t *n,
                             genair_status *st) {
    *n = 0;
    while (*n < size) {
        const ssize_t got = read(fd, (char *)out + *n, size - *n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(st, path, "read");
        if (got == 0) break;
        *n += (size_t)got;
    }
    return GENAIR_OK;
}

static genair_code read_whole(int fd, const char *path, size_t limit, char **data, size_t *size,
                              genair_status *st) {
    size_t n = 0, capacity = 0;
    char *p = NULL;
    genair_code code = GENAIR_OK;
    struct stat info;
    const size_t expected = fstat(fd, &info) == 0 && info.st_size > 0 ? (size_t)info.st_size : 4096;
    for (;;) {
        /* One byte more than is wanted: it shows the end of the file, and leaves room for the NUL.
         */
        size_t step = n == 0 ? expected : capacity / 2 + 4096;
        if (!add_size(n, step, &step) || step > limit) step = limit;
        if (!mem_grow(&p, &capacity, step + 2, 1)) {
            code = fail_memory(st);
            break;
        }
        size_t got;
        code = read_some(fd, path, p + n, step + 1 - n, &got, st);
        if (code != GENAIR_OK) break;
        n += got;
        if (n <= step) break;
        if (n > limit) {
            code = fail_line(st, GENAIR_FORMAT, path, 0,
                             "more than %zu bytes, which is the most allowed here", limit);
            break;
        }
    }
    if (code != GENAIR_OK) {
        mem_free(p);
        return code;
    }
    p[n] = '\0';
    *data = p;
    *size = n;
    return GENAIR_OK;
}

genair_code file_read(const char *path, size_t limit, char **data, size_t *size,
                      genair_status *st) {
    if (limit > SIZE_MAX - 2) limit = SIZE_MAX - 2;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno(st, path, "open");
    const genair_code code = read_whole(fd, path, limit, data, size, st);
    close(fd);
    return code;
}

bool file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

bool file_missing(const char *path) {
    return !file_exists(path) && (errno == ENOENT || errno == ENOTDIR);
}

static bool is_directory(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

genair_code directory_make(const char *path, genair_status *st) {
    if (!path[0]) return fail(st, GENAIR_USAGE, "the name of a directory is empty");
    char *prefix = mem_text(path, strlen(path));
    if (!prefix) return fail_memory(st);
    genair_code code = GENAIR_OK;
    for (char *p = prefix + 1; code == GENAIR_OK; p++) {
        if (*p != '/' && *p != '\0') continue;
        const char end = *p;
        *p = '\0';
        if (!is_directory(prefix) && mkdir(prefix, 0777) != 0 &&
            !(errno == EEXIST && is_directory(prefix)))
            code = fail_errno(st, prefix, "create the directory");
        *p = end;
        if (end == '\0') break;
    }
    mem_free(prefix);
    return code;
}

static genair_code remove_entry(const char *path, genair_status *st);

static genair_code remove_entries(const char *path, genair_status *st) {
    DIR *d = opendir(path);
    if (!d) return fail_errno(st, path, "list the directory");
    genair_code code = GENAIR_OK;
    for (struct dirent *e; code == GENAIR_OK && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char *inner = path_join(path, e->d_name);
        code = inner ? remove_entry(inner, st) : fail_memory(st);
        mem_free(inner);
    }
    closedir(d);
    return code;
}

static genair_code remove_entry(const char *path, genair_status *st) {
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT ? GENAIR_OK : fail_errno(st, path, "examine");
    if (!S_ISDIR(info.st_mode))
        return unlink(path) == 0 ? GENAIR_OK : fail_errno(st, path, "remove");
    const genair_code code = remove_entries(path, st);
    if (code != GENAIR_OK) return code;
    return rmdir(path) == 0 ? GENAIR_OK : fail_errno(st, path, "remove");
}

genair_code directory_remove(const char *path, genair_status *st) {
    return remove_entry(path, st);
}

struct text path_name(const char *path) {
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') begin--;
    if (begin == end) begin = 0;
    return (struct text){path + begin, end - begin};
}

char *path_join(const char *a, const char *b) {
    const size_t n = strlen(a), size = n + strlen(b) + 2;
    char *path = mem_array(size, 1);
    if (path) snprintf(path, size, "%s%s%s", a, n && a[n - 1] == '/' ? "" : "/", b);
    return path;
}

/* ---- hashes ---- */

struct hasher {
    XXH3_state_t state;
};

/* The digits of `xxhsum -H2`: most significant byte first. */
static void hash_digits(XXH128_hash_t hash, char out[33]) {
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, hash);
    for (size_t i = 0; i < sizeof bytes.digest; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes.digest[i]);
}

struct hasher *hasher_create(void) {
    struct hasher *h = mem_aligned(1, sizeof *h);
    if (!h) return NULL;
    XXH3_INITSTATE(&h->state);
    XXH3_128bits_reset(&h->state);
    return h;
}

void hasher_add(struct hasher *h, const void *data, size_t size) {
    if (size) XXH3_128bits_update(&h->state, data, size);
}

void hasher_finish(struct hasher *h, char out[33]) {
    hash_digits(XXH3_128bits_digest(&h->state), out);
    mem_free(h);
}

void hash_bytes(const void *data, size_t size, char out[33]) {
    hash_digits(XXH3_128bits(data, size), out);
}

static genair_code hash_open_file(const genair_context *ctx, int fd, const char *path, struct hasher *h, genair_status *st) {
    unsigned char *buffer = mem_array(READ_BUFFER_BYTES, 1);
    if (!buffer) return fail_memory(st);
    size_t n = READ_BUFFER_BYTES;
    genair_code code = GENAIR_OK;
    while (code == GENAIR_OK && n == READ_BUFFER_BYTES) {
        code = ctx && context_stopped(ctx) ? context_interrupted(st)
                                           : read_some(fd, path, buffer, READ_BUFFER_BYTES, &n, st);
        if (code == GENAIR_OK) hasher_add(h, buffer, n);
    }
    mem_free(buffer);
    return code;
}

genair_code hash_file(const genair_context *ctx, const char *path, char out[33], genair_status *st) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno(st, path, "open");
    struct hasher *h = hasher_create();
    const genair_code code = h ? hash_open_file(ctx, fd, path, h, st) : fail_memory(st);
    close(fd);
    char digits[33];
    if (h) hasher_finish(h, digits);
    if (code == GENAIR_OK) memcpy(out, digits, sizeof digits);
    return code;
}
