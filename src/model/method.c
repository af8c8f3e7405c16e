/* SPDX-License-Identifier: Apache-2.0 */
#include "model/method.h"

#include "base/size.h"
#include "model/backbones.h"

#include <string.h>

static const struct method *const methods[] = {&method_genair, &method_base,   &method_llminit, &method_alphafuse,
                                              &method_rlmrec,  &method_llmemb,  &method_melt,    &method_cities,
                                              &method_llm_esr};

const struct method *method_named(const char *name) {
    for (size_t i = 0; i < COUNT(methods); i++)
        if (strcmp(methods[i]->name, name) == 0) return methods[i];
    return NULL;
}

const struct method *method_of(const struct model_config *c) {
    return c->method ? c->method : c->fused_width ? &method_genair : &method_base;
}

const char *method_text(const json_t *options, const char *name) {
    const char *s = json_string_value(json_object_get(options, name));
    return s ? s : "";
}

struct matrix_request method_matrix(const json_t *options, size_t which) {
    (void)which;
    return (struct matrix_request){.components = method_count(options, "semantic-components")};
}

bool method_is(const json_t *options, const char *name, const char *value) {
    return strcmp(method_text(options, name), value) == 0;
}

double method_real(const json_t *options, const char *name) {
    return json_number_value(json_object_get(options, name));
}

size_t method_count(const json_t *options, const char *name) {
    const json_int_t n = json_integer_value(json_object_get(options, name));
    return n > 0 ? (size_t)n : 0;
}

genair_code add_table(struct model *m, const char *name, size_t width, const float *start, genair_status *st) {
    const size_t n = m->config.n_items;
    const genair_code code = parameters_add(m->parameters, name, n + 1, width, true, &m->table, st);
    if (code != GENAIR_OK) return code;
    for (size_t place = 1; start && place < m->table->held; place++)
        memcpy(m->table->value + place * width, start + (shard_row(&m->table->shard, place) - 1) * width, width * sizeof *start);
    if (!start) parameter_xavier_normal(m->table, 1, m->seed);
    memset(m->table->value, 0, width * sizeof *m->table->value);
    return GENAIR_OK;
}

/* ---- the two methods without further parts ---- */

static genair_code base_parameters(struct model *m, const float *matrix, genair_status *st) {
    (void)matrix;
    return add_table(m, "item_emb", m->config.hidden, NULL, st);
}

const struct method method_base = {.name = "base", .parameters = base_parameters, .term = "calibration",
                                   .weight_options = ""};

static genair_code genair_parameters(struct model *m, const float *matrix, genair_status *st) {
    genair_code code = GENAIR_OK;
    if (m->config.trainable_fused)
        code = add_table(m, "fused", m->config.fused_width, matrix, st);
    else
        m->fused = matrix;
    return code == GENAIR_OK ? projector_parameters(m, st) : code;
}

static struct tensor *genair_items(struct model *m, struct tensor *source, const uint32_t *ids) {
    (void)ids;
    return model_project(m, source);
}

const struct method method_genair = {.name = "genair", .fused = true, .parameters = genair_parameters,
                                     .items = genair_items, .term = "calibration",
                                     .weight_options = ", --alpha"};
