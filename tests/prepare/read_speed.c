/* SPDX-License-Identifier: Apache-2.0 */
/* Not a test: how fast interactions are read. read_speed N writes N made-up lines of TSV to a
 * temporary file and reads them; read_speed FILE… reads what there is. Prints wall and processor
 * time and the rate by both. */
#include "base/context.h"
#include "base/rng.h"
#include "prepare/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int write_lines(const char *path, int64_t n) {
    FILE *f = fopen(path, "w");
    if (!f) return -1;
    struct rng r = rng_start(1, RNG_TEST, 0);
    fprintf(f, "user_id\titem_id\ttimestamp\n");
    for (int64_t i = 0; i < n; i++)
        fprintf(f, "u%llu\ti%llu\t%llu\n", (unsigned long long)rng_below(&r, 2000000),
                (unsigned long long)rng_below(&r, 300000),
                1300000000ull + rng_below(&r, 400000000));
    return fclose(f);
}

static int read_files(const char *const *paths, size_t n_paths) {
    const struct read_options options = {.format = "auto"};
    struct interaction_reader *r;
    struct interaction x;
    genair_status st = {0};
    char text[2048];
    bool more = true;
    uint64_t n = 0;
    const double start = context_seconds();
    const clock_t cpu = clock();
    if (!interactions_open(paths, n_paths, &options, &r, &st)) {
        while (!interactions_next(r, &x, &more, &st) && more)
            n++;
        const double wall = context_seconds() - start,
                     busy = (double)(clock() - cpu) / CLOCKS_PER_SEC;
        printf("%llu interactions, %.1f MB: %.2f s, %.2f M/s; processor %.2f s, %.2f M/s; peak RSS "
               "%.0f MiB\n",
               (unsigned long long)n, (double)interactions_bytes_read(r) / 1e6, wall,
               (double)n / wall / 1e6, busy, (double)n / busy / 1e6, context_peak_rss_mb());
        interactions_close(r);
    }
    genair_status_text(&st, text, sizeof text);
    if (st.code) fprintf(stderr, "%s\n", text);
    return st.code;
}

int main(int argc, char **argv) {
    char path[] = "read-speed-XXXXXX";
    const char *made = path;
    if (argc < 2) {
        fprintf(stderr, "read_speed N | FILE...\n");
        return 2;
    }
    if (argv[1][strspn(argv[1], "0123456789")])
        return read_files((const char *const *)(argv + 1), (size_t)argc - 1);
    close(mkstemp(path));
    const int failed = write_lines(path, atoll(argv[1])) || read_files(&made, 1);
    remove(path);
    return failed;
}
