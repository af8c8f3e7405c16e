/* SPDX-License-Identifier: Apache-2.0 */
/* genair add-items: new items into a workspace whose runs are trained, to be recommended at once; or out of it again. */
#include "genair.h"

#include "archetype/author.h"
#include "base/context.h"
#include "base/alloc.h"
#include "base/options.h"
#include "intake/intake.h"
#include "prepare/read.h"
#include "workspace/added_items.h"
#include "workspace/manifest.h"
#include "workspace/npy.h"
#include "workspace/stage_result.h"

#include <string.h>

struct vectors {
    struct npy *matrix[N_PARTS];
    float *row; /* [the wider of both] */
};

static void vectors_close(struct vectors *v) {
    for (size_t i = 0; i < N_PARTS; i++) npy_close(v->matrix[i]);
    mem_free(v->row);
}

static genair_code vectors_open(const genair_options *o, struct vectors *v, genair_status *st) {
    size_t widest = 1;
    for (size_t i = 0; i < N_PARTS; i++) {
        const char *path = option_text(o, part_names[i]);
        if (!path) continue;
        const struct option_matrix *m = option_matrix(o, part_names[i]);
        const genair_code code = m ? npy_wrap(path, m->values, npy_type_of(m->type), m->rows, m->columns, &v->matrix[i], st)
                                   : npy_open(path, &v->matrix[i], st);
        if (code != GENAIR_OK) return code;
        const struct npy *a = v->matrix[i];
        if (a->n_dims != 2 || a->n_values == 0 || a->type > NPY_F8)
            return fail_line(st, GENAIR_FORMAT, path, 0, "expected a matrix of floats, a row for each line of --items");
        if (a->shape[1] > widest) widest = a->shape[1];
    }
    v->row = mem_array(widest, sizeof *v->row);
    return v->row ? GENAIR_OK : fail_memory(st);
}

static genair_code add_vectors(struct intake *in, const struct vectors *v, genair_status *st) {
    const size_t row = intake_count(in) - 1;
    for (size_t i = 0; i < N_PARTS; i++) {
        const struct npy *a = v->matrix[i];
        if (!a) continue;
        if (row >= a->shape[0])
            return fail_line(st, GENAIR_FORMAT, a->path, 0, "%zu rows, and --items has more items", a->shape[0]);
        npy_row_f32(a, row, v->row);
        const genair_code code = intake_vector(in, (enum item_part)i, v->row, a->shape[1], st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

static genair_code check_counts(const struct intake *in, const struct vectors *v, genair_status *st) {
    for (size_t i = 0; i < N_PARTS; i++)
        if (v->matrix[i] && v->matrix[i]->shape[0] != intake_count(in))
            return fail_line(st, GENAIR_FORMAT, v->matrix[i]->path, 0, "%zu rows, but --items has %zu items",
                             v->matrix[i]->shape[0], intake_count(in));
    return GENAIR_OK;
}

static genair_code read_items(genair_context *ctx, const genair_options *o, struct intake *in, genair_status *st) {
    const char *const *paths;
    const size_t n = option_list(o, "items", &paths);
    const struct read_options reading = {.context = ctx, .format = option_text(o, "format"), .item_name = intake_item_name(in)};
    struct vectors v = {0};
    struct item_reader *r = NULL;
    genair_code code = vectors_open(o, &v, st);
    if (code == GENAIR_OK) code = items_open(paths, n, &reading, &r, st);
    while (code == GENAIR_OK) {
        json_t *record = NULL;
        code = items_next(r, &record, st);
        if (code != GENAIR_OK || !record) break;
        code = intake_add(in, record, st);
        json_decref(record);
        if (code == GENAIR_OK) code = add_vectors(in, &v, st);
    }
    if (code == GENAIR_OK) code = check_counts(in, &v, st);
    items_close(r);
    vectors_close(&v);
    return code;
}

static genair_code take_in(genair_context *ctx, const genair_options *o, struct intake *in, json_t *out,
                           genair_status *st) {
    const char *workspace = option_text(o, "workspace"), *model = option_text(o, "model");
    struct author *author = NULL;
    struct intake_result n;
    genair_code code = read_items(ctx, o, in, st);
    if (code == GENAIR_OK && model) code = author_open(workspace, option_text(o, "run"), model, option_text(o, "template"), &author, st);
    if (code == GENAIR_OK) code = intake_store(in, ctx, author, &n, st);
    author_close(author);
    if (code != GENAIR_OK) return code;
    json_t *told = json_pack("{s:I, s:I, s:I, s:s}", "added", (json_int_t)n.added, "replaced", (json_int_t)n.replaced,
                             "described", (json_int_t)n.described, "run", option_text(o, "run"));
    const bool done = told && json_object_update(out, told) == 0;
    json_decref(told);
    return done ? GENAIR_OK : fail_memory(st);
}

static genair_code add_items(genair_context *ctx, const genair_options *o, json_t *out, genair_status *st) {
    const char *path = option_text(o, "workspace");
    struct workspace *w;
    struct dataset *data = NULL;
    struct intake *in = NULL;
    genair_code code = workspace_open(ctx, path, "add-items", false, &w, st);
    if (code != GENAIR_OK) return code;
    code = workspace_verify(w, "prepare", st);
    if (code == GENAIR_OK) code = dataset_open(path, &data, st);
    if (code == GENAIR_OK) code = intake_create(path, option_text(o, "run"), data, &in, st);
    if (code == GENAIR_OK) code = take_in(ctx, o, in, out, st);
    intake_free(in);
    dataset_close(data);
    workspace_close(w);
    return code;
}

/* ---- out again ---- */

static genair_code remove_items(const genair_context *ctx, const genair_options *o, json_t *out, genair_status *st) {
    const char *path = option_text(o, "workspace");
    const char *const *names;
    const size_t n = option_list(o, "remove", &names);
    if (option_given(o, "items")) return fail(st, GENAIR_USAGE, "--items and --remove: one of both at a time");
    struct workspace *w;
    genair_code code = workspace_open(ctx, path, "add-items", false, &w, st);
    if (code != GENAIR_OK) return code;
    struct text *items = mem_array(n, sizeof *items);
    for (size_t i = 0; items && i < n; i++) items[i] = text_of(names[i]);
    code = items ? added_items_remove(path, items, n, st) : fail_memory(st);
    if (code == GENAIR_OK && json_object_set_new(out, "removed", json_integer((json_int_t)n)) != 0) code = fail_memory(st);
    mem_free(items);
    workspace_close(w);
    return code;
}

static genair_code require_what_is_needed(const genair_options *o, bool removes, genair_status *st) {
    genair_code code = option_require(o, "workspace", st);
    if (code == GENAIR_OK && !removes) code = option_require(o, "items", st);
    if (code == GENAIR_OK && !removes) code = option_require(o, "run", st);
    return code;
}

GENAIR_API genair_code genair_add_items(genair_context *ctx, const genair_options *o, char **json, genair_status *st) {
    const double begin = context_seconds();
    genair_code code = options_check_command(o, "add-items", st);
    if (code != GENAIR_OK) return code;
    const bool removes = option_given(o, "remove");
    code = require_what_is_needed(o, removes, st);
    if (code != GENAIR_OK) return code;
    json_t *result = json_object();
    if (!result) return fail_memory(st);
    code = removes ? remove_items(ctx, o, result, st) : add_items(ctx, o, result, st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}
