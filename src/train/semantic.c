/* SPDX-License-Identifier: Apache-2.0 */
#include "train/semantic.h"

#include "algebra/pca.h"
#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "tune/scft.h"
#include "workspace/npy.h"
#include "workspace/item_parts.h"
#include "workspace/item_vectors.h"

#include <math.h>
#include <string.h>

struct source {
    const char *stage; /* of the workspace; NULL: a file of the user's */
    const char *file;
};

static struct source source_named(const char *name) {
    if (strcmp(name, "fused") == 0) return (struct source){"fuse", "fused.npy"};
    if (strcmp(name, "scft") == 0) return (struct source){"scft", SCFT_VECTORS};
    for (size_t i = 0; i < N_PARTS; i++)
        if (strcmp(name, part_names[i]) == 0) return (struct source){"embed", part_files[i]};
    return (struct source){NULL, name};
}

static struct source source_of(const json_t *config) {
    return source_named(method_text(config, "semantic"));
}

bool semantic_is_file(const char *name) {
    return !source_named(name).stage;
}

genair_code semantic_identity(const genair_context *ctx, struct workspace *w, const json_t *config, struct stage_inputs *files,
                              char out[33], genair_status *st) {
    const struct source s = source_of(config);
    if (!s.stage) return stage_inputs_hash(files, ctx, s.file, out, st);
    const char *hash = workspace_stage_hash(w, s.stage);
    const json_t *record = json_object_get(workspace_stages(w), s.stage);
    if (!hash || !json_object_get(json_object_get(record, "outputs"), s.file))
        return fail_line(st, GENAIR_USAGE, workspace_path(w), 0,
                         "there is no %s; run `genair %s` first, or name another matrix with --semantic", s.file,
                         strcmp(s.stage, "embed") == 0  ? "archetype` or `genair embed"
                         : strcmp(s.stage, "scft") == 0 ? "train --method llmemb --model FILE"
                                                        : s.stage);
    memcpy(out, hash, 33);
    return item_vectors_verify_stage(w, s.stage, st);
}

/* The rows as float, refusing what is not finite. */
static genair_code read_rows(const struct npy *a, bool unit, float *out, genair_status *st) {
    const size_t width = a->shape[1];
    for (size_t r = 0; r < a->shape[0]; r++) {
        float *row = out + r * width;
        double square = 0;
        npy_row_f32(a, r, row);
        for (size_t c = 0; c < width; c++) {
            if (!isfinite(row[c]))
                return fail_line(st, GENAIR_FORMAT, a->path, 0,
                                 "row %zu, column %zu (from 0) is not a finite number; make that vector again", r, c);
            square += (double)row[c] * (double)row[c];
        }
        if (unit && square > 0)
            for (size_t c = 0; c < width; c++) row[c] = (float)((double)row[c] / sqrt(square));
    }
    return GENAIR_OK;
}

genair_code float_matrix_read(const char *path, size_t n_rows, const char *whose, bool unit, struct method_matrix *out,
                              genair_status *st) {
    struct npy *a = NULL;
    genair_code code = npy_open(path, &a, st);
    if (code != GENAIR_OK) return code;
    if (a->n_dims != 2 || a->shape[0] != n_rows || a->shape[1] == 0 || a->type > NPY_F8)
        code = fail_line(st, GENAIR_FORMAT, a->path, 0,
                         "must be a matrix of floats with a row for each of the workspace's %zu %s, in their order", n_rows,
                         whose);
    float *values = code == GENAIR_OK ? mem_array(a->n_values, sizeof *values) : NULL;
    if (code == GENAIR_OK) code = values ? read_rows(a, unit, values, st) : fail_memory(st);
    if (code == GENAIR_OK)
        *out = (struct method_matrix){values, a->shape[1]};
    else
        mem_free(values);
    npy_close(a);
    return code;
}

genair_code semantic_raw(const char *workspace, const json_t *config, const struct dataset *data,
                         struct method_matrix *out, genair_status *st) {
    const struct source s = source_of(config);
    char *path = s.stage ? path_join(workspace, s.file) : mem_text(s.file, strlen(s.file));
    const genair_code code = path ? float_matrix_read(path, data->n_items, "items",
                                                      strcmp(method_text(config, "semantic-scale"), "unit") == 0, out, st)
                                  : fail_memory(st);
    mem_free(path);
    return code;
}

/* Rows of a matrix, some of them, or all once. */
struct chosen_rows {
    const struct method_matrix *matrix;
    const uint32_t *row; /* or NULL */
};

static void read_float_row(const void *source, size_t r, double *out) {
    const struct chosen_rows *x = source;
    const float *values = x->matrix->values + (x->row ? x->row[r] : r) * x->matrix->width;
    for (size_t c = 0; c < x->matrix->width; c++) out[c] = (double)values[c];
}

/* The rows that components are found by: each item's once, as in `fuse` without the cold ones, or as often as training has the
 * item (and no cold one): their covariance is the one weighted by popularity. */
static genair_code choose_rows(const struct dataset *data, bool by_popularity, uint32_t **out, size_t *n, genair_status *st) {
    size_t total = 0, at = 0;
    for (size_t i = 1; i <= data->n_items; i++) total += by_popularity ? data->popularity[i] : !data->cold[i];
    uint32_t *row = mem_array(total, sizeof *row);
    if (!row) return fail_memory(st);
    for (uint32_t i = 1; i <= data->n_items; i++)
        for (uint32_t k = by_popularity ? data->popularity[i] : !data->cold[i]; k > 0; k--) row[at++] = i - 1;
    *out = row;
    *n = total;
    return GENAIR_OK;
}

static genair_code fit(genair_context *ctx, const struct method_matrix *raw, const struct dataset *data,
                       const struct matrix_request *request, struct pca *out, genair_status *st) {
    uint32_t *row = NULL;
    size_t n = 0;
    genair_code code = choose_rows(data, request->by_popularity, &row, &n, st);
    const struct chosen_rows chosen = {raw, row};
    const struct rows x = {.n = n, .width = raw->width, .read = read_float_row, .source = &chosen};
    if (code == GENAIR_OK) code = pca_fit(ctx, &x, (struct pca_choice){.components = request->components}, out, st);
    mem_free(row);
    return code;
}

/* A component with next to no variance is noise of the arithmetic: whitened it would count like the others. */
#define NO_VARIANCE 1e-10

static void drop_noise(const struct pca *p, float *values, size_t n, size_t width) {
    for (size_t k = 0; k < p->n_components; k++)
        for (size_t i = 0; p->variances[k] <= NO_VARIANCE * p->variances[0] && i < n; i++) values[i * width + k] = 0;
}

static genair_code project(genair_context *ctx, const struct method_matrix *raw, const struct dataset *data,
                           const struct matrix_request *request, struct method_matrix *out, genair_status *st) {
    const size_t n = data->n_items;
    const struct chosen_rows all = {raw, NULL};
    const struct rows x = {.n = n, .width = raw->width, .read = read_float_row, .source = &all};
    struct pca pca = {0};
    genair_code code = fit(ctx, raw, data, request, &pca, st);
    const size_t width = request->exact ? request->components : pca.n_components;
    if (code == GENAIR_OK && pca.n_components < request->components)
        context_info(ctx, "the semantic matrix has %zu components, not %zu", pca.n_components, request->components);
    if (code == GENAIR_OK && pca.n_components == 0)
        code = fail(st, GENAIR_FORMAT, "all rows of the semantic matrix are equal: nothing can be learned from it");
    float *values = code == GENAIR_OK ? mem_zeros(n * width, sizeof *values) : NULL;
    if (code == GENAIR_OK)
        code = values ? pca_project(ctx, &pca, &x, 0, n, request->whiten, values, width, st) : fail_memory(st);
    if (code == GENAIR_OK && request->whiten) drop_noise(&pca, values, n, width);
    pca_free(&pca);
    if (code == GENAIR_OK)
        *out = (struct method_matrix){values, width};
    else
        mem_free(values);
    return code;
}

/* Where a table starts from the matrix, its scale matters: said beside the usual start's. */
static void report_scale(genair_context *ctx, const struct method_matrix *m, size_t n) {
    double square = 0;
    for (size_t i = 0; i < n * m->width; i++) square += (double)m->values[i] * (double)m->values[i];
    context_info(ctx, "item vectors from text: %zu x %zu, root mean square %.4g (a drawn table's: %.4g)", n, m->width,
                 sqrt(square / (double)(n * m->width)), sqrt(2.0 / (double)(n + 1 + m->width)));
}

genair_code semantic_open(genair_context *ctx, const char *workspace, const json_t *config, const struct dataset *data,
                          const struct matrix_request *request, struct method_matrix *out, genair_status *st) {
    struct method_matrix raw = {0};
    genair_code code = semantic_raw(workspace, config, data, &raw, st);
    if (code != GENAIR_OK) return code;
    if (request->components) {
        code = project(ctx, &raw, data, request, out, st);
        mem_free((void *)(uintptr_t)raw.values);
    } else {
        *out = raw;
    }
    if (code == GENAIR_OK) report_scale(ctx, out, data->n_items);
    return code;
}
