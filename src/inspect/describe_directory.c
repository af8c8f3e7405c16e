/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/describe.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "workspace/manifest.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_JSON_BYTES = 64 << 20 };

/* ---- stages of a workspace ---- */

/* The stage whose hash the input is: "fuse" of a run with --items NAME is "fuse/NAME", its "base-run" another run,
 * "train" of "analyze/RUN" is "train/RUN"; any other input is called like its stage. */
static void stage_of_input(const char *stage, json_t *inputs, const char *input, char *out, size_t size) {
    const char *slash = strchr(stage, '/');
    const json_t *config = json_object_get(inputs, "config");
    const char *items = json_string_value(json_object_get(config, "items")),
               *base = json_string_value(json_object_get(config, "base-run"));
    if (strcmp(input, "fuse") == 0 && items)
        snprintf(out, size, "fuse/%s", items);
    else if (strcmp(input, "base-run") == 0 && base)
        snprintf(out, size, "train/%s", base);
    else if (strcmp(input, "train") == 0 && slash)
        snprintf(out, size, "train%s", slash);
    else
        snprintf(out, size, "%s", input);
}

/* The first stage that this one was made from and that has changed since, in out; false when there is none. */
static bool changed_input(const struct workspace *w, const char *stage, json_t *inputs, char *out, size_t size) {
    const char *name;
    json_t *value;
    json_object_foreach(inputs, name, value) {
        stage_of_input(stage, inputs, name, out, size);
        const char *now = workspace_stage_hash(w, out);
        if (now && json_is_string(value) && strcmp(now, json_string_value(value)) != 0) return true;
    }
    return false;
}

/* NULL when memory is short. */
static json_t *describe_stage(struct workspace *w, const char *stage, const json_t *record) {
    json_t *outputs = json_object_get(record, "outputs"), *output;
    const char *state = "current", *name;
    const char *version = json_string_value(json_object_get(record, "version"));
    char why[1700] = "", changed[128];
    json_int_t bytes = 0;
    genair_status st = {0};
    json_object_foreach(outputs, name, output) bytes +=
        json_integer_value(json_object_get(output, "bytes"));
    const genair_code code = workspace_verify(w, stage, &st);
    if (code == GENAIR_MEMORY) return NULL;
    if (code != GENAIR_OK) {
        state = code == GENAIR_IO ? "unreadable" : "damaged";
        genair_status_text(&st, why, sizeof why);
    } else if (changed_input(w, stage, json_object_get(record, "inputs"), changed, sizeof changed)) {
        state = "outdated";
        snprintf(why, sizeof why, "made from an earlier '%s'", changed);
    } else if (version && strcmp(version, genair_version()) != 0) {
        state = "outdated";
        snprintf(why, sizeof why, "made by version %s, this is %s", version, genair_version());
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:s}", "stage", stage, "state", state, "files",
                     (json_int_t)json_object_size(outputs), "bytes", bytes, "why", why);
}

static genair_code add_stages(struct workspace *w, json_t *out, genair_status *st) {
    json_t *stages = json_array(), *files = json_array(), *results = json_object(), *record,
           *output;
    const char *stage, *name;
    bool ok = json_object_set_new(out, "stages", stages) == 0;
    ok = json_object_set_new(out, "files", files) == 0 && ok;
    ok = json_object_set_new(out, "results", results) == 0 && ok;
    json_object_foreach(workspace_stages(w), stage, record) {
        ok = ok && json_array_append_new(stages, describe_stage(w, stage, record)) == 0 &&
             json_object_set(results, stage, json_object_get(record, "result")) == 0;
        json_object_foreach(json_object_get(record, "outputs"), name, output) {
            ok = ok && json_array_append_new(
                           files, json_pack("{s:s, s:O, s:s}", "file", name, "bytes",
                                            json_object_get(output, "bytes"), "stage", stage)) == 0;
        }
    }
    return ok ? GENAIR_OK : fail_memory(st);
}

/* runs/NAME.training: a run that has not ended, or was stopped. */
static genair_code add_unfinished(const char *path, json_t *out, genair_status *st) {
    char *runs = path_join(path, "runs");
    json_t *list = json_array();
    struct dirent **entries = NULL;
    const int n = runs ? scandir(runs, &entries, NULL, alphasort) : -1;
    for (int i = 0; i < n; i++) {
        const char *dot = strrchr(entries[i]->d_name, '.');
        if (dot && strcmp(dot, ".training") == 0)
            json_array_append_new(
                list, json_stringn(entries[i]->d_name, (size_t)(dot - entries[i]->d_name)));
        free(entries[i]); /* scandir's */
    }
    free(entries);
    mem_free(runs);
    return json_object_set_new(out, "unfinished_runs", list) == 0 ? GENAIR_OK : fail_memory(st);
}

genair_code describe_workspace(const char *path, json_t *out, genair_status *st) {
    struct workspace *w = NULL;
    genair_code code = workspace_open_read(NULL, path, &w, st);
    if (code == GENAIR_OK) code = describe_head(out, "workspace", path, st);
    if (code == GENAIR_OK) code = add_stages(w, out, st);
    if (code == GENAIR_OK) code = add_unfinished(path, out, st);
    workspace_close(w);
    return code;
}

/* ---- a run ---- */

static genair_code read_json(const char *directory, const char *name, json_t **out,
                             genair_status *st) {
    char *path = path_join(directory, name);
    const genair_code code = path ? json_file_read(path, MAX_JSON_BYTES, out, st) : fail_memory(st);
    mem_free(path);
    return code;
}

/* One line of metrics.jsonl an epoch; a line that was being written when a run was killed is not
 * one. */
static genair_code add_epochs(const char *directory, json_t *out, genair_status *st) {
    char *path = path_join(directory, "metrics.jsonl"), *text = NULL;
    size_t size = 0;
    genair_code code = path ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK && file_exists(path))
        code = file_read(path, MAX_JSON_BYTES, &text, &size, st);
    json_int_t n = 0;
    json_t *last = NULL;
    for (char *p = text, *end; text && code == GENAIR_OK && (end = strchr(p, '\n')); p = end + 1) {
        json_t *line;
        if (json_read((struct text){p, (size_t)(end - p)}, 0, &line, NULL, st) == GENAIR_MEMORY) code = GENAIR_MEMORY;
        if (!line) continue;
        json_decref(last);
        last = line;
        n++;
    }
    mem_free(text);
    mem_free(path);
    if (code == GENAIR_OK && json_object_set_new(out, "epochs", json_integer(n)) != 0)
        code = fail_memory(st);
    if (last) json_object_set_new(out, "last_epoch", last);
    return code;
}

static genair_code add_model(const char *directory, json_t *out, genair_status *st) {
    char *path = path_join(directory, "model.safetensors");
    json_t *model = json_object();
    genair_code code = path && model ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK && file_exists(path)) {
        code = describe_file(path, model, st);
        json_object_set(out, "model_values", json_object_get(model, "values"));
        json_object_set(out, "tensors", json_object_get(model, "tensors"));
    }
    json_decref(model);
    mem_free(path);
    return code;
}

genair_code describe_run(const char *path, json_t *out, genair_status *st) {
    json_t *config = NULL;
    genair_code code = read_json(path, "config.json", &config, st);
    if (code == GENAIR_OK) code = describe_head(out, "run", path, st);
    if (code == GENAIR_OK) code = add_epochs(path, out, st);
    if (code == GENAIR_OK) code = add_model(path, out, st);
    if (code == GENAIR_OK && json_object_set(out, "options", config) != 0) code = fail_memory(st);
    json_decref(config);
    return code;
}
