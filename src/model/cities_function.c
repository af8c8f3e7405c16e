/* SPDX-License-Identifier: Apache-2.0 */
/* F of CITIES (Jang et al., 2020): contexts of an item to a vector.
 *
 *     x = dropout(a_slot e + place)           of each token; a starts at 1
 *     context encoder over each context's tokens, their mean; then the same over an item's contexts; then a linear layer
 *     layer: x = LN(x + dropout(MHA(x)))      x = LN(x + dropout(W2 dropout(relu(W1 x))))
 *
 * The published layer norm divides by the deviation with n - 1, and adds 1e-6 to that. sqrt(variance + 1e-12) with n is the
 * same up to a factor of sqrt((n - 1) / n), which the gain starts at, and a millionth where the deviation is about 1. */
#include "model/cities.h"

#include "model/backbones.h"
#include "tensor/ops.h"

#include <math.h>
#include <stdio.h>

#define CITIES_EPS 1e-12f

enum { NAME = 64 };

static const char *name_of(char out[NAME], const char *stack, size_t layer, const char *part) {
    snprintf(out, NAME, "cities.%s%zu.%s", stack, layer, part);
    return out;
}

/* As PyTorch draws a linear layer. */
static genair_code add_uniform(struct model *m, const char *name, size_t out, size_t in, genair_status *st) {
    const char *const parts[] = {"weight", "bias"};
    genair_code code = GENAIR_OK;
    for (int i = 0; code == GENAIR_OK && i < 2; i++) {
        char part[NAME];
        struct parameter *p;
        snprintf(part, sizeof part, "%.50s.%s", name, parts[i]);
        code = parameters_add(m->parameters, part, i ? 1 : out, i ? out : in, false, &p, st);
        if (code == GENAIR_OK) parameter_uniform(p, 1 / sqrt((double)in), m->seed);
    }
    return code;
}

static genair_code layer_parameters(struct model *m, const char *stack, size_t layer, genair_status *st) {
    const size_t d = m->config.hidden;
    const struct {
        const char *name;
        size_t out, in; /* in 0: a vector of out, all of them fill */
        double fill;
    } list[] = {{"query", d, d, 0},   {"key_value", 2 * d, d, 0}, {"attended", d, d, 0},
                {"widen", 2 * d, d, 0}, {"narrow", d, 2 * d, 0},
                {"norm1.weight", d, 0, sqrt((double)(d - 1) / (double)d)}, {"norm1.bias", d, 0, 0},
                {"norm2.weight", d, 0, sqrt((double)(d - 1) / (double)d)}, {"norm2.bias", d, 0, 0}};
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && i < sizeof list / sizeof list[0]; i++) {
        char name[NAME];
        name_of(name, stack, layer, list[i].name);
        code = list[i].in ? add_uniform(m, name, list[i].out, list[i].in, st)
                          : add_vector(m, name, list[i].out, (float)list[i].fill, st);
    }
    return code;
}

genair_code cities_parameters(struct model *m, genair_status *st) {
    const struct cities *s = m->state;
    genair_code code = add_vector(m, "cities.slots", 2 * s->window + 1, 1, st);
    for (size_t i = 0; code == GENAIR_OK && i < s->n_layers; i++) code = layer_parameters(m, "context", i, st);
    for (size_t i = 0; code == GENAIR_OK && i < s->n_layers; i++) code = layer_parameters(m, "group", i, st);
    return code == GENAIR_OK ? add_uniform(m, "cities.out", m->config.hidden, m->config.hidden, st) : code;
}

static struct tensor *norm(struct model *m, struct tensor *x, const char *name) {
    return op_layernorm(&m->tape, x, parameter_named(m, "%s.weight", name), parameter_named(m, "%s.bias", name), CITIES_EPS);
}

static struct tensor *layer(struct model *m, const char *stack, size_t i, struct tensor *x, const uint32_t *offsets,
                            size_t n_sequences) {
    const struct cities *s = m->state;
    struct tape *t = &m->tape;
    char name[NAME];
    const struct attention attention = {.q = linear_named(m, x, name_of(name, stack, i, "query")),
                                        .kv = linear_named(m, x, name_of(name, stack, i, "key_value")),
                                        .offsets = offsets,
                                        .n_sequences = n_sequences,
                                        .n_heads = s->n_heads,
                                        .dropout = s->attention_dropout};
    struct tensor *a = linear_named(m, op_attention(t, &attention), name_of(name, stack, i, "attended"));
    x = norm(m, op_dropout_add(t, a, s->dropout, x), name_of(name, stack, i, "norm1"));
    struct tensor *wide = op_dropout_relu(t, linear_named(m, x, name_of(name, stack, i, "widen")), s->dropout);
    struct tensor *f = linear_named(m, wide, name_of(name, stack, i, "narrow"));
    return norm(m, op_dropout_add(t, f, s->dropout, x), name_of(name, stack, i, "norm2"));
}

struct tensor *cities_infer(struct model *m, const struct cities_sample *sample) {
    const struct cities *s = m->state;
    struct tape *t = &m->tape;
    const size_t d = m->config.hidden;
    const struct parameter *mask = parameters_find(m->parameters, "mask_emb");
    const float *table = m->fused - d; /* by item, row 0 zeros: the mask of models without one */
    struct tensor *x = op_slots(t, &(struct slots){.table = table, .mask = mask ? mask->value : table, .shift = s->places,
                                                   .width = d, .gain = parameter_named(m, "cities.slots"),
                                                   .index = sample->item, .slot = sample->slot, .n = sample->n_tokens});
    x = op_dropout_scaled(t, x, s->dropout, 1);
    for (size_t i = 0; i < s->n_layers; i++) x = layer(m, "context", i, x, sample->offsets, sample->n_contexts);
    x = op_gather(t, op_group_mean(t, x, sample->offsets, sample->n_contexts, 1), NULL, sample->drawn, sample->n_drawn);
    for (size_t i = 0; i < s->n_layers; i++) x = layer(m, "group", i, x, sample->group, sample->n_items);
    return linear_named(m, op_group_mean(t, x, sample->group, sample->n_items, 1), "cities.out");
}
