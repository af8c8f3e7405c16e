/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.json: {"checksum": hash of the compact text of "stages", "format": 1, "stages": {STAGE:
 * {"hash", "inputs", "outputs": {FILE: {"bytes", "hash"}}, "result", "version"}}}, keys sorted, no
 * times: equal work gives equal bytes. */
#include "workspace/manifest.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/size.h"
#include "workspace/lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORMAT = 1, MAX_MANIFEST_BYTES = 256 * 1024 * 1024 };

struct workspace {
    const genair_context *ctx;
    char *path, *manifest;
    int lock; /* -1: opened for reading */
    json_t *stages;
};

/* ---- the file ---- */

static genair_code damaged(const struct workspace *w, genair_status *st, const char *what) {
    return fail_line(st, GENAIR_FORMAT, w->manifest, 0,
                     "%s; remove it and run 'genair prepare -w %s' again, then the later commands",
                     what, w->path);
}

/* Of another program: the directory is not ours, and no advice to remove it. One wrong byte leaves two of the keys. */
static bool is_foreign(const json_t *root) {
    static const char *const keys[] = {"checksum", "format", "stages"};
    size_t n = 0;
    for (size_t i = 0; i < COUNT(keys); i++) n += json_object_get(root, keys[i]) != NULL;
    return n < 2;
}

static bool record_sound(const json_t *record) {
    if (!json_is_string(json_object_get(record, "hash")) ||
        !json_is_string(json_object_get(record, "version")))
        return false;
    const char *name;
    json_t *outputs = json_object_get(record, "outputs"), *output;
    json_object_foreach(outputs, name, output) {
        if (!json_is_string(json_object_get(output, "hash")) ||
            !json_is_integer(json_object_get(output, "bytes")))
            return false;
    }
    return json_is_object(outputs);
}

/* NULL when memory is out; released with free. */
static char *manifest_text(json_t *stages) {
    char digits[33];
    if (!json_hash("", stages, digits)) return NULL;
    json_t *root =
        json_pack("{s:s, s:i, s:O}", "checksum", digits, "format", FORMAT, "stages", stages);
    char *text = root ? json_text(root, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
    json_decref(root);
    return text;
}

/* The text must be ours to the byte: a digit may change without changing the number it is read as.
 */
static genair_code check_manifest(struct workspace *w, const char *text, const json_t *root,
                                  genair_status *st) {
    json_t *stages = json_object_get(root, "stages"), *record;
    const char *name;
    if (is_foreign(root))
        return fail_line(st, GENAIR_FORMAT, w->manifest, 0,
                         "the manifest of another program: '%s' is no genair workspace; name another directory with "
                         "--workspace", w->path);
    if (json_integer_value(json_object_get(root, "format")) != FORMAT || !json_is_object(stages))
        return damaged(w, st, "not a manifest of this program's version, or damaged");
    char *expected = manifest_text(stages);
    if (!expected) return fail_memory(st);
    const bool same = strcmp(text, expected) == 0;
    free(expected);
    if (!same) return damaged(w, st, "its content does not match its checksum");
    json_object_foreach(stages, name, record) {
        if (!record_sound(record)) return damaged(w, st, "a stage's record in it is incomplete");
    }
    w->stages = json_incref(stages);
    return GENAIR_OK;
}

static genair_code load_manifest(struct workspace *w, genair_status *st) {
    if (file_missing(w->manifest)) {
        w->stages = json_object();
        return w->stages ? GENAIR_OK : fail_memory(st);
    }
    char *text;
    size_t size;
    genair_code code = file_read(w->manifest, MAX_MANIFEST_BYTES, &text, &size, st);
    if (code != GENAIR_OK) return code;
    json_t *root;
    code = json_read((struct text){text, size}, JSON_REJECT_DUPLICATES, &root, NULL, st);
    if (code == GENAIR_OK)
        code = check_manifest(w, text, root, st);
    else if (code == GENAIR_FORMAT)
        code = damaged(w, st, "not JSON, so it is damaged");
    json_decref(root);
    mem_free(text);
    return code;
}

/* The new manifest, whole on disk beside the old one: writer_commit is all that is left. */
static genair_code write_manifest(const struct workspace *w, struct writer **out,
                                  genair_status *st) {
    char *text = manifest_text(w->stages);
    if (!text) return fail_memory(st);
    genair_code code = writer_open(w->manifest, out, st);
    if (code == GENAIR_OK) {
        code = writer_put(*out, text, strlen(text), st);
        if (code == GENAIR_OK) code = writer_sync(*out, st);
        if (code != GENAIR_OK) writer_abandon(*out);
    }
    free(text);
    return code;
}

/* ---- opening ---- */

static genair_code open_common(const genair_context *ctx, const char *path, struct workspace **out, genair_status *st) {
    struct workspace *w = mem_zeros(1, sizeof *w);
    if (!w) return fail_memory(st);
    w->ctx = ctx;
    w->lock = -1;
    w->path = mem_text(path, strlen(path));
    w->manifest = path_join(path, "manifest.json");
    if (!w->path || !w->manifest) {
        workspace_close(w);
        return fail_memory(st);
    }
    *out = w;
    return GENAIR_OK;
}

static genair_code require_directory(const char *path, genair_status *st) {
    struct stat info;
    if (stat(path, &info) != 0 && errno == ENOENT)
        return fail_line(st, GENAIR_IO, path, 0,
                         "there is no such workspace; 'genair prepare -w %s' makes one", path);
    if (stat(path, &info) != 0) return fail_errno(st, path, "open the workspace");
    if (!S_ISDIR(info.st_mode))
        return fail_line(st, GENAIR_IO, path, 0, "a workspace is a directory, this is not");
    return GENAIR_OK;
}

/* shared: the lock is one among several, whose files in the making are not ours to remove. */
static genair_code open_locked(const genair_context *ctx, const char *path, const char *command, bool shared,
                               struct workspace **out, genair_status *st) {
    struct workspace *w;
    genair_code code = open_common(ctx, path, &w, st);
    if (code != GENAIR_OK) return code;
    code = shared ? lock_share(path, command, &w->lock, st) : lock_take(path, command, &w->lock, st);
    if (code == GENAIR_OK) code = load_manifest(w, st); /* first: what is no workspace stays as it is */
    if (code == GENAIR_OK && !shared && file_exists(w->manifest))
        code = lock_remove_partials(path, st);
    else if (code == GENAIR_OK && !shared) /* no workspace yet, but for what a killed first `prepare` left */
        writer_remove_leftovers(w->manifest);
    if (code == GENAIR_OK)
        *out = w;
    else
        workspace_close(w);
    return code;
}

genair_code workspace_open(const genair_context *ctx, const char *path, const char *command, bool create,
                           struct workspace **out, genair_status *st) {
    const genair_code code = create ? directory_make(path, st) : require_directory(path, st);
    return code == GENAIR_OK ? open_locked(ctx, path, command, false, out, st) : code;
}

genair_code workspace_open_shared(const genair_context *ctx, const char *path, const char *command,
                                  struct workspace **out, genair_status *st) {
    const genair_code code = require_directory(path, st);
    return code == GENAIR_OK ? open_locked(ctx, path, command, true, out, st) : code;
}

genair_code workspace_open_read(const genair_context *ctx, const char *path, struct workspace **out, genair_status *st) {
    genair_code code = require_directory(path, st);
    if (code != GENAIR_OK) return code;
    struct workspace *w;
    code = open_common(ctx, path, &w, st);
    if (code != GENAIR_OK) return code;
    code = load_manifest(w, st);
    if (code == GENAIR_OK)
        *out = w;
    else
        workspace_close(w);
    return code;
}

void workspace_close(struct workspace *w) {
    if (!w) return;
    lock_release(w->lock);
    json_decref(w->stages);
    mem_free(w->path);
    mem_free(w->manifest);
    mem_free(w);
}

const char *workspace_path(const struct workspace *w) {
    return w->path;
}

/* ---- records ---- */

const char *workspace_stage_maker(const struct workspace *w, const char *stage) {
    const char *maker =
        json_string_value(json_object_get(workspace_stage_inputs(w, stage), "made_by"));
    return maker ? maker : stage;
}

/* "fuse/NAME" is made by "fuse -w DIR --out NAME", "train/RUN" and "analyze/RUN" by theirs with "--run RUN", any other
 * stage by its maker. */
static void command_of(const struct workspace *w, const char *stage, char *out, size_t size) {
    const char *slash = strchr(stage, '/');
    if (slash)
        snprintf(out, size, "genair %.*s -w %s --%s %s", (int)(slash - stage), stage, w->path,
                 strncmp(stage, "fuse/", 5) == 0 ? "out" : "run", slash + 1);
    else
        snprintf(out, size, "genair %s -w %s", workspace_stage_maker(w, stage), w->path);
}

/* With other options the command makes something else: where they stand. Not of prepare and embed, whose files they do
 * not name. */
static void options_of(const struct workspace *w, const char *stage, char *out, size_t size) {
    out[0] = '\0';
    if (strchr(stage, '/') || strcmp(stage, "fuse") == 0)
        snprintf(out, size, " (options: inputs of \"%s\" in %s)", stage, w->manifest);
}

/* Size first: it costs nothing, and a cut file is the usual damage. */
static genair_code check_output(const struct workspace *w, const char *stage, const char *name,
                                const json_t *output, genair_status *st) {
    char command[1024], options[1024], digits[33];
    command_of(w, stage, command, sizeof command);
    options_of(w, stage, options, sizeof options);
    char *path = path_join(w->path, name);
    if (!path) return fail_memory(st);
    struct stat info;
    genair_code code = GENAIR_OK;
    const bool found = stat(path, &info) == 0;
    if (!found && errno != ENOENT)
        code = fail_errno(st, path, "examine");
    else if (!found)
        code = fail_line(st, GENAIR_FORMAT, path, 0, "the file is missing; run '%s' again%s", command, options);
    else if ((json_int_t)info.st_size != json_integer_value(json_object_get(output, "bytes")))
        code = fail_line(st, GENAIR_FORMAT, path, 0,
                         "%lld bytes long instead of %lld; run '%s' again%s", (long long)info.st_size,
                         (long long)json_integer_value(json_object_get(output, "bytes")), command, options);
    else
        code = hash_file(w->ctx, path, digits, st);
    if (code == GENAIR_OK &&
        strcmp(digits, json_string_value(json_object_get(output, "hash"))) != 0)
        code = fail_line(st, GENAIR_FORMAT, path, 0,
                         "its content is not what '%s' wrote; run that again%s", command, options);
    mem_free(path);
    return code;
}

static genair_code check_outputs(const struct workspace *w, const char *stage, const json_t *record,
                                 genair_status *st) {
    const char *name;
    json_t *output, *outputs = json_object_get(record, "outputs");
    json_object_foreach(outputs, name, output) {
        const genair_code code = check_output(w, stage, name, output, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

bool workspace_is_current(struct workspace *w, const char *stage, const json_t *inputs,
                          json_t **result) {
    const json_t *record = json_object_get(w->stages, stage);
    if (!record || !json_equal(json_object_get(record, "inputs"), inputs)) return false;
    if (strcmp(json_string_value(json_object_get(record, "version")), GENAIR_VERSION) != 0)
        return false;
    if (check_outputs(w, stage, record, NULL) != GENAIR_OK) return false;
    if (result) *result = json_object_get(record, "result");
    return true;
}

static genair_code describe_output(const char *directory, const char *name, json_t *outputs,
                                   genair_status *st) {
    char *path = path_join(directory, name), digits[33];
    if (!path) return fail_memory(st);
    struct stat info;
    genair_code code = hash_file(NULL, path, digits, st); /* of work that is done: no moment to stop */
    if (code == GENAIR_OK && stat(path, &info) != 0) code = fail_errno(st, path, "examine");
    if (code == GENAIR_OK &&
        json_object_set_new(
            outputs, name,
            json_pack("{s:I, s:s}", "bytes", (json_int_t)info.st_size, "hash", digits)) != 0)
        code = fail_memory(st);
    mem_free(path);
    return code;
}

static genair_code add_record(struct workspace *w, const char *stage, const json_t *inputs,
                              const char *directory, const char *const *outputs, size_t n_outputs,
                              const json_t *result, genair_status *st) {
    json_t *described = json_object();
    genair_code code = described ? GENAIR_OK : fail_memory(st);
    for (size_t i = 0; code == GENAIR_OK && i < n_outputs; i++)
        code = describe_output(directory, outputs[i], described, st);
    char digits[33];
    if (code == GENAIR_OK && !json_hash("", described, digits)) code = fail_memory(st);
    if (code == GENAIR_OK) {
        /* Deep copies: what the caller changes later is not what was recorded. */
        json_t *record =
            json_pack("{s:s, s:o, s:O, s:o, s:s}", "hash", digits, "inputs", json_deep_copy(inputs),
                      "outputs", described, "result", result ? json_deep_copy(result) : json_null(),
                      "version", GENAIR_VERSION);
        if (json_object_set_new(w->stages, stage, record) != 0) code = fail_memory(st);
    }
    json_decref(described);
    return code;
}

static genair_code move_output(const struct workspace *w, const char *staging, const char *name,
                               genair_status *st) {
    char *from = path_join(staging, name), *to = path_join(w->path, name);
    genair_code code = from && to ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK && rename(from, to) != 0) code = fail_errno(st, to, "replace");
    mem_free(from);
    mem_free(to);
    return code;
}

genair_code workspace_publish(struct workspace *w, const char *stage, const json_t *inputs,
                              const char *staging, const char *const *outputs, size_t n_outputs,
                              const json_t *result, genair_status *st) {
    if (w->lock < 0)
        return fail(st, GENAIR_INTERNAL, "workspace %s is open for reading only", w->path);
    struct writer *manifest;
    genair_code code =
        add_record(w, stage, inputs, staging ? staging : w->path, outputs, n_outputs, result, st);
    if (code == GENAIR_OK) code = write_manifest(w, &manifest, st);
    if (code != GENAIR_OK) return code;
    /* From here on nothing needs disk space. A kill between two renames leaves files of two
     * makings; their hashes are not the old manifest's, so the next run makes them again. */
    for (size_t i = 0; staging && code == GENAIR_OK && i < n_outputs; i++)
        code = move_output(w, staging, outputs[i], st);
    if (code == GENAIR_OK) return writer_commit(manifest, st);
    writer_abandon(manifest);
    return code;
}

genair_code workspace_record(struct workspace *w, const char *stage, const json_t *inputs,
                             const char *const *outputs, size_t n_outputs, const json_t *result,
                             genair_status *st) {
    return workspace_publish(w, stage, inputs, NULL, outputs, n_outputs, result, st);
}

genair_code workspace_forget(struct workspace *w, const char *stage, genair_status *st) {
    if (json_object_del(w->stages, stage) != 0) return GENAIR_OK;
    struct writer *manifest;
    const genair_code code = write_manifest(w, &manifest, st);
    return code == GENAIR_OK ? writer_commit(manifest, st) : code;
}

json_t *workspace_stages(const struct workspace *w) {
    return w->stages;
}

const json_t *workspace_stage_inputs(const struct workspace *w, const char *stage) {
    return json_object_get(json_object_get(w->stages, stage), "inputs");
}

const char *workspace_stage_hash(const struct workspace *w, const char *stage) {
    return json_string_value(json_object_get(json_object_get(w->stages, stage), "hash"));
}

bool workspace_stage_is_of_data(const struct workspace *w, const char *stage) {
    const char *then = json_string_value(json_object_get(workspace_stage_inputs(w, stage), "prepare"));
    const char *now = workspace_stage_hash(w, "prepare");
    return then && now && strcmp(then, now) == 0;
}

genair_code workspace_verify(struct workspace *w, const char *stage, genair_status *st) {
    const json_t *record = json_object_get(w->stages, stage);
    if (record) return check_outputs(w, stage, record, st);
    char command[1024];
    command_of(w, stage, command, sizeof command);
    return fail_line(st, GENAIR_IO, w->path, 0, "nothing made by '%s' is here; run it first",
                     command);
}

/* ---- of single files, for readers ---- */

genair_code workspace_check_data(const char *path, const char *made_from, genair_status *st) {
    struct workspace *w;
    genair_code code = workspace_open_read(NULL, path, &w, st);
    if (code != GENAIR_OK) return code;
    const json_t *record = json_object_get(w->stages, "prepare");
    char recorded[33];
    if (record && !json_hash(json_string_value(json_object_get(record, "version")), json_object_get(record, "inputs"), recorded))
        code = fail_memory(st);
    else if (record && strcmp(recorded, made_from) != 0)
        code = fail_line(st, GENAIR_FORMAT, path, 0,
                         "the data are not those that its manifest.json tells of: 'genair prepare' is at work, or was stopped while "
                         "it put them into place; run 'genair prepare -w %s' again", path);
    workspace_close(w);
    return code;
}

genair_code workspace_check_output(const char *path, const char *stage, const char *output, genair_status *st) {
    struct workspace *w;
    genair_code code = workspace_open_read(NULL, path, &w, st);
    if (code != GENAIR_OK) return code;
    const json_t *recorded = json_object_get(json_object_get(json_object_get(w->stages, stage), "outputs"), output);
    if (recorded) code = check_output(w, stage, output, recorded, st);
    workspace_close(w);
    return code;
}
