/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"

#include "base/size.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 4096 };

static const struct control_groups here = {"/proc/self/cgroup", "/sys/fs/cgroup"};

/* Up to two numbers of a file; how many there are ("max" is none). */
static int read_numbers(const char *directory, const char *name, double values[2]) {
    char path[2 * LINE];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    const int n = fscanf(f, "%lf %lf", &values[0], &values[1]);
    fclose(f);
    return n < 0 ? 0 : n;
}

static double processors_in(const char *directory) {
    double v[2], quota[2], period[2];
    if (read_numbers(directory, "cpu.max", v) == 2 && v[1] > 0) return v[0] / v[1];
    if (read_numbers(directory, "cpu.cfs_quota_us", quota) == 1 && quota[0] > 0 &&
        read_numbers(directory, "cpu.cfs_period_us", period) == 1 && period[0] > 0)
        return quota[0] / period[0];
    return 0;
}

static double memory_in(const char *directory) {
    double v[2];
    const bool limited = read_numbers(directory, "memory.max", v) == 1 || read_numbers(directory, "memory.limit_in_bytes", v) == 1;
    return limited && v[0] < 1e18 ? v[0] / 1048576 : 0; /* version 1 writes 2^63 for none */
}

typedef double limit_in(const char *directory);

static double lesser(double a, double b) {
    return a <= 0 || (b > 0 && b < a) ? b : a;
}

/* Of the group and all above it. In a container the path may be the host's: then what there is of it is the root. */
static double least_on(const char *base, char *path, limit_in *limit) {
    char directory[2 * LINE];
    double least = 0;
    for (;;) {
        snprintf(directory, sizeof directory, "%s%s", base, path);
        least = lesser(least, limit(directory));
        char *end = strrchr(path, '/');
        if (!end) return least;
        *end = '\0';
    }
}

static bool in_list(const char *list, const char *name) {
    const size_t n = strlen(name);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && memcmp(p, name, n) == 0) return true;
    return false;
}

/* A line is "number:controllers:/path"; version 2 names no controllers. */
static double least_of_line(const char *root, char *line, const char *controller, limit_in *limit) {
    char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL, base[LINE], unified[LINE];
    if (!path) return 0;
    *path++ = '\0';
    controllers++;
    path[strcspn(path, "\n")] = '\0';
    if (*controllers && !in_list(controllers, controller)) return 0;
    char again[LINE];
    snprintf(again, sizeof again, "%s", path);
    snprintf(base, sizeof base, "%s%s%s", root, *controllers ? "/" : "", *controllers ? controller : "");
    snprintf(unified, sizeof unified, "%s/unified", root); /* where both versions are */
    const double least = least_on(base, path, limit);
    return *controllers ? least : lesser(least, least_on(unified, again, limit));
}

static double least(const struct control_groups *g, const char *controller, limit_in *limit) {
    if (!g) g = &here;
    FILE *f = fopen(g->own, "r");
    if (!f) return 0;
    char line[LINE];
    double found = 0;
    while (fgets(line, sizeof line, f)) found = lesser(found, least_of_line(g->root, line, controller, limit));
    fclose(f);
    return found;
}

double limit_processors(const struct control_groups *g) {
    return least(g, "cpu", processors_in);
}

double limit_memory(const struct control_groups *g) {
    return least(g, "memory", memory_in);
}

long limit_allowed(void) {
    cpu_set_t set;
    const long n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN); /* more than a set holds */
    return n < 1 ? 1 : n;
}

long limit_threads(void) {
    const long allowed = limit_allowed();
    const double quota = limit_processors(NULL);
    if (quota <= 0 || quota >= (double)allowed) return allowed;
    return quota < 1 ? 1 : (long)quota;
}
