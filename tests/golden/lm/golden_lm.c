/* SPDX-License-Identifier: Apache-2.0 */
/* golden_lm [--optional] [--kernels NAME] DIR…: checks every golden set of the language model at or
 * below the directories: tokenizers, models, block types of weights, broken files.
 *
 * Prints a line for each failing case, then "N passed, N failed"; exits with 1 if any failed or
 * there was none, with 77 (skipped) if --optional is given and a directory is not there, or if the
 * machine cannot run the kernels asked for. */
#include "golden/lm/golden_lm.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "workspace/npy.h"

#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 16 };

/* A directory belongs to the groups whose marks it holds. */
static const struct {
    const char *mark;
    golden_lm_group *check;
} groups[] = {
    {"x.npy", golden_quants},
    {"index.json", golden_malformed},
    {"cases.jsonl", golden_tokenizers},
    {"prompts.json", golden_prompts},
    {"prompts.json", golden_models},
};

/* ---- what groups use ---- */

void golden_lm_pass(struct golden_lm *g) {
    g->passed++;
}

void golden_lm_fail(struct golden_lm *g, const char *name, const char *format, ...) {
    g->failed++;
    printf("FAILED %s/%s: ", g->directory, name);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

bool golden_lm_ok(struct golden_lm *g, const char *name, genair_code code,
                  const genair_status *st) {
    if (code == GENAIR_OK) return true;
    char text[1700];
    genair_status_text(st, text, sizeof text);
    golden_lm_fail(g, name, "%s", text);
    return false;
}

bool golden_lm_close(struct golden_lm *g, const char *name, const char *array, size_t first,
                     size_t n, const double *expected, const double *found, double allowed) {
    size_t worst = 0, n_wrong = 0;
    double furthest = -1;
    for (size_t i = 0; i < n; i++) {
        const double off = fabs(found[i] - expected[i]);
        if (off <= allowed) continue;
        n_wrong++;
        if (off <= furthest) continue;
        worst = i;
        furthest = isnan(off) ? (double)INFINITY : off;
    }
    if (n_wrong)
        golden_lm_fail(g, name,
                       "%s[%zu] expected %.9g, found %.9g (difference %.3g, allowed %.3g; %zu of "
                       "%zu values differ)",
                       array, first + worst, expected[worst], found[worst],
                       fabs(found[worst] - expected[worst]), allowed, n_wrong, n);
    return n_wrong == 0;
}

double *golden_lm_npy(struct golden_lm *g, const char *directory, const char *name,
                      const char *file, size_t *n) {
    char *path = path_join(directory, file);
    struct npy *a = NULL;
    genair_status st = {0};
    double *values = NULL;
    if (golden_lm_ok(g, name, path ? npy_open(path, &a, &st) : fail_memory(&st), &st)) {
        values = mem_array(a->n_values, sizeof *values);
        if (!values) golden_lm_fail(g, name, "%s: out of memory", file);
        for (size_t i = 0; values && i < a->n_values; i++)
            values[i] = npy_f64(a, i);
        *n = a->n_values;
    }
    npy_close(a);
    mem_free(path);
    return values;
}

json_t *golden_lm_json(struct golden_lm *g, const char *directory, const char *name,
                       const char *file) {
    char *path = path_join(directory, file);
    json_error_t error = {.text = "out of memory"};
    json_t *json = path ? json_load_file(path, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (!json) golden_lm_fail(g, name, "%s:%d: %s", file, error.line, error.text);
    mem_free(path);
    return json;
}

/* ---- which directories ---- */

static bool is_directory(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* false when the directory belongs to no group. */
static bool check_groups(struct golden_lm *g, const char *directory) {
    bool any = false;
    for (size_t i = 0; i < COUNT(groups); i++) {
        char *path = path_join(directory, groups[i].mark);
        if (path && file_exists(path)) {
            groups[i].check(g, directory);
            any = true;
        }
        mem_free(path);
    }
    return any;
}

static void walk(const char *directory, int depth, struct golden_lm *g) {
    g->directory = directory;
    if (check_groups(g, directory)) return;
    struct dirent **entries = NULL;
    const int n = scandir(directory, &entries, NULL, alphasort);
    if (n < 0) golden_lm_fail(g, ".", "the directory cannot be read");
    for (int i = 0; i < n; i++) {
        char *path = path_join(directory, entries[i]->d_name);
        if (path && entries[i]->d_name[0] != '.' && depth < MAX_DEPTH && is_directory(path))
            walk(path, depth + 1, g);
        mem_free(path);
        free(entries[i]); /* scandir's */
    }
    free(entries);
}

static int run(char **directories, bool optional, struct golden_lm *g) {
    for (size_t i = 0; optional && directories[i]; i++) {
        if (is_directory(directories[i])) continue;
        printf("skipped: no golden data at %s\n", directories[i]);
        return 77;
    }
    for (size_t i = 0; directories[i]; i++)
        walk(directories[i], 0, g);
    printf("%zu passed, %zu failed\n", g->passed, g->failed); /* last line, parsed by others */
    return g->failed > 0 || g->passed == 0;
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
        fprintf(stderr, "usage: golden_lm [--optional] [--kernels NAME] DIR...\n");
        return 2;
    }
    struct golden_lm g = {.kernels = kernels_select(kernels)};
    genair_status st = {0};
    if (!g.kernels) {
        printf("skipped: no kernels \"%s\" for this machine\n", kernels ? kernels : "");
        return 77;
    }
    if (genair_context_create(2, NULL, NULL, &g.ctx, &st) != GENAIR_OK) {
        fprintf(stderr, "%s\n", st.message);
        return 1;
    }
    const int code = run(argv + first, optional, &g);
    genair_context_free(g.ctx);
    return code;
}
