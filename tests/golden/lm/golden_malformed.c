/* SPDX-License-Identifier: Apache-2.0 */
/* Broken files, listed by index.json with what is wrong: each must be refused in words, the valid
 * ones among them taken. Each is opened in a process of its own with limits, so that a crash is one
 * failed case. */
#include "golden/lm/golden_lm.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "lm/tokenizer.h"
#include "lm/weights.h"
#include "workspace/npy.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MEMORY_BYTES = 64 << 20, /* that one entry may take: the files have at most 200 kB */
    SECONDS = 1,             /* of the processor */
    PATIENCE = 20,           /* by the clock, of a machine that may be busy or sanitizing */
};

/* ---- kinds: each opens the entry and reads what it holds ---- */

static genair_code open_npy(const char *path, genair_status *st) {
    struct npy *a = NULL;
    genair_code code = npy_open(path, &a, st);
    for (size_t i = 0; code == GENAIR_OK && i < a->n_values; i++)
        if (!isfinite(npy_f64(a, i)))
            code = fail_line(st, GENAIR_FORMAT, path, 0, "value %zu is not finite", i);
    npy_close(a);
    return code;
}

/* All weights are read by their hash. */
static genair_code open_model(const char *path, genair_status *st) {
    struct lm_weights *w = NULL;
    struct tokenizer *t = NULL;
    char hash[33];
    genair_code code = lm_weights_open(path, &w, st);
    if (code == GENAIR_OK) code = lm_weights_hash(NULL, w, hash, st);
    if (code == GENAIR_OK)
        code = w->gguf ? tokenizer_open_gguf(w->gguf, w->config.vocabulary, &t, st)
                       : tokenizer_open_directory(path, w->config.vocabulary, &t, st);
    tokenizer_free(t);
    lm_weights_close(w);
    return code;
}

static const struct {
    const char *kind;
    genair_code (*open)(const char *path, genair_status *st);
} kinds[] = {
    {"gguf", open_model},   {"hf", open_model},        {"safetensors", open_model},
    {"config", open_model}, {"tokenizer", open_model}, {"npy", open_npy},
};

/* ---- one entry ---- */

/* What the child found, through a pipe. */
struct outcome {
    genair_code code;
    char message[1700];
};

static void limit_memory(void) {
    /* above what is mapped now, which under a sanitizer is terabytes */
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    const bool known = f && fscanf(f, "%lu", &pages) == 1;
    if (f) fclose(f);
    const rlim_t bytes = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + MEMORY_BYTES;
    const struct rlimit limit = {bytes, bytes};
    if (known) setrlimit(RLIMIT_AS, &limit);
}

static void child(size_t kind, const char *path, int out) {
    const struct rlimit no_core = {0, 0};
    struct outcome found = {0};
    genair_status st = {0};
    setrlimit(RLIMIT_CORE, &no_core);
    limit_memory();
    alarm(PATIENCE);
    found.code = kinds[kind].open(path, &st);
    if (found.code != GENAIR_OK) genair_status_text(&st, found.message, sizeof found.message);
    const ssize_t n = write(out, &found, sizeof found);
    _exit(n == sizeof found ? 0 : 1);
}

/* false when the child did not say what it found; *status and *usage as wait4 gives them. */
static bool run_child(size_t kind, const char *path, struct outcome *found, int *status,
                      struct rusage *usage) {
    int ends[2];
    if (pipe(ends) != 0) return false;
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child(kind, path, ends[1]);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got = 1; pid > 0 && got > 0 && n < sizeof *found; n += (size_t)(got > 0 ? got : 0))
        got = read(ends[0], (char *)found + n, sizeof *found - n);
    close(ends[0]);
    pid_t waited;
    do
        waited = pid > 0 ? wait4(pid, status, 0, usage) : -1;
    while (waited < 0 && pid > 0 && errno == EINTR);
    return n == sizeof *found && waited == pid;
}

static double seconds(const struct rusage *u) {
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           1e-6 * (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

static void judge(struct golden_lm *g, const char *name, bool valid, const char *what, size_t kind,
                  const char *path) {
    struct outcome found = {0};
    struct rusage usage = {0};
    int status = 0;
    const bool told = run_child(kind, path, &found, &status, &usage);
    if (!told && WIFSIGNALED(status))
        golden_lm_fail(g, name, "%s: ended by signal %d (%s)", what, WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    else if (!told)
        golden_lm_fail(g, name, "%s: ended without a result, exit status %d", what,
                       WEXITSTATUS(status));
    else if (valid && found.code != GENAIR_OK)
        golden_lm_fail(g, name, "refused, though it is valid: %s", found.message);
    else if (!valid && found.code == GENAIR_OK)
        golden_lm_fail(g, name, "accepted, though there is %s", what);
    else if (!valid &&
             (!found.message[0] || found.code == GENAIR_MEMORY || found.code == GENAIR_INTERNAL))
        golden_lm_fail(g, name, "%s: refused with \"%s\" (code %d), which says nothing about it",
                       what, found.message, (int)found.code);
    else if (seconds(&usage) > SECONDS)
        golden_lm_fail(g, name, "%s: took %.1f s", what, seconds(&usage));
    else
        golden_lm_pass(g);
}

static void check_entry(struct golden_lm *g, const char *directory, const json_t *entry) {
    const char *name = json_string_value(json_object_get(entry, "path")),
               *kind = json_string_value(json_object_get(entry, "kind")),
               *what = json_string_value(json_object_get(entry, "what"));
    const json_t *valid = json_object_get(entry, "valid");
    size_t k = 0;
    if (!name || !kind || !what || !json_is_boolean(valid)) {
        golden_lm_fail(g, "index.json", "an entry without path, kind, valid or what");
        return;
    }
    while (k < COUNT(kinds) && strcmp(kinds[k].kind, kind) != 0)
        k++;
    char *path = path_join(directory, name);
    if (k == COUNT(kinds))
        golden_lm_fail(g, name, "no rule for the kind \"%s\"", kind);
    else if (!path || access(path, R_OK) != 0)
        golden_lm_fail(g, name, "listed by index.json, but not there");
    else
        judge(g, name, json_is_true(valid), what, k, path);
    mem_free(path);
}

void golden_malformed(struct golden_lm *g, const char *directory) {
    json_t *index = golden_lm_json(g, directory, "index.json", "index.json"), *entry;
    size_t i;
    json_array_foreach(index, i, entry) check_entry(g, directory, entry);
    if (index && !json_is_array(index)) golden_lm_fail(g, "index.json", "it is no list");
    json_decref(index);
}
