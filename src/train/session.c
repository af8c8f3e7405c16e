/* SPDX-License-Identifier: Apache-2.0 */
#include "train/session.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "model/learned.h"
#include "workspace/item_matrix.h"

#include <string.h>

/* Options of `train` that do not change what it computes. */
static const char *const neutral[] = {"workspace", "threads", "config", "json", "quiet", "help", "run", "resume",
                                      "checkpoint-every"};

static bool is_neutral(const char *name) {
    for (size_t i = 0; i < COUNT(neutral); i++)
        if (strcmp(neutral[i], name) == 0) return true;
    return false;
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

json_t *session_options(const genair_options *o) {
    json_t *config = json_object();
    size_t n;
    const struct option_spec *table = options_table(&n);
    for (size_t i = 0; config && i < n; i++) {
        if (!option_applies(&table[i], options_command(o)) || is_neutral(table[i].name)) continue;
        json_t *value = value_of(o, &table[i]);
        if (value && json_object_set_new(config, table[i].name, value) != 0) {
            json_decref(config);
            return NULL;
        }
    }
    return config;
}

static const char *text_at(const json_t *config, const char *key) {
    const char *s = json_string_value(json_object_get(config, key));
    return s ? s : "";
}

static bool is(const json_t *config, const char *key, const char *value) {
    return strcmp(text_at(config, key), value) == 0;
}

static double real_at(const json_t *config, const char *key) {
    return json_number_value(json_object_get(config, key));
}

static size_t count_at(const json_t *config, const char *key) {
    return (size_t)json_integer_value(json_object_get(config, key));
}

/* The fused matrix of that name (NULL: the workspace's own) as [n_items, D] floats: the mapping itself where it can be read as such. */
static genair_code open_matrix(const char *workspace, const char *name, struct session *s, const float **rows, genair_status *st) {
    char *path = path_join(workspace, item_matrix_named(name).file);
    if (!path) return fail_memory(st);
    genair_code code = GENAIR_OK;
    if (!file_exists(path))
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

static struct objective objective_of(const json_t *config, const struct dataset *data) {
    static const char *const forms[] = {[CALIBRATION_NONE] = "none", [CALIBRATION_KERNEL] = "kernel",
                                        [CALIBRATION_DOT] = "dot", [CALIBRATION_LINEAR] = "linear"};
    struct objective o = {.gbce_t = real_at(config, "gbce-t"),
                          .unique_items = is(config, "calibration-items", "unique"),
                          .alpha = real_at(config, "alpha"),
                          .gamma = real_at(config, "gamma"),
                          .t = 2,
                          .cooccurrence = &data->cooccurrence};
    for (int i = 0; i < N_LOSSES; i++)
        if (is(config, "loss", loss_names[i])) o.loss = (enum rank_loss)i;
    for (size_t i = 0; i < COUNT(forms); i++)
        if (is(config, "calibration", forms[i])) o.calibration = (enum calibration_form)i;
    if (is(config, "method", "base")) o.calibration = CALIBRATION_NONE;
    return o;
}

static genair_code open_parts(genair_context *ctx, const char *workspace, const json_t *config, size_t repeat,
                              struct session *s, genair_status *st) {
    genair_code code = dataset_open(workspace, &s->data, st);
    const float *matrix = NULL;
    if (code == GENAIR_OK && !is(config, "method", "base")) code = open_matrix(workspace, json_string_value(json_object_get(config, "items")), s, &matrix, st);
    if (code == GENAIR_OK)
        code = learned_config(config, s->data, s->matrix ? s->matrix->shape[1] : 0, &s->config, st);
    if (code != GENAIR_OK) return code;
    const uint64_t seed = (uint64_t)json_integer_value(json_object_get(config, "seed"));
    const struct adam_options adam = {.rate = real_at(config, "lr"), .beta1 = 0.9, .beta2 = 0.999,
                                      .epsilon = 1e-8, .decay = real_at(config, "weight-decay")};
    s->objective = objective_of(config, s->data);
    code = model_create(&s->config, matrix, context_parallel(ctx), kernels_select(NULL), &adam, seed, &s->model, st);
    if (code != GENAIR_OK) return code;
    const struct batches_options options = {
        .backbone = s->config.backbone,
        .seq2seq = json_is_true(json_object_get(config, "seq2seq")),
        .max_len = count_at(config, "max-len"),
        .batch = count_at(config, "batch"),
        .n_negatives = s->objective.loss == LOSS_CE ? 0 : count_at(config, "negatives"),
        .mask_probability = real_at(config, "mask-probability"),
        .seed = seed,
        .repeat = repeat};
    return batches_create(&options, s->data, context_parallel(ctx), &s->batches, st);
}

genair_code session_open(genair_context *ctx, const char *workspace, const json_t *config, size_t repeat,
                         struct session *out, genair_status *st) {
    struct session s = {0};
    const genair_code code = open_parts(ctx, workspace, config, repeat, &s, st);
    if (code == GENAIR_OK)
        *out = s;
    else
        session_close(&s);
    return code;
}

void session_close(struct session *s) {
    batches_free(s->batches);
    model_free(s->model);
    npy_close(s->matrix);
    mem_free(s->converted);
    dataset_close(s->data);
    *s = (struct session){0};
}
