/* SPDX-License-Identifier: Apache-2.0 */
/* genair embed: takes item matrices that were made elsewhere into the workspace, a row an item in
 * id order, float32. */
#include "base/context.h"
#include "base/files.h"
#include "base/options.h"
#include "base/size.h"
#include "fuse/item_rows.h"
#include "workspace/item_vectors.h"
#include "workspace/npy.h"
#include "workspace/stage_input.h"
#include "workspace/stage_result.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What one run works on. */
struct embed {
    genair_context *ctx;
    const genair_options *options;
    struct workspace *workspace;
    struct dataset *data;
    struct npy *matrix[N_PARTS]; /* NULL: not given */
    struct item_rows rows;
    struct stage_inputs files;
};

static void embed_deinit(struct embed *e) {
    for (size_t i = 0; i < N_PARTS; i++)
        npy_close(e->matrix[i]);
    item_rows_deinit(&e->rows);
    stage_inputs_free(&e->files);
    dataset_close(e->data);
    workspace_close(e->workspace);
}

/* ---- reading and checking ---- */

static genair_code check_matrix(const struct npy *a, genair_status *st) {
    if (a->n_dims != 2)
        return fail_line(st, GENAIR_FORMAT, a->path, 0,
                         "an array of %zu dimensions, expected 2: a row an item", a->n_dims);
    if (a->type != NPY_F2 && a->type != NPY_F4 && a->type != NPY_F8)
        return fail_line(st, GENAIR_FORMAT, a->path, 0, "values of type %s, expected f2, f4 or f8",
                         npy_type_name(a->type));
    if (a->shape[1] == 0)
        return fail_line(st, GENAIR_FORMAT, a->path, 0, "rows of 0 columns, expected at least one");
    return GENAIR_OK;
}

static genair_code open_matrix(struct embed *e, size_t part, const char *path, genair_status *st) {
    const struct option_matrix *m = option_matrix(e->options, part_names[part]);
    const genair_code code = m ? npy_wrap(path, m->values, npy_type_of(m->type), m->rows, m->columns, &e->matrix[part], st)
                               : npy_open(path, &e->matrix[part], st);
    return code == GENAIR_OK ? check_matrix(e->matrix[part], st) : code;
}

static genair_code open_matrices(struct embed *e, genair_status *st) {
    const struct npy *first = NULL;
    for (size_t i = 0; i < N_PARTS; i++) {
        const char *path = option_text(e->options, part_names[i]);
        if (!path) continue;
        const genair_code code = open_matrix(e, i, path, st);
        if (code != GENAIR_OK) return code;
        if (first && e->matrix[i]->shape[0] != first->shape[0])
            return fail_line(st, GENAIR_FORMAT, path, 0,
                             "%zu rows, but %s has %zu; row r of both must be the same item",
                             e->matrix[i]->shape[0], first->path, first->shape[0]);
        first = e->matrix[i];
    }
    if (!first)
        return fail(st, GENAIR_USAGE,
                    "nothing to take in: give --prefill FILE.npy, --decoding FILE.npy or both");
    return item_rows_find(workspace_path(e->workspace), e->data, option_text(e->options, "ids"),
                          first->path, first->shape[0], &e->rows, st);
}

static genair_code check_row(const struct embed *e, const struct npy *a, uint32_t item,
                             const float *row, genair_status *st) {
    for (size_t c = 0; c < a->shape[1]; c++) {
        if (isfinite(row[c])) continue;
        const struct text name = dataset_item_name(e->data, item);
        return fail_line(st, GENAIR_FORMAT, a->path, 0,
                         "row %zu, column %zu (from 0), item '%.*s': the value is %s as float32, "
                         "expected a finite number; "
                         "make that vector again",
                         e->rows.row[item], c, (int)min_size(name.n, 80), name.p,
                         isnan(row[c]) ? "NaN" : "infinite");
    }
    return GENAIR_OK;
}

static genair_code row_of(void *user, enum item_part part, uint32_t item, float *out,
                          genair_status *st) {
    const struct embed *e = user;
    npy_row_f32(e->matrix[part], e->rows.row[item], out);
    return check_row(e, e->matrix[part], item, out, st);
}

/* ---- what it is a function of, and its result ---- */

static genair_code add_text(json_t *inputs, const char *name, const char *text, genair_status *st) {
    return json_object_set_new(inputs, name, text ? json_string(text) : json_null()) == 0 ? GENAIR_OK : fail_memory(st);
}

static genair_code add_file(struct embed *e, json_t *inputs, const char *name, genair_status *st) {
    char digits[33];
    const char *path = option_text(e->options, name);
    genair_code code = GENAIR_OK;
    if (path) code = stage_input_check(workspace_path(e->workspace), part_files, N_PARTS, name, path, st);
    if (path && code == GENAIR_OK) code = stage_inputs_hash(&e->files, e->ctx, path, digits, st);
    return code == GENAIR_OK ? add_text(inputs, name, path ? digits : NULL, st) : code;
}

static genair_code add_matrix(json_t *inputs, const char *name, const struct option_matrix *m, genair_status *st) {
    static const size_t bytes[] = {[GENAIR_F16] = 2, [GENAIR_F32] = 4, [GENAIR_F64] = 8};
    char digits[33], text[128];
    hash_bytes(m->values, bytes[m->type] * m->rows * m->columns, digits);
    snprintf(text, sizeof text, "%s, %zu rows of %zu f%zu", digits, m->rows, m->columns, bytes[m->type]);
    return add_text(inputs, name, text, st);
}

static genair_code describe_inputs(struct embed *e, json_t *inputs, genair_status *st) {
    const char *prepared = workspace_stage_hash(e->workspace, "prepare");
    if (json_object_set_new(inputs, "prepare", json_string(prepared)) != 0) return fail_memory(st);
    genair_code code = add_file(e, inputs, "ids", st);
    for (size_t i = 0; i < N_PARTS && code == GENAIR_OK; i++) {
        const struct option_matrix *m = option_matrix(e->options, part_names[i]);
        code = m ? add_matrix(inputs, part_names[i], m, st) : add_file(e, inputs, part_names[i], st);
    }
    return code;
}

static json_t *describe_result(const struct embed *e) {
    json_t *result =
        json_pack("{s:I, s:s, s:I}", "items", (json_int_t)e->data->n_items, "row_order",
                  e->rows.order, "unused_rows", (json_int_t)e->rows.n_unused);
    for (size_t i = 0; i < N_PARTS; i++)
        if (e->matrix[i])
            json_object_set_new(result, part_names[i],
                                json_pack("{s:I, s:s}", "columns",
                                          (json_int_t)e->matrix[i]->shape[1], "type",
                                          npy_type_name(e->matrix[i]->type)));
    return result;
}

static void tell(const struct embed *e) {
    static const struct {
        const char *order, *text;
    } orders[] = {{"ids", "the names in --ids"},
                  {"metadata", "the records of the item metadata given to prepare"},
                  {"items", "the workspace's item order"}};
    for (size_t i = 0; i < COUNT(orders); i++)
        if (strcmp(orders[i].order, e->rows.order) == 0)
            context_info(e->ctx, "vectors for %" PRIu32 " items, rows matched by %s",
                         e->data->n_items, orders[i].text);
    if (e->rows.n_unused)
        context_info(e->ctx, "%zu rows belong to items that prepare did not keep and were left out",
                     e->rows.n_unused);
}

static genair_code import(struct embed *e, const json_t *inputs, json_t **result,
                          genair_status *st) {
    genair_code code = dataset_open(workspace_path(e->workspace), &e->data, st);
    if (code == GENAIR_OK) code = open_matrices(e, st);
    if (code != GENAIR_OK) return code;
    tell(e);
    struct item_vectors vectors = {e->ctx, e->workspace, e->data->n_items, .row = row_of, .user = e, .files = &e->files};
    for (size_t i = 0; i < N_PARTS; i++)
        if (e->matrix[i]) vectors.width[i] = e->matrix[i]->shape[1];
    *result = describe_result(e);
    return *result ? item_vectors_publish(&vectors, inputs, *result, st) : fail_memory(st);
}

static genair_code run(struct embed *e, json_t **result, genair_status *st) {
    genair_code code = workspace_verify(e->workspace, "prepare", st);
    json_t *inputs = json_object(), *recorded = NULL;
    if (code == GENAIR_OK) code = inputs ? describe_inputs(e, inputs, st) : fail_memory(st);
    if (code == GENAIR_OK && workspace_is_current(e->workspace, "embed", inputs, &recorded)) {
        context_info(e->ctx,
                     "nothing to do: the vectors are here already, taken from the same files");
        *result = json_incref(recorded);
    } else if (code == GENAIR_OK) {
        code = import(e, inputs, result, st);
    }
    json_decref(inputs);
    return code;
}

GENAIR_API genair_code genair_embed(genair_context *ctx, const genair_options *options, char **json,
                                    genair_status *st) {
    const double start = context_seconds();
    struct embed e = {.ctx = ctx, .options = options};
    json_t *result = NULL;
    genair_code code = options_check_command(options, "embed", st);
    if (code == GENAIR_OK) code = option_require(options, "workspace", st);
    if (code == GENAIR_OK)
        code = workspace_open(e.ctx, option_text(options, "workspace"), "embed", false, &e.workspace, st);
    if (code == GENAIR_OK) code = run(&e, &result, st);
    embed_deinit(&e);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - start, json, st);
    json_decref(result);
    return code;
}
