/* SPDX-License-Identifier: Apache-2.0 */
/* SASRec (Kang and McAuley, 2018) and BERT4Rec (Sun et al., 2019): the same blocks, causal or full.
 *
 *     x = dropout(sqrt(d) e + position)
 *     block:  q = LN(x)   y = LN(q + MHA(q, x, x))   x = y + dropout(W2 relu(dropout(W1 y)))
 *     h = LN(x)
 *
 * Keys and values come from the un-normalised x, and the residuals add the normalised q and y. */
#include "model/backbones.h"
#include "tensor/ops.h"

#include <math.h>
#include <stdio.h>

#define SEQUENCE_EPS 1e-8f
/* What a block adds starts small, so that at first a history is read by its last item: docs/decisions.md. */
#define BRANCH_GAIN 0.1f

static genair_code block_parameters(struct model *m, size_t layer, genair_status *st) {
    const size_t d = m->width;
    const struct {
        const char *name;
        size_t rows; /* 0: a vector of cols filled with value, else value is the gain of the draw */
        size_t cols;
        float value;
    } list[] = {
        {"attn_ln.weight", 0, d, 1},       {"attn_ln.bias", 0, d, 0},
        {"attn.in_proj.weight", 3 * d, d, 1}, {"attn.in_proj.bias", 0, 3 * d, 0},
        {"attn.out_proj.weight", d, d, BRANCH_GAIN}, {"attn.out_proj.bias", 0, d, 0},
        {"ffn_ln.weight", 0, d, 1},        {"ffn_ln.bias", 0, d, 0},
        {"ffn.w1.weight", d, d, BRANCH_GAIN},        {"ffn.w1.bias", 0, d, 0},
        {"ffn.w2.weight", d, d, BRANCH_GAIN},        {"ffn.w2.bias", 0, d, 0},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "block%zu.%s", layer, list[i].name);
        const genair_code code = list[i].rows ? add_matrix(m, name, list[i].rows, list[i].cols, (double)list[i].value, st)
                                              : add_vector(m, name, list[i].cols, list[i].value, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

genair_code transformer_parameters(struct model *m, genair_status *st) {
    const size_t d = m->width;
    genair_code code = add_matrix(m, "pos_emb", m->config.n_positions, d, 1, st);
    if (code == GENAIR_OK && m->config.backbone == BERT4REC) {
        code = add_matrix(m, "mask_emb", 1, d, 1, st);
    }
    for (size_t layer = 0; code == GENAIR_OK && layer < m->config.n_layers; layer++)
        code = block_parameters(m, layer, st);
    if (code == GENAIR_OK) code = add_vector(m, "final_ln.weight", d, 1, st);
    if (code == GENAIR_OK) code = add_vector(m, "final_ln.bias", d, 0, st);
    return code;
}

static struct tensor *norm(struct model *m, struct tensor *x, const char *prefix) {
    return op_layernorm(&m->tape, x, parameter_named(m, "%s.weight", prefix),
                        parameter_named(m, "%s.bias", prefix), SEQUENCE_EPS);
}

/* Query, or key and value, of the joint projection: rows of its weights, columns of its bias. */
enum part { QUERY, KEY_AND_VALUE };

struct slice {
    struct tensor *whole, *part;
};

/* Runs after the backward of what reads the part. Both parts of a joint parameter are written in the same
 * step, or, without targets, neither. */
static void slice_backward(void *node) {
    const struct slice *s = node;
    if (s->part->written) s->whole->written = true;
}

/* The same tensor when asked again: what several passes of a step contribute adds up. */
static struct tensor *slice(struct model *m, const char *name, enum part part) {
    struct parameter *p = parameters_find(m->parameters, name);
    struct tensor *whole = parameter_tensor(&m->tape, p);
    if (p->part[part] || !whole) return p->part[part];
    const bool by_row = whole->rows > 1;
    const size_t d = m->width, first = part == QUERY ? 0 : d, n = part == QUERY ? d : 2 * d;
    const size_t at = by_row ? first * whole->cols : first;
    struct slice *s = tape_array(&m->tape, 1, sizeof *s);
    p->part[part] = tape_view(&m->tape, by_row ? n : 1, by_row ? whole->cols : n, whole->value + at,
                              whole->gradient ? whole->gradient + at : NULL);
    if (!s || !p->part[part]) return NULL;
    *s = (struct slice){whole, p->part[part]};
    tape_push(&m->tape, slice_backward, s);
    return p->part[part];
}

static struct tensor *project(struct model *m, struct tensor *x, size_t layer, enum part part) {
    char weight[64], bias[64];
    snprintf(weight, sizeof weight, "block%zu.attn.in_proj.weight", layer);
    snprintf(bias, sizeof bias, "block%zu.attn.in_proj.bias", layer);
    struct tensor *w = slice(m, weight, part), *b = slice(m, bias, part);
    return b ? op_linear(&m->tape, x, w, b) : NULL; /* without b, memory is out */
}

/* The rows that are read of the last block's attention and its residual: all, or those that m->read names. */
static struct tensor *wanted(struct model *m, struct tensor *x, size_t layer) {
    const bool some = m->read && layer + 1 == m->config.n_layers;
    return some && x ? op_gather(&m->tape, x, NULL, m->read, m->n_read) : x;
}

static struct tensor *block(struct model *m, struct tensor *x, size_t layer, const uint32_t *offsets,
                            size_t n_sequences) {
    struct tape *t = &m->tape;
    const double dropout = m->config.dropout;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "block%zu.attn_ln", layer);
    struct tensor *q = norm(m, x, prefix);
    const struct attention attention = {.q = project(m, q, layer, QUERY),
                                        .kv = project(m, x, layer, KEY_AND_VALUE),
                                        .offsets = offsets,
                                        .n_sequences = n_sequences,
                                        .n_heads = m->config.n_heads,
                                        .causal = m->config.causal,
                                        .dropout = dropout};
    snprintf(prefix, sizeof prefix, "block%zu.attn.out_proj", layer);
    struct tensor *seen = wanted(m, op_attention(t, &attention), layer);
    struct tensor *a = op_add(t, linear_named(m, seen, prefix), wanted(m, q, layer));
    snprintf(prefix, sizeof prefix, "block%zu.ffn_ln", layer);
    struct tensor *y = norm(m, a, prefix);
    snprintf(prefix, sizeof prefix, "block%zu.ffn.w1", layer);
    struct tensor *hidden = op_dropout_relu(t, linear_named(m, y, prefix), dropout);
    snprintf(prefix, sizeof prefix, "block%zu.ffn.w2", layer);
    return op_dropout_add(t, linear_named(m, hidden, prefix), dropout, y);
}

struct tensor *transformer_states(struct model *m, struct tensor *x, const uint32_t *offsets, size_t n_sequences) {
    for (size_t layer = 0; layer < m->config.n_layers; layer++) x = block(m, x, layer, offsets, n_sequences);
    return norm(m, x, "final_ln");
}

struct tensor *transformer_forward(struct model *m, struct tensor *table, const uint32_t *index,
                                   const uint32_t *offsets, size_t n_sequences) {
    const struct embedding e = {.table = table,
                                .mask = m->config.backbone == BERT4REC ? parameter_named(m, "mask_emb") : NULL,
                                .position = parameter_named(m, "pos_emb"),
                                .index = index,
                                .offsets = offsets,
                                .n_sequences = n_sequences,
                                .scale = m->config.input_scale > 0 ? (float)m->config.input_scale
                                                                   : sqrtf((float)m->width),
                                .dropout = m->config.dropout};
    return transformer_states(m, op_embed(&m->tape, &e), offsets, n_sequences);
}
