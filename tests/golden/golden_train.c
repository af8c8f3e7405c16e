/* SPDX-License-Identifier: Apache-2.0 */
/* golden_train [--optional] [--kernels NAME] DIR…: recomputes every golden case below the
 * directories and compares.
 *
 * A case is a directory with a case.json; a set is any directory above cases, and an index.json
 * there that names a case which is missing counts as a failed case. Prints a line for each failing
 * case, then "N passed, N failed"; exits with 1 if any failed or there was none, with 77 (skipped)
 * if --optional is given and a directory is not there. --kernels asks for one table of kernels
 * ("scalar", "avx2", …) instead of the machine's best; 77 where it cannot run. */
#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "golden/golden.h"
#include "golden/groups.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 16 };

static golden_run *run_of(const char *kind) {
    for (size_t i = 0; i < COUNT(golden_groups); i++)
        if (strcmp(golden_groups[i].kind, kind) == 0) return golden_groups[i].run;
    return NULL;
}

struct totals {
    genair_context *ctx;
    const struct kernels *kernels;
    size_t passed, failed;
};

static bool is_directory(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static bool has_file(const char *directory, const char *name) {
    char *path = path_join(directory, name);
    const bool found = path && file_exists(path);
    mem_free(path);
    return found;
}

static void run_case(const char *directory, struct totals *t) {
    char message[2048];
    if (golden_case(directory, run_of, t->ctx, t->kernels, message, sizeof message)) {
        t->passed++;
        return;
    }
    t->failed++;
    printf("FAILED %s: %s\n", directory, message);
}

/* Cases that index.json lists but the disk does not have. */
static void check_index(const char *directory, struct totals *t) {
    char *path = path_join(directory, "index.json");
    json_error_t error;
    json_t *index = path ? json_load_file(path, 0, &error) : NULL, *entry;
    size_t i;
    json_array_foreach(json_object_get(index, "cases"), i, entry) {
        const char *name = json_string_value(json_object_get(entry, "case"));
        char *place = path_join(directory, name ? name : "");
        if (!name || !place || !has_file(place, "case.json")) {
            t->failed++;
            printf("FAILED %s: index.json lists %s, which is not there\n", directory,
                   name ? name : "a case without a name");
        }
        mem_free(place);
    }
    if (!index) {
        t->failed++;
        printf("FAILED %s: index.json: %s\n", directory, error.text);
    }
    json_decref(index);
    mem_free(path);
}

static void walk(const char *directory, int depth, struct totals *t) {
    if (has_file(directory, "case.json")) {
        run_case(directory, t);
        return;
    }
    if (has_file(directory, "index.json")) check_index(directory, t);
    struct dirent **entries = NULL;
    const int n = scandir(directory, &entries, NULL, alphasort);
    if (n < 0) {
        t->failed++;
        printf("FAILED %s: cannot be read\n", directory);
    }
    for (int i = 0; i < n; i++) {
        char *path = path_join(directory, entries[i]->d_name);
        if (path && entries[i]->d_name[0] != '.' && depth < MAX_DEPTH && is_directory(path))
            walk(path, depth + 1, t);
        mem_free(path);
        free(entries[i]); /* scandir's */
    }
    free(entries);
}

static int run(char **directories, bool optional, struct totals *t) {
    for (size_t i = 0; optional && directories[i]; i++) {
        if (is_directory(directories[i])) continue;
        printf("skipped: no golden data at %s\n", directories[i]);
        return 77;
    }
    for (size_t i = 0; directories[i]; i++)
        walk(directories[i], 0, t);
    printf("%zu passed, %zu failed\n", t->passed, t->failed); /* last line, parsed by others */
    return t->failed > 0 || t->passed == 0;
}

int main(int argc, char **argv) {
    bool optional = false;
    const char *kernels = NULL;
    int first = 1;
    for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++) {
        if (strcmp(argv[first], "--optional") == 0)
            optional = true;
        else if (strcmp(argv[first], "--kernels") == 0 && first + 1 < argc)
            kernels = argv[++first];
        else
            break;
    }
    if (first >= argc || argv[first][0] == '-') {
        fprintf(stderr, "usage: golden_train [--optional] [--kernels NAME] DIR...\n");
        return 2;
    }
    struct totals t = {.kernels = kernels_select(kernels)};
    genair_status st = {0};
    if (!t.kernels) {
        printf("skipped: no kernels \"%s\" for this machine\n", kernels ? kernels : "");
        return 77;
    }
    if (genair_context_create(2, NULL, NULL, &t.ctx, &st) != GENAIR_OK) {
        fprintf(stderr, "%s\n", st.message);
        return 1;
    }
    printf("kernels: %s\n", t.kernels->name);
    const int code = run(argv + first, optional, &t);
    genair_context_free(t.ctx);
    return code;
}
