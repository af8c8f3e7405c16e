/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor/machine.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { LINE = 512 };

/* What follows "key" and a colon in a file of such lines, as /proc has them. */
static bool proc_value(const char *path, const char *key, char *out, size_t size) {
    FILE *f = fopen(path, "r");
    if (!f) return false;
    char line[LINE];
    const size_t n = strlen(key);
    bool found = false;
    while (!found && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, n) != 0 || !strchr(" \t:", line[n])) continue;
        const char *value = strchr(line + n, ':');
        if (!value) continue;
        value += 1 + strspn(value + 1, " \t");
        snprintf(out, size, "%.*s", (int)strcspn(value, "\n"), value);
        found = true;
    }
    fclose(f);
    return found;
}

static double proc_kilobytes(const char *key) {
    char text[LINE];
    return proc_value("/proc/meminfo", key, text, sizeof text) ? strtod(text, NULL) / 1024 : 0;
}

static double limit_of(int resource) {
    struct rlimit limit;
    return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? (double)limit.rlim_cur : 0;
}

void machine_ask(struct machine *m) {
    *m = (struct machine){.processors = sysconf(_SC_NPROCESSORS_ONLN)};
    if (!proc_value("/proc/cpuinfo", "model name", m->processor, sizeof m->processor)) m->processor[0] = '\0';
    m->allowed = limit_allowed();
    m->quota = limit_processors(NULL);
    m->memory_limit_mb = limit_memory(NULL);
    m->memory_mb = proc_kilobytes("MemTotal");
    m->available_mb = proc_kilobytes("MemAvailable");
    m->address_limit_mb = limit_of(RLIMIT_AS) / 1048576;
    m->open_files = (long)limit_of(RLIMIT_NOFILE);
}

bool machine_find_program(const char *name, char *out, size_t size) {
    const char *path = getenv("PATH");
    struct stat info;
    for (size_t n; path && *path; path += n + (path[n] == ':')) {
        n = strcspn(path, ":");
        const int written = snprintf(out, size, "%.*s/%s", (int)n, path, name);
        if (n > 0 && written > 0 && (size_t)written < size && access(out, X_OK) == 0 && stat(out, &info) == 0 &&
            S_ISREG(info.st_mode))
            return true;
    }
    return false;
}

double machine_free_mb(const char *path) {
    struct statvfs info;
    if (statvfs(path, &info) != 0) return -1;
    return (double)info.f_bavail * (double)info.f_frsize / 1048576;
}
