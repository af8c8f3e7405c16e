/* SPDX-License-Identifier: Apache-2.0 */
/* genair doctor: what this machine offers, what of it is used, and what is missing, with what to do about it. Changes
 * nothing. */
#include "base/blas.h"
#include "base/built_with.h"
#include "base/context.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/options.h"
#include "base/size.h"
#include "base/text.h"
#include "doctor/machine.h"
#include "kernels/kernels.h"
#include "workspace/stage_result.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct report {
    const genair_options *options;
    json_t *out, *advice; /* borrowed, owned: lines for a person */
    bool sound;           /* false: memory is out */
    struct machine machine;
};

static void set(struct report *r, const char *group, const char *key, json_t *value) {
    json_t *o = json_object_get(r->out, group);
    if (!o && json_object_set_new(r->out, group, json_object()) == 0) o = json_object_get(r->out, group);
    r->sound = json_object_set_new(o, key, value) == 0 && r->sound;
}

/* A path may hold bytes that are no text. */
static json_t *text_json(const char *s) {
    const struct text text = text_of(s);
    char shown[TEXT_EXCERPT];
    if (text_utf8_prefix(text) == text.n) return json_string(s);
    text_excerpt(text, shown);
    return json_string(shown);
}

PRINTF(2, 3)
static void advise(struct report *r, const char *format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    r->sound = json_array_append_new(r->advice, text_json(line)) == 0 && r->sound;
}

/* Limits that are not there are null. */
static json_t *limit(double value) {
    return value > 0 ? json_real(value) : json_null();
}

static void report_processor(struct report *r) {
    static const char *const tables[] = {"amx", "vnni", "avx512", "avx2", "neon", "scalar"};
    const struct machine *m = &r->machine;
    if (m->processor[0]) set(r, "processor", "name", json_string(m->processor));
    set(r, "processor", "processors", json_integer(m->processors));
    set(r, "processor", "allowed", json_integer(m->allowed));
    set(r, "processor", "quota", limit(m->quota));
    for (size_t i = 0; i < COUNT(tables); i++)
        set(r, "kernels", tables[i], json_boolean(kernels_select(tables[i])));
    set(r, "kernels", "used", json_string(kernels_select(NULL)->name));
    if (kernels_select(NULL) == &kernels_scalar)
        advise(r, "the processor has none of the instruction sets this program has kernels for (AVX2 with FMA, AVX-512, "
                  "NEON): everything works, several times slower");
}

static void report_threads(struct report *r, const genair_context *ctx) {
    const long used = parallel_threads(context_parallel(ctx)), useful = limit_threads();
    set(r, "threads", "used", json_integer(used));
    if (used > useful)
        advise(r, "of %ld processors there is time of only %ld: without --threads %ld are used, more wait for each other",
               r->machine.allowed, useful, useful);
    set(r, "blas", "library", json_string(blas_description()));
    set(r, "blas", "bears_threads", json_boolean(blas_bears_threads()));
    if (!blas_bears_threads())
        advise(r, "this BLAS gives wrong results to several threads: every command needs --threads 1, or install "
                  "libopenblas0-pthread");
}

static void report_memory(struct report *r) {
    const struct machine *m = &r->machine;
    set(r, "memory", "total_mb", limit(m->memory_mb));
    set(r, "memory", "available_mb", limit(m->available_mb));
    set(r, "memory", "limit_mb", limit(m->memory_limit_mb));
    set(r, "memory", "address_space_limit_mb", limit(m->address_limit_mb));
    set(r, "memory", "open_files_limit", m->open_files ? json_integer(m->open_files) : json_null());
    if (m->address_limit_mb > 0)
        advise(r, "'ulimit -v' is set to %.0f MB, which counts files that are only mapped: lift it for large language "
                  "models", m->address_limit_mb);
    if (m->open_files > 0 && m->open_files < 600)
        advise(r, "'ulimit -n' allows %ld open files; prepare may need 600 for a large log", m->open_files);
    if (m->memory_limit_mb > 0 && m->memory_limit_mb < m->available_mb)
        advise(r, "a control group limits memory to %.0f MB of the machine's %.0f", m->memory_limit_mb, m->memory_mb);
}

/* Cuts a path to the nearest folder above that there is. */
static void to_existing_parent(char *path, size_t size) {
    struct stat info;
    while (stat(path, &info) != 0) {
        const struct text last = path_name(path);
        const size_t n = (size_t)(last.p - path);
        if (n == 0) {
            snprintf(path, size, ".");
            return;
        }
        path[n > 1 ? n - 1 : 1] = '\0';
    }
}

/* The directory itself, or where it would be made. */
static void report_workspace(struct report *r) {
    const char *path = option_text(r->options, "workspace");
    char directory[PATH_MAX];
    struct stat info;
    const bool given = path != NULL, there = given && stat(path, &info) == 0;
    snprintf(directory, sizeof directory, "%s", given ? path : ".");
    if (!there) to_existing_parent(directory, sizeof directory);
    if (given && !there && errno != ENOENT) advise(r, "%s: %s", path, strerror(errno));
    if (there && !S_ISDIR(info.st_mode)) advise(r, "%s is not a directory: a workspace is one", path);
    const bool writable = access(directory, W_OK | X_OK) == 0;
    set(r, "disk", "directory", text_json(directory));
    set(r, "disk", "writable", json_boolean(writable));
    const double free_mb = machine_free_mb(directory);
    set(r, "disk", "free_mb", free_mb < 0 ? json_null() : json_real(free_mb));
    if (!writable)
        advise(r, "%s may not be written (%s): prepare and train cannot work there; evaluate, recommend and serve can",
               directory, strerror(errno));
    if (free_mb >= 0 && free_mb < 100) advise(r, "%s has only %.0f MB of free space", directory, free_mb);
}

static void report_programs(struct report *r) {
    static const struct {
        const char *name, *without;
    } wanted[] = {{"gnuplot", "pictures are not drawn; install gnuplot-nox"}};
    for (size_t i = 0; i < COUNT(wanted); i++) {
        char path[1024];
        const bool found = machine_find_program(wanted[i].name, path, sizeof path);
        set(r, "programs", wanted[i].name, found ? text_json(path) : json_null());
        if (!found) advise(r, "there is no %s: %s", wanted[i].name, wanted[i].without);
    }
}

static void report_build(struct report *r) {
    static const struct {
        const char *key, *name, *packages, *use;
        bool there;
    } parts[] = {{"faiss", "FAISS", "libfaiss-dev and g++", "--index approximate", BUILT_WITH_FAISS},
                 {"mpi", "MPI", "libopenmpi-dev", "training in several processes", BUILT_WITH_MPI},
                 {"postgresql", "PostgreSQL", "libpq-dev", "serve --store postgresql://…", BUILT_WITH_POSTGRESQL}};
    for (size_t i = 0; i < COUNT(parts); i++) {
        set(r, "built_with", parts[i].key, json_boolean(parts[i].there));
        if (!parts[i].there)
            advise(r, "built without %s, so there is no %s: install %s and build again", parts[i].name, parts[i].use,
                   parts[i].packages);
    }
}

GENAIR_API genair_code genair_doctor(genair_context *ctx, const genair_options *o, char **json, genair_status *st) {
    const double begin = context_seconds();
    genair_code code = options_check_command(o, "doctor", st);
    if (code != GENAIR_OK) return code;
    struct report r = {.options = o, .sound = true, .out = json_pack("{s:s}", "version", GENAIR_VERSION), .advice = json_array()};
    if (!r.out || !r.advice) r.sound = false;
    machine_ask(&r.machine);
    report_processor(&r);
    report_threads(&r, ctx);
    report_memory(&r);
    report_workspace(&r);
    report_build(&r);
    report_programs(&r);
    r.sound = json_object_set(r.out, "advice", r.advice) == 0 && r.sound;
    code = r.sound ? stage_result(r.out, context_seconds() - begin, json, st) : fail_memory(st);
    json_decref(r.advice);
    json_decref(r.out);
    return code;
}
