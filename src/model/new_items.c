/* SPDX-License-Identifier: Apache-2.0 */
#include "model/new_items.h"

#include "base/alloc.h"
#include "base/files.h"
#include "workspace/item_matrix.h"
#include "workspace/manifest.h"

#include <stdio.h>
#include <string.h>

/* ---- the components ---- */

static const char *config_text(const json_t *inputs, const char *name) {
    return json_string_value(json_object_get(json_object_get(inputs, "config"), name));
}

static genair_code check_run(const struct workspace *w, const char *run, struct item_matrix *items, genair_status *st) {
    char stage[256];
    snprintf(stage, sizeof stage, "train/%s", run);
    const json_t *inputs = workspace_stage_inputs(w, stage);
    const char *method = config_text(inputs, "method"), *path = workspace_path(w);
    if (!inputs || !method) return fail_line(st, GENAIR_USAGE, path, 0, "there is no finished run '%s'", run);
    if (strcmp(method, "genair") != 0)
        return fail(st, GENAIR_USAGE,
                    "run '%s' is of method %s, which learns its items from interactions: one that training has not seen has "
                    "no vector there; use a run of method genair", run, method);
    *items = item_matrix_named(config_text(inputs, "items"));
    const char *then = json_string_value(json_object_get(inputs, "fuse")), *now = workspace_stage_hash(w, items->stage);
    const json_t *outputs = json_object_get(json_object_get(workspace_stages(w), items->stage), "outputs");
    if (!json_object_get(outputs, items->components))
        return fail_line(st, GENAIR_USAGE, path, 0,
                         "the principal components of the item vectors are not there: run 'genair fuse' again, then train '%s' "
                         "again", run);
    if (!then || !now || strcmp(then, now) != 0)
        return fail_line(st, GENAIR_USAGE, path, 0,
                         "run '%s' was trained on other item vectors than 'genair fuse' made last: train it again", run);
    return GENAIR_OK;
}

/* The file is as it was recorded. */
static genair_code read_components(const struct workspace *w, const struct item_matrix *items,
                                   struct fused_components *out, genair_status *st) {
    const json_t *record = json_object_get(workspace_stages(w), items->stage);
    const json_t *output = json_object_get(json_object_get(record, "outputs"), items->components);
    const char *expected = json_string_value(json_object_get(output, "hash"));
    char *path = path_join(workspace_path(w), items->components), digits[33];
    genair_code code = path ? hash_file(NULL, path, digits, st) : fail_memory(st);
    if (code == GENAIR_OK && (!expected || strcmp(digits, expected) != 0))
        code = fail_line(st, GENAIR_FORMAT, path, 0, "its bytes are not those that were written; run 'genair fuse' again");
    if (code == GENAIR_OK) code = pca_file_read(path, out, st);
    mem_free(path);
    return code;
}

genair_code new_items_components(const char *workspace, const char *run, struct fused_components *out,
                                 genair_status *st) {
    struct workspace *w;
    struct item_matrix items;
    *out = (struct fused_components){0};
    genair_code code = workspace_open_read(NULL, workspace, &w, st);
    if (code != GENAIR_OK) return code;
    code = check_run(w, run, &items, st);
    if (code == GENAIR_OK) code = read_components(w, &items, out, st);
    workspace_close(w);
    return code;
}

/* ---- the rows ---- */

genair_code new_item_fits(const struct fused_components *c, const struct added_item *a, genair_status *st) {
    char name[TEXT_EXCERPT];
    text_excerpt(a->item, name);
    for (size_t i = 0; i < N_PARTS; i++) {
        const size_t width = c->part[i].width;
        if (width && !a->part[i]) return fail(st, GENAIR_USAGE, "item '%s' needs a %s vector", name, part_names[i]);
        if (width && a->width[i] != width)
            return fail(st, GENAIR_USAGE, "the %s vector of item '%s' has %zu columns, those of the workspace have %zu: it must "
                        "come from the same language model", part_names[i], name, a->width[i], width);
    }
    return GENAIR_OK;
}

genair_code new_items_sift(const struct fused_components *c, struct catalogue *from, uint32_t *n_left_out,
                           genair_status *why, genair_status *st) {
    const uint32_t n = catalogue_added(from);
    bool *out = mem_zeros(n, sizeof *out);
    if (!out) return fail_memory(st);
    *n_left_out = 0;
    for (uint32_t a = 0; a < n; a++) {
        out[a] = new_item_fits(c, catalogue_added_item(from, a), why) != GENAIR_OK; /* why keeps the first */
        *n_left_out += out[a];
    }
    const genair_code code = *n_left_out ? catalogue_leave_out(from, out, st) : GENAIR_OK;
    mem_free(out);
    return code;
}

static genair_code gather(const struct fused_components *c, const struct catalogue *from, float *part[N_PARTS],
                          genair_status *st) {
    const uint32_t n = catalogue_added(from);
    for (size_t i = 0; i < N_PARTS; i++) {
        const size_t width = c->part[i].width;
        if (width && !(part[i] = mem_array(n, width * sizeof *part[i]))) return fail_memory(st);
    }
    for (uint32_t a = 0; a < n; a++) {
        const struct added_item *item = catalogue_added_item(from, a);
        const genair_code code = new_item_fits(c, item, st);
        if (code != GENAIR_OK) return code;
        for (size_t i = 0; i < N_PARTS; i++) {
            const size_t width = c->part[i].width;
            if (width) memcpy(part[i] + a * width, item->part[i], width * sizeof *part[i]);
        }
    }
    return GENAIR_OK;
}

genair_code new_items_rows(genair_context *ctx, const struct fused_components *c, const struct catalogue *from,
                           struct fused_rows *out, genair_status *st) {
    float *part[N_PARTS] = {0};
    *out = (struct fused_rows){.n = catalogue_added(from), .width = c->width};
    genair_code code = gather(c, from, part, st);
    if (code == GENAIR_OK && !(out->values = mem_array(out->n, out->width * sizeof *out->values))) code = fail_memory(st);
    if (code == GENAIR_OK) code = pca_file_project(ctx, c, out->n, (const float *const *)part, out->values, st);
    for (size_t i = 0; i < N_PARTS; i++) mem_free(part[i]);
    if (code != GENAIR_OK) mem_free(out->values);
    return code;
}
