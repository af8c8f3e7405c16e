/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/item_vectors.h"

#include "base/alloc.h"
#include "base/files.h"

#include <string.h>
#include <unistd.h>

static genair_code put_rows(const struct item_vectors *v, enum item_part part, struct writer *w,
                            genair_status *st) {
    const size_t width = v->width[part];
    float *row = mem_array(width, sizeof *row);
    if (!row) return fail_memory(st);
    genair_code code = npy_put_header(w, v->n_items, width, st);
    for (uint32_t i = 1; i <= v->n_items && code == GENAIR_OK; i++) {
        code = v->row(v->user, part, i, row, st);
        if (code == GENAIR_OK) code = writer_put(w, row, width * sizeof *row, st);
        if (code == GENAIR_OK && context_stopped(v->ctx)) code = context_interrupted(st);
        context_progress(v->ctx, "item vectors", (double)i, (double)v->n_items);
    }
    mem_free(row);
    return code;
}

static genair_code write_parts(const struct item_vectors *v, const char *directory,
                               genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < N_PARTS && code == GENAIR_OK; i++) {
        if (!v->width[i]) continue;
        struct writer *w = NULL;
        char *path = path_join(directory, part_files[i]);
        code = path ? writer_open(path, &w, st) : fail_memory(st);
        mem_free(path);
        if (code == GENAIR_OK) code = put_rows(v, (enum item_part)i, w, st);
        if (code == GENAIR_OK)
            code = writer_commit(w, st);
        else
            writer_abandon(w);
    }
    return code;
}

/* A part made earlier is not one of these; the record does not list it, so fuse ignores it. What no record listed is
 * not ours to remove. */
static genair_code remove_other_parts(const struct item_vectors *v, const bool had[N_PARTS], genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < N_PARTS && code == GENAIR_OK; i++) {
        if (v->width[i] || !had[i]) continue;
        char *path = path_join(workspace_path(v->workspace), part_files[i]);
        if (!path)
            code = fail_memory(st);
        else if (file_exists(path) && unlink(path) != 0)
            code = fail_errno(st, path, "remove");
        mem_free(path);
    }
    return code;
}

/* Written apart and moved into place together with the record: a failure leaves the earlier pair.
 */
static genair_code write_and_record(const struct item_vectors *v, const char *staging,
                                    const json_t *inputs, const json_t *result, genair_status *st) {
    const char *outputs[N_PARTS];
    size_t n = 0;
    for (size_t i = 0; i < N_PARTS; i++)
        if (v->width[i]) outputs[n++] = part_files[i];
    genair_code code = directory_make(staging, st);
    if (code == GENAIR_OK) code = write_parts(v, staging, st);
    if (code == GENAIR_OK && v->files) code = stage_inputs_unchanged(v->files, st);
    if (code == GENAIR_OK)
        code = workspace_publish(v->workspace, "embed", inputs, staging, outputs, n, result, st);
    const genair_code removed = directory_remove(staging, code == GENAIR_OK ? st : NULL);
    return code == GENAIR_OK ? removed : code;
}

genair_code item_vectors_publish(const struct item_vectors *v, const json_t *inputs,
                                 const json_t *result, genair_status *st) {
    char *staging = path_join(workspace_path(v->workspace), "embed.partial");
    bool had[N_PARTS];
    for (size_t i = 0; i < N_PARTS; i++) had[i] = item_vectors_have(v->workspace, (enum item_part)i);
    genair_code code =
        staging ? write_and_record(v, staging, inputs, result, st) : fail_memory(st);
    mem_free(staging);
    return code == GENAIR_OK ? remove_other_parts(v, had, st) : code;
}

/* ---- reading ---- */

genair_code item_vectors_verify(struct workspace *w, genair_status *st) {
    if (!workspace_stage_hash(w, "embed"))
        return fail_line(st, GENAIR_IO, workspace_path(w), 0,
                         "there are no item vectors here; run 'genair archetype' or 'genair embed' "
                         "first");
    return item_vectors_verify_stage(w, "embed", st);
}

/* Of a matrix with a name of its own the vectors that are there now may be another language model's. */
static genair_code fail_fused(const struct workspace *w, const char *stage, genair_status *st) {
    const char *slash = strchr(stage, '/');
    const bool embed = slash || !workspace_stage_is_of_data(w, "embed");
    return fail_line(st, GENAIR_USAGE, workspace_path(w), 0,
                     "the items were prepared anew after their vectors were joined; run %s%s%s'genair fuse%s%s' again",
                     embed ? "'genair " : "", embed ? workspace_stage_maker(w, "embed") : "", embed ? "' and " : "",
                     slash ? " --out " : "", slash ? slash + 1 : "");
}

genair_code item_vectors_verify_stage(struct workspace *w, const char *stage, genair_status *st) {
    const genair_code code = workspace_verify(w, stage, st);
    if (code != GENAIR_OK || workspace_stage_is_of_data(w, stage)) return code;
    if (strncmp(stage, "fuse", 4) == 0) return fail_fused(w, stage, st);
    if (strcmp(stage, "scft") == 0)
        return fail_line(st, GENAIR_USAGE, workspace_path(w), 0,
                         "the items were prepared anew after the language model was tuned on them; run 'genair train "
                         "--method llmemb --model FILE' again, or name another matrix with --semantic");
    return fail_line(
        st, GENAIR_USAGE, workspace_path(w), 0,
        "the items were prepared anew after their vectors were taken in; run 'genair %s' again",
        workspace_stage_maker(w, stage));
}

bool item_vectors_fused(const struct workspace *w) {
    const char *then = json_string_value(json_object_get(workspace_stage_inputs(w, "fuse"), "embed"));
    const char *now = workspace_stage_hash(w, "embed");
    return !then || !now || strcmp(then, now) == 0;
}

bool item_vectors_have(const struct workspace *w, enum item_part part) {
    const json_t *embed = json_object_get(workspace_stages(w), "embed");
    return json_object_get(json_object_get(embed, "outputs"), part_files[part]) != NULL;
}

genair_code item_vectors_open(const struct workspace *w, enum item_part part, struct npy **out,
                              genair_status *st) {
    char *path = path_join(workspace_path(w), part_files[part]);
    struct npy *a = NULL;
    genair_code code = path ? npy_open(path, &a, st) : fail_memory(st);
    mem_free(path);
    if (code != GENAIR_OK) return code;
    if (a->n_dims == 2 && a->n_values > 0) {
        *out = a;
        return GENAIR_OK;
    }
    code = fail_line(st, GENAIR_FORMAT, a->path, 0, "not a matrix with a row for each item; run 'genair %s' again",
                     workspace_stage_maker(w, "embed"));
    npy_close(a);
    return code;
}
