/* SPDX-License-Identifier: Apache-2.0 */
/* LLM-ESR (Liu et al., 2024): a history is read twice by one backbone of half the width, as text (vectors a of a language
 * model behind an adapter) and as behaviour (a trained table c that starts from their principal components):
 *
 *     Y_c = cross_1(query X_a, seen X_c)   Y_a = cross_2(query X_c, seen X_a)      X: items and places, dropped out
 *     u = [backbone(Y_c), backbone(Y_a)]   e = [c, a]   score u . e
 *
 * and a user's u is drawn to the mean of those of similar users, which are constants in that. */
#include "model/llm_esr.h"

#include "base/alloc.h"
#include "base/size.h"
#include "model/backbones.h"
#include "tensor/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ADAPTER "llm-esr"

static const struct esr *state_of(const struct model *m) {
    return m->state;
}

static const json_t *options_of(const struct model *m) {
    return m->config.inputs->options;
}

static struct matrix_request matrix(const json_t *options, size_t which) {
    if (which == 0) return method_matrix(options, which);
    return (struct matrix_request){.components = method_count(options, "hidden") / 2, .exact = true};
}

/* ---- parameters ---- */

static genair_code check(const struct model *m, size_t heads, genair_status *st) {
    const size_t d = m->config.hidden, h = d / 2;
    if (d % 2) return fail(st, GENAIR_USAGE, "--hidden %zu: llm-esr has two views of half of it, so it must be even", d);
    if (m->config.backbone != GRU4REC && h % m->config.n_heads)
        return fail(st, GENAIR_USAGE, "--heads %zu does not divide a view's width, %zu (half of --hidden)", m->config.n_heads, h);
    if (heads && h % heads)
        return fail(st, GENAIR_USAGE, "--esr-cross-heads %zu does not divide a view's width, %zu (half of --hidden)", heads, h);
    return GENAIR_OK;
}

static genair_code add_cross(struct model *m, const char *name, genair_status *st) {
    static const char *const parts[] = {"query", "key", "value"};
    char full[64];
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && i < COUNT(parts); i++) {
        snprintf(full, sizeof full, "%s.%s", name, parts[i]);
        code = add_matrix(m, full, m->width, m->width, 1, st);
    }
    snprintf(full, sizeof full, "%s.out", name);
    return code == GENAIR_OK ? add_linear(m, full, m->width, m->width, st) : code;
}

/* What training alone needs: the table of behaviour, the adapter of text, the similar users. */
static genair_code training_parameters(struct model *m, genair_status *st) {
    const struct method_inputs *in = m->config.inputs;
    genair_code code = add_table(m, "llm-esr.table", m->width, in->matrix[1].values, st);
    if (code == GENAIR_OK)
        code = add_adapter(m, ADAPTER, in->matrix[0].width, method_count(in->options, "esr-adapter"), m->width, st);
    return code == GENAIR_OK ? esr_teach(m, st) : code;
}

/* A finished run has both views of an item, and of the mask, as they are. */
static genair_code served_parameters(struct model *m, genair_status *st) {
    genair_code code = add_table(m, "item_emb", m->config.hidden, NULL, st);
    if (code == GENAIR_OK && m->config.backbone == BERT4REC) code = add_vector(m, "mask_vector", m->config.hidden, 0, st);
    return code;
}

static genair_code parameters(struct model *m, const float *semantic, genair_status *st) {
    (void)semantic;
    const json_t *options = options_of(m);
    const size_t heads = method_is(options, "esr-cross", "no") ? 0 : method_count(options, "esr-cross-heads");
    genair_code code = check(m, heads, st);
    if (code != GENAIR_OK) return code;
    struct esr *s = m->state = mem_zeros(1, sizeof *s);
    if (!s) return fail_memory(st);
    s->cross_heads = heads;
    m->width = m->config.hidden / 2;
    code = m->method == &method_llm_esr ? training_parameters(m, st) : served_parameters(m, st);
    if (code == GENAIR_OK && heads) code = add_cross(m, "cross1", st);
    if (code == GENAIR_OK && heads) code = add_cross(m, "cross2", st);
    return code;
}

static genair_code begin(struct model *m, genair_status *st) {
    (void)st;
    struct parameter *mask = parameters_find(m->parameters, "mask_emb");
    if (mask) parameter_fill(mask, 0);
    return GENAIR_OK;
}

static void release(struct model *m) {
    esr_free(m->state);
}

/* ---- both views ---- */

static struct tensor *items(struct model *m, struct tensor *behaviour, const uint32_t *ids) {
    const struct method_matrix *s = &m->config.inputs->matrix[0];
    struct tensor *text = model_constants(m, s->values, s->width, 1, ids, behaviour->rows);
    return op_beside(&m->tape, behaviour, adapter_of(m, ADAPTER, text));
}

/* Of the mask, text is 0. */
static struct tensor *mask_vector(struct model *m) {
    if (m->method != &method_llm_esr) return parameter_named(m, "mask_vector");
    return op_beside(&m->tape, parameter_named(m, "mask_emb"), adapter_of_zero(m, ADAPTER));
}

struct tensor *esr_cross(struct model *m, const char *name, struct tensor *asking, struct tensor *seen,
                         const uint32_t *offsets, size_t n_sequences) {
    struct tape *t = &m->tape;
    char out[64];
    snprintf(out, sizeof out, "%s.out", name);
    const struct attention a = {.q = op_linear(t, asking, parameter_named(m, "%s.query", name), NULL),
                                .kv = op_linear(t, seen, parameter_named(m, "%s.key", name), NULL),
                                .v = op_linear(t, seen, parameter_named(m, "%s.value", name), NULL),
                                .offsets = offsets,
                                .n_sequences = n_sequences,
                                .n_heads = state_of(m)->cross_heads,
                                .causal = m->config.causal};
    return a.v ? linear_named(m, op_attention(t, &a), out) : NULL;
}

static struct tensor *input(struct model *m, struct tensor *table, const uint32_t *index, const uint32_t *offsets,
                            size_t n_sequences) {
    struct tape *t = &m->tape;
    if (m->config.backbone == GRU4REC) return op_gather(t, table, NULL, index, offsets[n_sequences]);
    struct tensor *place = parameter_named(m, "pos_emb"), *mask = NULL;
    if (m->config.backbone == BERT4REC && !(mask = mask_vector(m))) return NULL;
    return op_embed(t, &(struct embedding){.table = table,
                                           .mask = mask,
                                           .position = op_beside(t, place, place),
                                           .index = index,
                                           .offsets = offsets,
                                           .n_sequences = n_sequences,
                                           .scale = sqrtf((float)m->width),
                                           .dropout = m->config.dropout});
}

static struct tensor *forward(struct model *m, struct tensor *table, const uint32_t *index, const uint32_t *offsets,
                              size_t n_sequences) {
    struct tape *t = &m->tape;
    const size_t h = m->width;
    struct tensor *x = input(m, table, index, offsets, n_sequences);
    struct tensor *behaviour = op_columns(t, x, 0, h), *text = op_columns(t, x, h, h);
    if (state_of(m)->cross_heads) {
        struct tensor *one = esr_cross(m, "cross1", text, behaviour, offsets, n_sequences);
        text = esr_cross(m, "cross2", behaviour, text, offsets, n_sequences);
        behaviour = one;
    }
    struct tensor *(*const states)(struct model *, struct tensor *, const uint32_t *, size_t) =
        m->config.backbone == GRU4REC ? gru4rec_states : transformer_states;
    struct tensor *left = states(m, behaviour, offsets, n_sequences);
    return op_beside(t, left, states(m, text, offsets, n_sequences));
}

/* Item vectors are finished; two passes, and two attentions of four products with squares of the width. */
static double flops(const struct model *m, size_t n) {
    const double w = (double)m->width, length = (double)n;
    const double pairs = m->config.causal ? length * (length + 1) / 2 : length * length;
    return 2 * backbone_flops(m, n) + (state_of(m)->cross_heads ? 2 * (8 * length * w * w + 4 * pairs * w) : 0);
}

static bool similar_users(const json_t *options) {
    return method_real(options, "esr-alpha") > 0 && !method_is(options, "esr-distill", "none");
}

static const struct method_default defaults[] = {{"semantic-components", "1536"}, {"semantic-scale", "unit"}, {0}};

static const struct method method_llm_esr_served = {.name = "llm-esr", .term = "self-distillation", .weight_options = "",
                                                    .parameters = parameters, .release = release, .forward = forward};

const struct method method_llm_esr = {.name = "llm-esr", .served = &method_llm_esr_served, .n_matrices = 2,
                                      .matrix = matrix, .similar_users = similar_users, .defaults = defaults,
                                      .term = "self-distillation", .weight_options = ", --esr-alpha, --esr-item-reg",
                                      .parameters = parameters, .begin = begin, .release = release, .items = items,
                                      .forward = forward, .begin_step = esr_begin_step, .loss = esr_loss,
                                      .mask_vector = mask_vector, .flops = flops};
