/* SPDX-License-Identifier: Apache-2.0 */
/* This module makes small models of random weights in memory. */
#ifndef GENAIR_TESTS_LM_MADE_MODEL_H
#define GENAIR_TESTS_LM_MADE_MODEL_H

#include "base/rng.h"
#include "lm/engine.h"

#include <stdio.h>
#include <string.h>

enum { MADE_LAYERS = 2, MADE_HIDDEN = 256, MADE_HEADS = 6, MADE_KV_HEADS = 2, MADE_HEAD = 24, MADE_FFN = 512,
       MADE_VOCABULARY = 150, MADE_CONTEXT = 96 };

struct made_model {
    struct lm_weights weights;
    struct lm_layer layers[MADE_LAYERS];
    float divisors[MADE_HEAD / 2];
};

/* Random blocks with small scales; a vector's values are near 1. source: not used. */
static inline genair_code made_read(const void *source, const struct lm_tensor *t, size_t first, size_t n_rows, void *out,
                                    genair_status *st) {
    (void)source;
    (void)st;
    const struct lm_type_traits *traits = &lm_types[t->type];
    unsigned char *to = out;
    for (size_t r = 0; r < n_rows; r++)
        for (size_t at = 0; at < t->row_bytes; at += traits->block_bytes, to += traits->block_bytes) {
            struct rng rng = rng_start(1, RNG_TEST, t->offset + (first + r) * t->row_bytes + at);
            for (size_t i = 0; i < traits->block_bytes; i++) to[i] = (unsigned char)rng_u32(&rng);
            if (t->type == LM_F32) {
                const float x = (float)((t->rows == 1 ? 1 : 0) + 0.1 * rng_normal(&rng));
                memcpy(to, &x, sizeof x);
            } else if (traits->block_values == 1) {
                to[1] = t->type == LM_F16 ? (unsigned char)(0x28 | (to[1] & 0x83)) : (unsigned char)(0x3D | (to[1] & 0x80));
            }
            for (size_t i = 0; i < 2; i++)
                if (traits->scales[i] >= 0) to[traits->scales[i] + 1] = 0x14; /* about 0.001 */
        }
    return GENAIR_OK;
}

static inline struct lm_tensor made_tensor(struct lm_weights *w, enum lm_type type, size_t rows, size_t cols) {
    struct lm_tensor t = {.name = "made", .type = type, .rows = rows, .cols = cols, .offset = w->output.offset};
    if (!lm_row_bytes(type, cols, &t.row_bytes)) memset(&t, 0, sizeof t);
    w->output.offset += rows * t.row_bytes; /* where the next one goes */
    return t;
}

/* A layer has k-quants where rows are 256 wide; other matrices have type. */
static inline void made_model(struct made_model *m, enum lm_type type, bool biases, bool pairs) {
    const size_t heads = MADE_HEADS * MADE_HEAD, kv = MADE_KV_HEADS * MADE_HEAD;
    /* the output of attention is 144 wide: blocks of 256 do not fit, nor do those of 32 */
    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < MADE_HEAD / 2; i++) m->divisors[i] = 1 + (float)i;
    m->weights.config = (struct lm_config){
        .architecture = biases ? LM_QWEN2 : LM_LLAMA, .n_layers = MADE_LAYERS, .hidden = MADE_HIDDEN, .n_heads = MADE_HEADS,
        .n_kv_heads = MADE_KV_HEADS, .head_dim = MADE_HEAD, .ffn = MADE_FFN, .vocabulary = MADE_VOCABULARY,
        .context = MADE_CONTEXT, .norm_eps = 1e-5f, .rope_base = 1e4, .rope_divisors = m->divisors, .n_eos = 1, .eos = {7}};
    struct lm_weights *w = &m->weights;
    w->layers = m->layers;
    w->rope_pairs = pairs;
    w->tied = biases;
    w->path = "made";
    w->embedding = made_tensor(w, type, MADE_VOCABULARY, MADE_HIDDEN);
    w->final_norm = made_tensor(w, LM_F32, 1, MADE_HIDDEN);
    for (size_t i = 0; i < MADE_LAYERS; i++) {
        struct lm_layer *l = &m->layers[i];
        l->attn_norm = made_tensor(w, LM_F32, 1, MADE_HIDDEN);
        l->ffn_norm = made_tensor(w, LM_F32, 1, MADE_HIDDEN);
        l->q = made_tensor(w, type, heads, MADE_HIDDEN);
        l->k = made_tensor(w, type, kv, MADE_HIDDEN);
        l->v = made_tensor(w, type, kv, MADE_HIDDEN);
        l->out = made_tensor(w, LM_F32, MADE_HIDDEN, heads);
        l->gate = made_tensor(w, type, MADE_FFN, MADE_HIDDEN);
        l->up = made_tensor(w, type, MADE_FFN, MADE_HIDDEN);
        l->down = made_tensor(w, type, MADE_HIDDEN, MADE_FFN);
        if (!biases) continue;
        l->q_bias = made_tensor(w, LM_F32, 1, heads);
        l->k_bias = made_tensor(w, LM_F32, 1, kv);
        l->v_bias = made_tensor(w, LM_F32, 1, kv);
    }
    const struct lm_tensor output = made_tensor(w, type, MADE_VOCABULARY, MADE_HIDDEN);
    w->output = w->tied ? w->embedding : output;
}

#endif
