/* SPDX-License-Identifier: Apache-2.0 */
#include "train/session.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "model/learned.h"
#include "model/parts.h"
#include "train/base_run.h"
#include "train/semantic.h"
#include "train/similar_users.h"
#include "workspace/item_matrix.h"

#include <math.h>
#include <string.h>

bool session_neutral(const char *name) {
    static const char *const neutral[] = {"workspace", "threads", "config", "json", "quiet", "help", "run", "resume",
                                          "checkpoint-every", "model", "item-noun", "attribute-characters"};
    for (size_t i = 0; i < COUNT(neutral); i++)
        if (strcmp(neutral[i], name) == 0) return true;
    return strncmp(name, "scft-", 5) == 0; /* of a stage of its own, whose vectors count */
}

static json_t *value_of(const genair_options *o, const struct option_spec *spec) {
    switch (spec->type) {
    case OPTION_FLAG:
        return json_boolean(option_flag(o, spec->name));
    case OPTION_INT:
        return json_integer(option_int(o, spec->name));
    case OPTION_REAL:
        return json_real(option_real(o, spec->name));
    case OPTION_TEXT:
    case OPTION_CHOICE: {
        const char *s = option_text(o, spec->name);
        return s ? json_string(s) : NULL;
    }
    case OPTION_LIST:
        break;
    }
    return NULL;
}

/* What the method has in place of the option's default; NULL when it has none of its own. */
static const char *default_of(const struct method *method, const char *option) {
    for (const struct method_default *d = method ? method->defaults : NULL; d && d->option; d++)
        if (strcmp(d->option, option) == 0) return d->value;
    return NULL;
}

/* An option that is neither given nor has a default is not there. */
static json_t *chosen(const genair_options *o, const struct option_spec *spec, const struct method *method) {
    const char *own = option_given(o, spec->name) ? NULL : default_of(method, spec->name);
    if (!own) return spec->fallback || option_given(o, spec->name) ? value_of(o, spec) : NULL;
    return spec->type == OPTION_INT || spec->type == OPTION_REAL ? json_loads(own, JSON_DECODE_ANY, NULL)
                                                                 : json_string(own);
}

static json_t *own_value(const genair_options *o, const struct option_spec *spec, const char *method) {
    return strcmp(spec->name, "method") == 0 ? json_string(method) : chosen(o, spec, method_named(method));
}

/* These losses are made for many negatives; gSASRec has 256. */
static bool draws_many(const json_t *config) {
    return method_is(config, "loss", loss_names[LOSS_GBCE]) || method_is(config, "loss", loss_names[LOSS_SAMPLED_SOFTMAX]);
}

json_t *session_options_of(const genair_options *o, const char *method) {
    json_t *config = json_object();
    size_t n;
    const struct option_spec *table = options_table(&n);
    for (size_t i = 0; config && i < n; i++) {
        if (!option_applies(&table[i], options_command(o)) || session_neutral(table[i].name) ||
            !option_of_method(&table[i], method))
            continue;
        json_t *value = own_value(o, &table[i], method);
        if (value && json_object_set_new(config, table[i].name, value) != 0) {
            json_decref(config);
            return NULL;
        }
    }
    const json_t *view = json_object_get(config, "esr-view"); /* two of them are the width */
    if (view && json_object_set_new(config, "hidden", json_integer(2 * json_integer_value(view))) != 0) {
        json_decref(config);
        return NULL;
    }
    if (!option_given(o, "negatives") && draws_many(config) && json_object_set_new(config, "negatives", json_integer(256)) != 0) {
        json_decref(config);
        return NULL;
    }
    /* one part is what a run without the option is */
    if (json_integer_value(json_object_get(config, "parts")) == 1) json_object_del(config, "parts");
    return config;
}

json_t *session_options(const genair_options *o) {
    return session_options_of(o, option_text(o, "method"));
}

/* The fused matrix of that name (NULL: the workspace's own) as [n_items, D] floats: the mapping itself where it can be read as such. */
static genair_code open_matrix(const char *workspace, const char *name, struct session *s, const float **rows,
                               genair_status *st) {
    char *path = path_join(workspace, item_matrix_named(name).file);
    if (!path) return fail_memory(st);
    genair_code code = GENAIR_OK;
    if (file_missing(path))
        code = fail_line(st, GENAIR_USAGE, path, 0,
                         "there is no item matrix; run `genair embed` and `genair fuse` first, or train with "
                         "--method base");
    if (code == GENAIR_OK) code = npy_open(path, &s->matrix, st);
    mem_free(path);
    if (code != GENAIR_OK) return code;
    const struct npy *m = s->matrix;
    if (m->n_dims != 2 || m->shape[0] != s->data->n_items || m->shape[1] == 0)
        return fail_line(st, GENAIR_FORMAT, m->path, 0,
                         "has %zu rows, but the workspace has %u items; run `genair embed` and `genair fuse` again",
                         m->n_dims == 2 ? m->shape[0] : 0, s->data->n_items);
    if (m->type == NPY_F4 && !m->big_endian && !m->fortran_order && (uintptr_t)m->data % sizeof(float) == 0) {
        *rows = (const float *)(const void *)m->data;
        return GENAIR_OK;
    }
    s->converted = mem_array(m->n_values, sizeof *s->converted);
    if (!s->converted) return fail_memory(st);
    for (size_t i = 0; i < m->shape[0]; i++) npy_row_f32(m, i, s->converted + i * m->shape[1]);
    *rows = s->converted;
    return GENAIR_OK;
}

/* Outside of these bounds single precision makes all items alike, whatever is learned. */
#define LEAST_SQUARE 1e-20f

static genair_code check_scale(const struct npy *m, const float *rows, genair_status *st) {
    const struct kernels *k = kernels_select(NULL);
    const size_t width = m->shape[1];
    float most = 0;
    for (size_t i = 0; i < m->shape[0]; i++) {
        const float square = k->dot(rows + i * width, rows + i * width, width);
        if (!isfinite(square))
            return fail_line(st, GENAIR_FORMAT, m->path, 0,
                             "row %zu (from 0) is too long: its square is beyond single precision; make the vectors smaller", i);
        if (square > most) most = square;
    }
    if (most >= LEAST_SQUARE) return GENAIR_OK;
    return fail_line(st, GENAIR_FORMAT, m->path, 0,
                     "the longest of its rows is of length %.3g: nothing can be learned from that; make the vectors larger",
                     sqrt((double)most));
}

static struct objective objective_of(const json_t *config, const struct dataset *data) {
    static const char *const forms[] = {[CALIBRATION_NONE] = "none", [CALIBRATION_KERNEL] = "kernel",
                                        [CALIBRATION_DOT] = "dot", [CALIBRATION_LINEAR] = "linear"};
    struct objective o = {.gbce_t = method_real(config, "gbce-t"),
                          .unique_items = method_is(config, "calibration-items", "unique"),
                          .alpha = method_real(config, "alpha"),
                          .gamma = method_real(config, "gamma"),
                          .t = 2,
                          .cooccurrence = &data->cooccurrence};
    for (int i = 0; i < N_LOSSES; i++)
        if (method_is(config, "loss", loss_names[i])) o.loss = (enum rank_loss)i;
    for (size_t i = 0; i < COUNT(forms); i++)
        if (method_is(config, "calibration", forms[i])) o.calibration = (enum calibration_form)i;
    if (!method_is(config, "method", "genair")) o.calibration = CALIBRATION_NONE;
    return o;
}

static genair_code open_inputs(genair_context *ctx, const char *workspace, const json_t *config,
                               const struct method *method, struct session *s, genair_status *st) {
    genair_code code = GENAIR_OK;
    s->inputs.options = config;
    s->inputs.data = s->data;
    if (method->fused) {
        code = open_matrix(workspace, json_string_value(json_object_get(config, "items")), s,
                           &s->inputs.matrix[0].values, st);
        if (code == GENAIR_OK) s->inputs.matrix[0].width = s->matrix->shape[1];
        if (code == GENAIR_OK) code = check_scale(s->matrix, s->inputs.matrix[0].values, st);
    }
    for (size_t i = 0; code == GENAIR_OK && i < method->n_matrices; i++) {
        const struct matrix_request request = method->matrix(config, i);
        code = semantic_open(ctx, workspace, config, s->data, &request, &s->inputs.matrix[i], st);
    }
    if (code == GENAIR_OK && method->base_run) code = base_run_open(ctx, workspace, config, method, s->data, &s->base, st);
    if (code == GENAIR_OK && s->base) s->inputs.base = base_run_model(s->base);
    if (code == GENAIR_OK && method->similar_users && method->similar_users(config))
        code = similar_users_open(ctx, workspace, config, s->data, &s->similar, st);
    s->inputs.similar = s->similar;
    return code;
}

/* The full softmax reads all rows of a table in each step: there sharing them out saves Adam's memory alone. */
static genair_code check_softmax(genair_context *ctx, const struct session *s, genair_status *st) {
    const struct parameter *table = s->model->table;
    if (!context_group(ctx) || !table || s->objective.loss != LOSS_CE) return GENAIR_OK;
    const double values = (double)table->rows * (double)table->cols;
    if (values > INT32_MAX)
        return fail(st, GENAIR_USAGE, "--loss ce brings all %zu item vectors to every process in each step, more than can be "
                    "sent: give --loss sampled-softmax or gbce", table->rows - 1);
    context_info(ctx, "--loss ce brings the whole item table (%.3g MB) to every process in each step; sampled-softmax and gbce "
                 "do not", values * sizeof(float) * 1e-6);
    return GENAIR_OK;
}

static genair_code check_length(const struct model_config *c, genair_status *st) {
    if (c->backbone != BERT4REC || c->n_positions > 2) return GENAIR_OK;
    return fail(st, GENAIR_USAGE, "--max-len 1: bert4rec's mask takes a place, so nothing of a history would be read; give 2 or more");
}

static genair_code open_parts(genair_context *ctx, const char *workspace, const json_t *config, size_t repeat,
                              struct session *s, genair_status *st) {
    const struct method *method = method_named(method_text(config, "method"));
    if (!method) return fail(st, GENAIR_USAGE, "method '%s' does not learn by gradients", method_text(config, "method"));
    genair_code code = dataset_open(workspace, &s->data, st);
    if (code == GENAIR_OK) code = open_inputs(ctx, workspace, config, method, s, st);
    if (code == GENAIR_OK) code = learned_config(config, s->data, s->inputs.matrix[0].width, &s->config, st);
    if (code == GENAIR_OK) code = check_length(&s->config, st);
    if (code != GENAIR_OK) return code;
    s->config.method = method;
    s->config.inputs = &s->inputs;
    s->config.group = context_group(ctx);
    const uint64_t seed = (uint64_t)json_integer_value(json_object_get(config, "seed"));
    s->prelude = method->prelude;
    s->adam = (struct adam_options){.rate = method_real(config, "lr"), .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8,
                                    .decay = method_real(config, "weight-decay")};
    s->objective = objective_of(config, s->data);
    code = model_create(&s->config, s->inputs.matrix[0].values, context_parallel(ctx), kernels_select(NULL), &s->adam,
                        seed, &s->model, st);
    if (code != GENAIR_OK) return code;
    if (method->continues) base_run_copy(s->base, s->model);
    const size_t n_parts = max_size(1, method_count(config, "parts"));
    if (n_parts > 1 || context_group(ctx)) code = parts_begin(s->model, n_parts, st);
    if (code == GENAIR_OK) code = check_softmax(ctx, s, st);
    if (code != GENAIR_OK) return code;
    const struct batches_options options = {
        .backbone = s->config.backbone,
        .seq2seq = json_is_true(json_object_get(config, "seq2seq")),
        .max_len = method_count(config, "max-len"),
        .batch = method_count(config, "batch"),
        .n_negatives = s->objective.loss == LOSS_CE ? 0 : method_count(config, "negatives"),
        .mask_probability = method_real(config, "mask-probability"),
        .seed = seed,
        .repeat = repeat};
    return batches_create(&options, s->data, context_parallel(ctx), &s->batches, st);
}

genair_code session_open(genair_context *ctx, const char *workspace, const json_t *config, size_t repeat,
                         struct session *out, genair_status *st) {
    *out = (struct session){0}; /* opened in place: the model keeps a pointer to its inputs */
    const genair_code code = open_parts(ctx, workspace, config, repeat, out, st);
    if (code != GENAIR_OK) session_close(out);
    return code;
}

void session_close(struct session *s) {
    batches_free(s->batches);
    model_free(s->model);
    run_close(s->base);
    for (size_t i = 0; i < METHOD_MATRICES; i++)
        if (!s->matrix) mem_free((void *)(uintptr_t)s->inputs.matrix[i].values);
    mem_free(s->similar);
    npy_close(s->matrix);
    mem_free(s->converted);
    dataset_close(s->data);
    *s = (struct session){0};
}

/* ---- steps ---- */

size_t session_steps(const struct session *s) {
    return s->prelude ? s->prelude->n_steps(s->model) : batches_count(s->batches);
}

genair_code session_start(struct session *s, uint64_t epoch, bool whole, genair_status *st) {
    parameters_set_adam(s->model->parameters, s->prelude ? &s->prelude->adam : &s->adam);
    if (s->prelude) return GENAIR_OK;
    batches_start(s->batches, epoch);
    return whole ? model_begin_epoch(s->model, st) : GENAIR_OK;
}

genair_code session_step(struct session *s, size_t i, struct step_losses *losses, genair_status *st) {
    struct batch batch;
    genair_code code = GENAIR_OK;
    if (s->prelude)
        code = s->prelude->step(s->model, losses, st);
    else
        code = batches_get(s->batches, i, &batch, st);
    if (code == GENAIR_OK && !s->prelude) code = model_step(s->model, &batch, &s->objective, losses, st);
    return code == GENAIR_OK ? model_update(s->model, st) : code;
}
