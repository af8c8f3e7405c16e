/* SPDX-License-Identifier: Apache-2.0 */
#include "model/learned.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "model/method.h"
#include "model/new_items.h"
#include "model/parameter_file.h"

#include <string.h>

genair_code learned_config(const json_t *config, const struct dataset *data, size_t fused_width,
                           struct model_config *out, genair_status *st) {
    struct model_config c = {.backbone = N_BACKBONES,
                             .n_items = data->n_items,
                             .hidden = method_count(config, "hidden"),
                             .fused_width = fused_width,
                             .trainable_fused = strcmp(method_text(config, "freeze"), "no") == 0,
                             .n_layers = method_count(config, "layers"),
                             .n_heads = method_count(config, "heads"),
                             .n_positions = method_count(config, "max-len") + 1,
                             .dropout = method_real(config, "dropout"),
                             .input_scale = strcmp(method_text(config, "input-scale"), "none") == 0,
                             .cold = data->cold};
    for (int b = 0; b < N_BACKBONES; b++)
        if (strcmp(method_text(config, "backbone"), backbone_names[b]) == 0) c.backbone = (enum backbone)b;
    c.causal = c.backbone == SASREC ? strcmp(method_text(config, "attention"), "causal") == 0
                                    : c.backbone == GRU4REC && json_is_true(json_object_get(config, "seq2seq"));
    if (c.backbone == N_BACKBONES || c.hidden == 0 || c.n_positions < 2)
        return fail(st, GENAIR_FORMAT, "the run's config.json does not describe a model; train it again");
    *out = c;
    return GENAIR_OK;
}

/* ---- saving ---- */

/* "NAME." before a parameter of method NAME: done with when training ends. */
static bool only_trains(const struct model *m, const struct parameter *p) {
    const size_t n = strlen(m->method->name);
    return strncmp(p->name, m->method->name, n) == 0 && p->name[n] == '.';
}

/* What is saved beside parameters. */
static genair_code make(struct model *m, struct safetensor out[2], size_t *n, genair_status *st) {
    *n = 0;
    if (m->method->items)
        out[(*n)++] = safetensor_f32("item_vectors", m->config.n_items, m->config.hidden, m->item_vectors + m->config.hidden);
    if (!m->method->mask_vector || m->config.backbone != BERT4REC) return GENAIR_OK;
    const struct tensor *mask = m->method->mask_vector(m);
    if (!mask) return fail_memory(st);
    out[(*n)++] = safetensor_f32("mask_vector", mask->rows, mask->cols, mask->value);
    return GENAIR_OK;
}

static genair_code begin(const struct model *m, const struct safetensor *made, size_t n_made, const char *path,
                         struct writer **out, genair_status *st) {
    const size_t n = parameters_count(m->parameters);
    struct safetensor *tensors = mem_array(n + n_made, sizeof *tensors);
    if (!tensors) return fail_memory(st);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct parameter *p = parameters_at(m->parameters, i);
        if (!only_trains(m, p)) tensors[kept++] = safetensor_f32(p->name, p->rows, p->cols, NULL);
    }
    for (size_t i = 0; i < n_made; i++) tensors[kept++] = made[i];
    const genair_code code = safetensors_begin(path, kept, tensors, 0, NULL, NULL, out, st);
    mem_free(tensors);
    return code;
}

genair_code learned_save(struct model *m, const char *path, genair_status *st) {
    struct safetensor made[2];
    size_t n_made = 0;
    struct writer *w = NULL;
    genair_code code = model_refresh_items(m, st);
    if (code == GENAIR_OK) code = make(m, made, &n_made, st);
    if (code == GENAIR_OK && path) code = begin(m, made, n_made, path, &w, st);
    for (size_t i = 0; code == GENAIR_OK && i < parameters_count(m->parameters); i++) {
        const struct parameter *p = parameters_at(m->parameters, i);
        if (!only_trains(m, p)) code = parameter_put(m, p, p->value, w, NULL, st);
    }
    for (size_t i = 0; code == GENAIR_OK && w && i < n_made; i++)
        code = writer_put(w, made[i].data, made[i].n_values * sizeof(float), st);
    if (code == GENAIR_OK && w) return writer_commit(w, st);
    writer_abandon(w);
    return code;
}

/* ---- opening ---- */

static genair_code find_tensor(const struct safetensors *f, const char *path, const char *name, size_t rows,
                               size_t cols, const struct safetensor **out, genair_status *st) {
    const struct safetensor *t = safetensors_find(f, name);
    if (!t) return fail_line(st, GENAIR_FORMAT, path, 0, "there is no tensor \"%s\"; train the run again", name);
    if (t->n_dims != 2 || t->shape[0] != rows || t->shape[1] != cols || strcmp(t->type, "F32") != 0)
        return fail_line(st, GENAIR_FORMAT, path, 0,
                         "tensor \"%s\" is not F32 of %zu x %zu, as config.json asks; train the run again", name,
                         rows, cols);
    *out = t;
    return GENAIR_OK;
}

/* The table stays in the file. A projected run is served as one of its projected items, which has no row 0; n_more: rows at its
 * end that no file has. */
static genair_code map_table(struct model *m, const struct safetensors *f, const char *path, size_t n_more, genair_status *st) {
    struct parameter *p = m->table;
    const struct safetensor *t;
    const bool projected = safetensors_find(f, "item_vectors") != NULL;
    const size_t first = projected ? 1 : 0;
    genair_code code = find_tensor(f, path, projected ? "item_vectors" : p->name, p->rows - first - n_more, p->cols, &t, st);
    if (code == GENAIR_OK) code = parameter_map(p, first, &(struct file_part){path, t->offset, t->n_bytes}, st);
    if (code == GENAIR_OK && m->shares_table) m->item_vectors = p->value;
    return code;
}

static genair_code read_parameter(struct parameter *p, const struct safetensors *f, const char *path, genair_status *st) {
    const struct safetensor *t;
    const genair_code code = find_tensor(f, path, p->name, p->rows, p->cols, &t, st);
    return code == GENAIR_OK ? safetensors_read(f, t->offset, p->value, t->n_bytes, st) : code;
}

static genair_code read_parameters(struct model *m, const char *path, size_t n_more, genair_status *st) {
    struct safetensors *f;
    genair_code code = safetensors_open_unmapped(path, &f, st);
    if (code != GENAIR_OK) return code;
    for (size_t i = 0; code == GENAIR_OK && i < parameters_count(m->parameters); i++) {
        struct parameter *p = parameters_at(m->parameters, i);
        code = p == m->table ? map_table(m, f, path, n_more, st) : read_parameter(p, f, path, st);
    }
    safetensors_close(f);
    return code;
}

static genair_code create(genair_context *ctx, const struct model_config *c, const float *fused, const char *path,
                          size_t n_more, struct model **out, genair_status *st) {
    genair_code code = model_create(c, fused, context_parallel(ctx), kernels_select(NULL), NULL, 0, out, st);
    return code == GENAIR_OK ? read_parameters(*out, path, n_more, st) : code;
}

/* A model of these items alone: what its projector makes of them. out: [more->n, d] */
static genair_code project(genair_context *ctx, const struct model_config *served, const struct fused_rows *more,
                           const char *path, float *out, genair_status *st) {
    struct model_config c = *served;
    struct model *m = NULL;
    c.n_items = more->n;
    c.fused_width = more->width;
    c.trainable_fused = false; /* a row that training has not moved */
    c.method = &method_genair;
    genair_code code = create(ctx, &c, more->values, path, 0, &m, st);
    if (code == GENAIR_OK) code = model_refresh_items(m, st);
    if (code == GENAIR_OK) memcpy(out, m->item_vectors + c.hidden, more->n * c.hidden * sizeof *out);
    model_free(m);
    return code;
}

genair_code learned_open(genair_context *ctx, const char *directory, const json_t *config,
                         const struct dataset *data, const struct fused_rows *more, struct scorer *out,
                         genair_status *st) {
    struct model_config c;
    genair_code code = learned_config(config, data, 0, &c, st);
    if (code != GENAIR_OK) return code;
    const struct method *method = method_named(method_text(config, "method"));
    const struct method_inputs inputs = {.options = config, .data = data}; /* read while the model is made */
    const size_t n_more = more ? more->n : 0;
    c.method = method ? method->served : NULL;
    c.inputs = &inputs;
    c.cold = NULL; /* what training leaves out is served too */
    c.n_items += n_more;
    struct model *m = NULL;
    char *path = path_join(directory, "model.safetensors");
    code = path ? create(ctx, &c, NULL, path, n_more, &m, st) : fail_memory(st);
    if (code == GENAIR_OK) m->config.inputs = NULL;
    if (code == GENAIR_OK && n_more)
        code = project(ctx, &c, more, path, m->table->value + (data->n_items + 1) * c.hidden, st);
    if (code == GENAIR_OK) code = model_refresh_items(m, st);
    if (code == GENAIR_OK)
        *out = model_scorer(m);
    else
        model_free(m);
    mem_free(path);
    return code;
}

void learned_close(struct scorer *s) {
    model_free(s->model);
    *s = (struct scorer){0};
}
