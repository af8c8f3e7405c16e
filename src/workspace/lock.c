/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/lock.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 8 };

static genair_code held_by_other(int fd, const char *directory, genair_status *st) {
    char holder[256] = "";
    const ssize_t n = pread(fd, holder, sizeof holder - 1, 0);
    holder[n > 0 ? n : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return fail_line(st, GENAIR_IO, directory, 0,
                     "the workspace is in use by %s; wait for it or stop it",
                     holder[0] ? holder : "another process");
}

/* Tells a loser who we are. Not vital: a full disk must not hinder the lock itself. */
static void sign(int fd, const char *command) {
    char text[256];
    const int n = snprintf(text, sizeof text, "process %ld (genair %s)\n", (long)getpid(), command);
    if (ftruncate(fd, 0) == 0 && n > 0 && pwrite(fd, text, strlen(text), 0) < 0) return;
}

static genair_code take(const char *directory, const char *command, int how, int *fd, genair_status *st) {
    char *path = path_join(directory, ".lock");
    if (!path) return fail_memory(st);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    mem_free(path);
    if (*fd < 0 && (errno == EROFS || errno == EACCES || errno == EPERM))
        return fail_line(
            st, GENAIR_IO, directory, 0,
            "the workspace may not be written (%s), and 'genair %s' has to; copy it, or change "
            "its permissions",
            errno == EROFS ? "read-only file system" : "no permission", command);
    if (*fd < 0) return fail_errno(st, directory, "create the workspace's lock file");
    if (flock(*fd, how | LOCK_NB) == 0) {
        sign(*fd, command);
        return GENAIR_OK;
    }
    const genair_code code = errno == EWOULDBLOCK ? held_by_other(*fd, directory, st)
                                                  : fail_errno(st, directory, "lock the workspace");
    close(*fd);
    *fd = -1;
    return code;
}

genair_code lock_take(const char *directory, const char *command, int *fd, genair_status *st) {
    return take(directory, command, LOCK_EX, fd, st);
}

genair_code lock_share(const char *directory, const char *command, int *fd, genair_status *st) {
    return take(directory, command, LOCK_SH, fd, st);
}

void lock_release(int fd) {
    if (fd < 0) return;
    if (ftruncate(fd, 0) != 0) (void)0; /* the signature of a lock that nobody holds does no harm */
    close(fd);
}

static genair_code remove_below(const char *directory, int depth, genair_status *st);

/* "NAME.<n>.partial" of a writer (base/files.h), ".spill-XXXXXX.partial". */
static bool is_partial_file(const char *name) {
    const size_t n = strlen(name) - strlen(".partial");
    size_t digits = 0;
    while (digits < n && name[n - 1 - digits] >= '0' && name[n - 1 - digits] <= '9') digits++;
    return (digits > 0 && digits < n && name[n - 1 - digits] == '.') || strncmp(name, ".spill-", 7) == 0;
}

/* A stage's staging directory, or one of a run that was put aside. */
static bool is_partial_directory(const char *directory, const char *name, int depth) {
    static const char *const stages[] = {"prepare", "embed", "fuse", "scft", "report", "analyze"};
    if (depth > 0) return text_ends_with(text_of(directory), "/runs");
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        if (strncmp(name, stages[i], strlen(stages[i])) == 0 && strcmp(name + strlen(stages[i]), ".partial") == 0) return true;
    return false;
}

/* By our own names alone: the directory may hold files of others, downloads among them. */
static genair_code remove_if_partial(const char *directory, const char *name, int depth, genair_status *st) {
    struct stat info;
    char *path = path_join(directory, name);
    if (!path) return fail_memory(st);
    genair_code code = GENAIR_OK;
    if (lstat(path, &info) == 0) {
        const bool is_directory = S_ISDIR(info.st_mode);
        if (text_ends_with(text_of(name), ".partial") &&
            (is_directory ? is_partial_directory(directory, name, depth) : is_partial_file(name)))
            code = directory_remove(path, st);
        else if (is_directory && depth < MAX_DEPTH)
            code = remove_below(path, depth + 1, st);
    }
    mem_free(path);
    return code;
}

static genair_code remove_below(const char *directory, int depth, genair_status *st) {
    DIR *d = opendir(directory);
    if (!d && depth > 0 && (errno == EACCES || errno == ENOENT)) return GENAIR_OK; /* not ours, or gone */
    if (!d) return fail_errno(st, directory, "list the directory");
    genair_code code = GENAIR_OK;
    for (struct dirent *e; code == GENAIR_OK && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        code = remove_if_partial(directory, e->d_name, depth, st);
    }
    closedir(d);
    return code;
}

genair_code lock_remove_partials(const char *directory, genair_status *st) {
    return remove_below(directory, 0, st);
}
