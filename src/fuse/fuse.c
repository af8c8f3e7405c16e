/* SPDX-License-Identifier: Apache-2.0 */
/* genair fuse: principal components of each part, side by side: the frozen item matrix E (eq. 7).
 */
#include "algebra/pca_file.h"
#include "base/alloc.h"
#include "base/context.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/options.h"
#include "base/size.h"
#include "workspace/dataset.h"
#include "workspace/item_matrix.h"
#include "workspace/item_vectors.h"
#include "workspace/manifest.h"
#include "workspace/npy.h"
#include "workspace/stage_result.h"

#include <stdlib.h>
#include <string.h>

enum { WRITE_ROWS = 4096 };

struct fuse {
    genair_context *ctx;
    const genair_options *options;
    struct workspace *workspace;
    struct item_matrix out;
    bool wanted[N_PARTS];
    struct npy *matrix[N_PARTS];
    struct rows rows[N_PARTS];
    struct pca pca[N_PARTS];
    size_t n_items, width; /* of the result */
    struct dataset *data;
    size_t *warm; /* [n_warm] rows of the items that training may see */
    size_t n_warm;
};

static void fuse_deinit(struct fuse *f) {
    for (size_t i = 0; i < N_PARTS; i++) {
        npy_close(f->matrix[i]);
        pca_free(&f->pca[i]);
    }
    mem_free(f->warm);
    dataset_close(f->data);
    workspace_close(f->workspace);
}

/* ---- what goes in ---- */

static genair_code read_options(struct fuse *f, genair_status *st) {
    const char *parts = option_text(f->options, "parts");
    f->out = item_matrix_named(option_text(f->options, "out"));
    for (size_t i = 0; i < N_PARTS; i++)
        f->wanted[i] = strcmp(parts, "both") == 0 || strcmp(parts, part_names[i]) == 0;
    if (option_given(f->options, "variance") && option_given(f->options, "components"))
        return fail(st, GENAIR_USAGE,
                    "--components and --variance are two ways to choose the number of components: "
                    "give one");
    return option_require(f->options, "workspace", st);
}

static struct pca_choice choice_of(const genair_options *o) {
    if (option_given(o, "variance"))
        return (struct pca_choice){.variance = option_real(o, "variance")};
    return (struct pca_choice){.components = (size_t)option_int(o, "components")};
}

static genair_code fail_without(const struct fuse *f, enum item_part part, genair_status *st) {
    char *path = path_join(workspace_path(f->workspace), part_files[part]);
    if (!path) return fail_memory(st);
    const genair_code code = fail_line(
        st, GENAIR_USAGE, path, 0,
        "there are no %s vectors in the workspace; give embed --%s too, or fuse --parts %s",
        part_names[part], part_names[part], part_names[part == PREFILL ? DECODING : PREFILL]);
    mem_free(path);
    return code;
}

static genair_code open_part(struct fuse *f, enum item_part part, genair_status *st) {
    if (!item_vectors_have(f->workspace, part)) return fail_without(f, part, st);
    const genair_code code = item_vectors_open(f->workspace, part, &f->matrix[part], st);
    if (code != GENAIR_OK) return code;
    const struct npy *a = f->matrix[part];
    if (f->n_items && a->shape[0] != f->n_items)
        return fail_line(st, GENAIR_FORMAT, a->path, 0,
                         "%zu rows where the other matrix has %zu; run 'genair %s' again", a->shape[0],
                         f->n_items, workspace_stage_maker(f->workspace, "embed"));
    f->n_items = a->shape[0];
    f->rows[part] = rows_of_npy(a);
    return GENAIR_OK;
}

static genair_code open_parts(struct fuse *f, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < N_PARTS && code == GENAIR_OK; i++)
        if (f->wanted[i]) code = open_part(f, (enum item_part)i, st);
    return code;
}

static genair_code find_warm(struct fuse *f, genair_status *st) {
    const genair_code code = dataset_open_sequences(workspace_path(f->workspace), &f->data, st);
    if (code != GENAIR_OK) return code;
    if (f->n_items != f->data->n_items)
        return fail_line(st, GENAIR_FORMAT, workspace_path(f->workspace), 0,
                         "vectors of %zu items where prepare left %u; run 'genair %s' again", f->n_items,
                         f->data->n_items, workspace_stage_maker(f->workspace, "embed"));
    f->warm = mem_array(f->n_items, sizeof *f->warm);
    if (!f->warm) return fail_memory(st);
    for (size_t i = 0; i < f->n_items; i++)
        if (!f->data->cold[i + 1]) f->warm[f->n_warm++] = i;
    return GENAIR_OK;
}

/* ---- components ---- */

/* Of the items that training may see alone: cold ones are then brought in like items that did not exist yet. */
struct warm_rows {
    const struct fuse *f;
    enum item_part part;
};

static void read_warm(const void *source, size_t r, double *out) {
    const struct warm_rows *w = source;
    const struct rows *all = &w->f->rows[w->part];
    all->read(all->source, w->f->warm[r], out);
}

static void tell(const struct fuse *f, enum item_part part, struct pca_choice choice) {
    const struct pca *p = &f->pca[part];
    context_info(f->ctx, "%s: %zu columns as %zu components, %.2f %% of the variance",
                 part_names[part], p->width, p->n_components, 100 * pca_explained(p));
    if (choice.variance <= 0 && p->n_components < choice.components)
        context_warn(f->ctx,
                     "%s: %zu components asked for, but %zu items with %zu columns have only %zu",
                     part_names[part], choice.components, p->n, p->width, p->n_components);
}

static genair_code fit_parts(struct fuse *f, genair_status *st) {
    const struct pca_choice choice = choice_of(f->options);
    for (size_t i = 0; i < N_PARTS; i++) {
        if (!f->wanted[i]) continue;
        const struct warm_rows warm = {f, (enum item_part)i};
        const struct rows x = {.n = f->n_warm, .width = f->rows[i].width, .read = read_warm, .source = &warm};
        const genair_code code = pca_fit(f->ctx, &x, choice, &f->pca[i], st);
        if (code != GENAIR_OK) return code;
        tell(f, (enum item_part)i, choice);
        f->width += f->pca[i].n_components;
    }
    if (f->width) return GENAIR_OK;
    return fail_line(
        st, GENAIR_FORMAT, workspace_path(f->workspace), 0,
        "all %zu items have the same vectors, so there is nothing to tell them apart by",
        f->n_items);
}

static genair_code put_rows(struct fuse *f, struct writer *w, genair_status *st) {
    float *block = mem_array(min_size(f->n_items, WRITE_ROWS), f->width * sizeof *block);
    if (!block) return fail_memory(st);
    genair_code code = npy_put_header(w, f->n_items, f->width, st);
    const bool whiten = option_flag(f->options, "whiten");
    for (size_t first = 0; first < f->n_items && code == GENAIR_OK; first += WRITE_ROWS) {
        const size_t n = min_size(WRITE_ROWS, f->n_items - first);
        size_t column = 0;
        for (size_t i = 0; i < N_PARTS && code == GENAIR_OK; i++) {
            code = pca_project(f->ctx, &f->pca[i], &f->rows[i], first, n, whiten, block + column,
                               f->width, st);
            column += f->pca[i].n_components;
        }
        if (code == GENAIR_OK) code = writer_put(w, block, n * f->width * sizeof *block, st);
        if (code == GENAIR_OK && context_stopped(f->ctx)) code = context_interrupted(st);
        context_progress(f->ctx, "projection", (double)first, (double)f->n_items);
    }
    mem_free(block);
    return code;
}

/* ---- result ---- */

static json_t *describe_part(const struct pca *p) {
    return json_pack("{s:I, s:I, s:I, s:f}", "columns", (json_int_t)p->width, "rank",
                     (json_int_t)p->rank, "components", (json_int_t)p->n_components,
                     "explained_variance", pca_explained(p));
}

static json_t *describe_result(const struct fuse *f) {
    json_t *parts = json_object();
    for (size_t i = 0; i < N_PARTS; i++)
        if (f->wanted[i]) json_object_set_new(parts, part_names[i], describe_part(&f->pca[i]));
    return json_pack("{s:I, s:I, s:b, s:o}", "items", (json_int_t)f->n_items, "columns",
                     (json_int_t)f->width, "whitened", (int)option_flag(f->options, "whiten"),
                     "parts", parts);
}

/* fuse.json: the result, and each component's share of its part's variance. */
static genair_code put_json(const struct fuse *f, const json_t *result, struct writer *w,
                            genair_status *st) {
    json_t *all = json_deep_copy(result), *parts = json_object_get(all, "parts");
    for (size_t i = 0; i < N_PARTS; i++) {
        if (!f->wanted[i]) continue;
        const struct pca *p = &f->pca[i];
        json_t *shares = json_array();
        for (size_t k = 0; k < p->n_components; k++)
            json_array_append_new(shares, json_real(p->variances[k] / p->total_variance));
        json_object_set_new(json_object_get(parts, part_names[i]), "explained_variance_shares",
                            shares);
    }
    char *text = json_text(all, JSON_INDENT(1) | JSON_SORT_KEYS);
    json_decref(all);
    if (!text) return fail_memory(st);
    genair_code code = writer_put(w, text, strlen(text), st);
    if (code == GENAIR_OK) code = writer_put(w, "\n", 1, st);
    free(text); /* jansson's */
    return code;
}

static genair_code open_output(const char *directory, const char *name, struct writer **out,
                               genair_status *st) {
    char *path = path_join(directory, name);
    const genair_code code = path ? writer_open(path, out, st) : fail_memory(st);
    mem_free(path);
    return code;
}

static genair_code close_output(struct writer *w, genair_code code, genair_status *st) {
    if (code == GENAIR_OK) return writer_commit(w, st);
    writer_abandon(w);
    return code;
}

static genair_code write_components(const struct fuse *f, const char *directory, genair_status *st) {
    char *path = path_join(directory, f->out.components);
    const genair_code code =
        path ? pca_file_write(path, f->pca, option_flag(f->options, "whiten"), st) : fail_memory(st);
    mem_free(path);
    return code;
}

static genair_code write_outputs(struct fuse *f, const char *directory, const json_t *result,
                                 genair_status *st) {
    struct writer *w = NULL;
    genair_code code = open_output(directory, f->out.file, &w, st);
    if (code == GENAIR_OK) code = close_output(w, put_rows(f, w, st), st);
    if (code == GENAIR_OK) code = open_output(directory, f->out.description, &w, st);
    if (code == GENAIR_OK) code = close_output(w, put_json(f, result, w, st), st);
    return code == GENAIR_OK ? write_components(f, directory, st) : code;
}

static json_t *describe_inputs(const struct fuse *f) {
    const struct pca_choice choice = choice_of(f->options);
    return json_pack("{s:s, s:s, s:s, s:I, s:f, s:b}", "embed",
                     workspace_stage_hash(f->workspace, "embed"), "prepare",
                     workspace_stage_hash(f->workspace, "prepare"), "parts",
                     option_text(f->options, "parts"), "components", (json_int_t)choice.components,
                     "variance", choice.variance, "whiten", (int)option_flag(f->options, "whiten"));
}

/* Written apart and moved into place together with the record: a failure leaves the earlier pair.
 */
static genair_code write_and_record(struct fuse *f, const char *staging, const json_t *inputs,
                                    const json_t *result, genair_status *st) {
    const char *const outputs[] = {f->out.file, f->out.description, f->out.components};
    genair_code code = directory_make(staging, st);
    if (code == GENAIR_OK) code = write_outputs(f, staging, result, st);
    if (code == GENAIR_OK)
        code = workspace_publish(f->workspace, f->out.stage, inputs, staging, outputs, COUNT(outputs),
                                 result, st);
    const genair_code removed = directory_remove(staging, code == GENAIR_OK ? st : NULL);
    return code == GENAIR_OK ? removed : code;
}

static genair_code make(struct fuse *f, const json_t *inputs, json_t **result, genair_status *st) {
    genair_code code = open_parts(f, st);
    if (code == GENAIR_OK) code = find_warm(f, st);
    if (code == GENAIR_OK) code = fit_parts(f, st);
    if (code != GENAIR_OK) return code;
    char *staging = path_join(workspace_path(f->workspace), "fuse.partial");
    *result = describe_result(f);
    code = staging && *result ? write_and_record(f, staging, inputs, *result, st) : fail_memory(st);
    mem_free(staging);
    return code;
}

static genair_code run(struct fuse *f, json_t **result, genair_status *st) {
    genair_code code = item_vectors_verify(f->workspace, st);
    if (code != GENAIR_OK) return code;
    json_t *inputs = describe_inputs(f), *recorded = NULL;
    if (!inputs) return fail_memory(st);
    if (workspace_is_current(f->workspace, f->out.stage, inputs, &recorded)) {
        context_info(f->ctx, "nothing to do: %s was made from the same vectors and options", f->out.file);
        *result = json_incref(recorded);
    } else {
        code = make(f, inputs, result, st);
    }
    json_decref(inputs);
    return code;
}

GENAIR_API genair_code genair_fuse(genair_context *ctx, const genair_options *options, char **json,
                                   genair_status *st) {
    const double start = context_seconds();
    struct fuse f = {.ctx = ctx, .options = options};
    json_t *result = NULL;
    genair_code code = options_check_command(options, "fuse", st);
    if (code == GENAIR_OK) code = read_options(&f, st);
    if (code == GENAIR_OK)
        code = workspace_open(f.ctx, option_text(options, "workspace"), "fuse", false, &f.workspace, st);
    if (code == GENAIR_OK) code = run(&f, &result, st);
    fuse_deinit(&f);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - start, json, st);
    json_decref(result);
    return code;
}
