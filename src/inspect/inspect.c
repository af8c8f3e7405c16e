/* SPDX-License-Identifier: Apache-2.0 */
/* genair inspect: what is in a file or a directory, told by its content. */
#include "base/context.h"
#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/options.h"
#include "inspect/describe.h"
#include "workspace/stage_result.h"

#include <sys/stat.h>

static bool has(const char *directory, const char *name) {
    char *path = path_join(directory, name);
    const bool found = path && !file_missing(path);
    mem_free(path);
    return found;
}

enum { MAX_CONFIG_BYTES = 1 << 20 };

/* A language model's directory has a config.json too, which names no method. */
static genair_code is_run(const char *directory, bool *is, genair_status *st) {
    char *path = path_join(directory, "config.json");
    json_t *config = NULL;
    const genair_code code = path ? json_file_try(path, MAX_CONFIG_BYTES, &config, st) : fail_memory(st);
    *is = json_object_get(config, "method") || has(directory, "metrics.jsonl");
    json_decref(config);
    mem_free(path);
    return code;
}

static genair_code describe(const char *path, json_t *out, genair_status *st) {
    struct stat info;
    if (stat(path, &info) != 0) return fail_errno(st, path, "look at it");
    if (S_ISREG(info.st_mode)) return describe_file(path, out, st);
    if (!S_ISDIR(info.st_mode))
        return fail_line(st, GENAIR_USAGE, path, 0, "neither a regular file nor a directory");
    if (has(path, "manifest.json")) return describe_workspace(path, out, st);
    if (has(path, "config.json")) {
        bool run;
        const genair_code code = is_run(path, &run, st);
        if (code != GENAIR_OK) return code;
        return run ? describe_run(path, out, st) : describe_model_directory(path, out, st);
    }
    return fail_line(st, GENAIR_USAGE, path, 0,
                     "neither a workspace (it has no manifest.json: did prepare finish?) nor a run "
                     "or a language model (no config.json)");
}

GENAIR_API genair_code genair_inspect(genair_context *ctx, const genair_options *options,
                                      char **json, genair_status *st) {
    (void)ctx;
    const double start = context_seconds();
    genair_code code = options_check_command(options, "inspect", st);
    if (code != GENAIR_OK) return code;
    const char *path = option_text(options, "path");
    if (!path) path = option_text(options, "workspace");
    if (!path)
        return fail(st, GENAIR_USAGE,
                    "inspect what? 'genair inspect FILE' or 'genair inspect DIR'");
    json_t *out = json_object();
    code = out ? describe(path, out, st) : fail_memory(st);
    if (code == GENAIR_OK) code = stage_result(out, context_seconds() - start, json, st);
    json_decref(out);
    return code;
}
