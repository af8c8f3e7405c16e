/* SPDX-License-Identifier: Apache-2.0 */
#include "model/load.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "model/closed_form.h"
#include "model/learned.h"
#include "model/method.h"
#include "model/new_items.h"
#include "workspace/manifest.h"

#include <stdio.h>
#include <string.h>

enum { MAX_CONFIG_BYTES = 1 << 20 };

static const char *text_of_key(const struct run *r, const char *key) {
    const char *value = json_string_value(json_object_get(r->config, key));
    return value ? value : "";
}

/* Closed-form methods fill score rows; all the others are sequence models. */
static genair_code open_files(genair_context *ctx, struct run *r, const struct fused_rows *more, genair_status *st) {
    const char *method = text_of_key(r, "method");
    if (method_named(method)) return learned_open(ctx, r->directory, r->config, r->data, more, &r->scorer, st);
    if (closed_form_knows(method)) return closed_form_open(method, r->directory, r->data, &r->scorer, st);
    return fail(st, GENAIR_FORMAT, "run '%s' is of method '%s', which this program cannot open", r->name, method);
}

/* A run is what its record in the manifest says: none is written before training ends. */
static genair_code verify_record(struct workspace *w, const char *name, genair_status *st) {
    char stage[256];
    const char *path = workspace_path(w);
    snprintf(stage, sizeof stage, "train/%s", name);
    if (!workspace_stage_hash(w, stage))
        return fail_line(st, GENAIR_USAGE, path, 0,
                         "there is no finished run '%s'; 'genair train -w %s --run %s' makes one",
                         name, path, name);
    if (!workspace_stage_is_of_data(w, stage))
        return fail_line(st, GENAIR_USAGE, path, 0,
                         "run '%s' was trained on other data than the workspace holds now; 'genair train -w %s --run %s' with "
                         "its options trains it again (they are the inputs of \"%s\" in manifest.json)",
                         name, path, name, stage);
    return workspace_verify(w, stage, st);
}

static genair_code verify_files(const genair_context *ctx, const char *workspace, const char *name, genair_status *st) {
    struct workspace *w;
    genair_code code = workspace_open_read(ctx, workspace, &w, st);
    if (code != GENAIR_OK) return code;
    code = verify_record(w, name, st);
    workspace_close(w);
    return code;
}

static genair_code read_config(struct run *r, genair_status *st) {
    char *path = path_join(r->directory, "config.json");
    const genair_code code = path ? json_file_read(path, MAX_CONFIG_BYTES, &r->config, st) : fail_memory(st);
    mem_free(path);
    return code;
}

static genair_code open_scorer(genair_context *ctx, const char *workspace, struct run *r,
                               const struct fused_rows *more, genair_status *st) {
    genair_code code = verify_files(ctx, workspace, r->name, st);
    if (code == GENAIR_OK) code = read_config(r, st);
    return code == GENAIR_OK ? open_files(ctx, r, more, st) : code;
}

static genair_code open_run(genair_context *ctx, const char *workspace, const char *name, const struct dataset *data,
                            const struct fused_rows *more, struct run **out, genair_status *st) {
    struct run *r = mem_zeros(1, sizeof *r);
    if (!r) return fail_memory(st);
    r->data = data;
    r->name = mem_text(name, strlen(name));
    char *runs = path_join(workspace, "runs");
    if (r->name && runs) r->directory = path_join(runs, name);
    mem_free(runs);
    const genair_code code = r->directory ? open_scorer(ctx, workspace, r, more, st) : fail_memory(st);
    if (code == GENAIR_OK)
        *out = r;
    else
        run_close(r);
    return code;
}

genair_code run_open(genair_context *ctx, const char *workspace, const char *name,
                     const struct dataset *data, struct run **out, genair_status *st) {
    return open_run(ctx, workspace, name, data, NULL, out, st);
}

genair_code run_open_with_added(genair_context *ctx, const char *workspace, const char *name,
                                const struct fused_components *components, const struct catalogue *c,
                                struct run **out, genair_status *st) {
    struct fused_rows rows = {0};
    genair_code code = new_items_rows(ctx, components, c, &rows, st);
    if (code != GENAIR_OK) return code;
    code = open_run(ctx, workspace, name, c->data, &rows, out, st);
    mem_free(rows.values);
    return code;
}

void run_close(struct run *r) {
    if (!r) return;
    if (r->scorer.encode) learned_close(&r->scorer);
    if (r->scorer.scores) closed_form_close(&r->scorer);
    json_decref(r->config);
    mem_free(r->name);
    mem_free(r->directory);
    mem_free(r);
}
