/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/size.h"
#include "lm/forward.h"

#include <string.h>

struct loading {
    genair_context *ctx;
    lm_reader *read;
    const void *source;
    struct model_lm *m;
    genair_status *st;
    double bytes, all_bytes;
};

static double bytes_of(const struct lm_tensor *t) {
    return (double)t->rows * (double)t->row_bytes;
}

static genair_code load_matrix(struct loading *l, const struct lm_tensor *t, bool pairs, struct matrix *out) {
    if (context_stopped(l->ctx)) return context_interrupted(l->st);
    l->bytes += bytes_of(t);
    context_progress(l->ctx, "reading the model", l->bytes, l->all_bytes);
    return matrix_load(l->m->parallel, l->read, l->source, t, pairs ? l->m->config.head_dim : 0, out, l->st);
}

/* A vector as floats; NULL in *out where the model has none. */
static genair_code load_vector(const struct loading *l, const struct lm_tensor *t, bool pairs, float **out) {
    if (t->rows == 0) return GENAIR_OK;
    const size_t width = l->m->config.head_dim;
    unsigned char *raw = mem_array(t->row_bytes, 1);
    float *values = mem_array(t->cols, sizeof *values);
    *out = mem_array(t->cols, sizeof **out);
    genair_code code = raw && values && *out ? l->read(l->source, t, 0, 1, raw, l->st) : fail_memory(l->st);
    if (code == GENAIR_OK) {
        lm_types[t->type].decode(raw, t->cols / lm_types[t->type].block_values, values);
        for (size_t i = 0; i < t->cols; i++) {
            const size_t head = i / width * width, at = i % width, half = width / 2;
            (*out)[i] = values[!pairs ? i : head + (at < half ? 2 * at : 2 * (at - half) + 1)];
        }
    }
    mem_free(raw);
    mem_free(values);
    return code;
}

static genair_code load_layer(struct loading *l, const struct lm_layer *from, bool pairs, struct layer *to) {
    const struct {
        const struct lm_tensor *t;
        bool pairs;
        float **out;
    } vectors[] = {
        {&from->attn_norm, false, &to->attn_norm}, {&from->ffn_norm, false, &to->ffn_norm}, {&from->q_bias, pairs, &to->q_bias},
        {&from->k_bias, pairs, &to->k_bias},       {&from->v_bias, false, &to->v_bias},
    };
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && i < LAYER_MATRICES; i++)
        code = load_matrix(l, &from->matrices[i], pairs && i < 2 /* q, k */, &to->matrices[i]);
    for (size_t i = 0; code == GENAIR_OK && i < COUNT(vectors); i++)
        code = load_vector(l, vectors[i].t, vectors[i].pairs, vectors[i].out);
    return code;
}

static double all_bytes(const struct lm_weights *w) {
    double sum = bytes_of(&w->embedding) + (w->tied ? 0 : bytes_of(&w->output));
    for (size_t i = 0; i < w->config.n_layers; i++)
        for (size_t j = 0; j < LAYER_MATRICES; j++) sum += bytes_of(&w->layers[i].matrices[j]);
    return sum;
}

genair_code model_lm_load(genair_context *ctx, const struct lm_weights *w, lm_reader *read, const void *source,
                          struct model_lm *out, genair_status *st) {
    struct loading l = {ctx, read, source, out, st, 0, all_bytes(w)};
    const size_t n_divisors = w->config.head_dim / 2;
    out->config = w->config;
    out->config.n_layers = 0; /* as many as are there to be freed */
    out->parallel = context_parallel(ctx);
    out->rope_divisors = mem_array(n_divisors, sizeof(float));
    out->layers = mem_zeros(w->config.n_layers, sizeof *out->layers);
    if (!out->rope_divisors || !out->layers) return fail_memory(st);
    memcpy(out->rope_divisors, w->config.rope_divisors, n_divisors * sizeof(float));
    out->config.rope_divisors = out->rope_divisors;
    out->config.n_layers = w->config.n_layers;
    genair_code code = load_matrix(&l, &w->embedding, false, &out->embedding);
    if (code == GENAIR_OK && !w->tied) code = load_matrix(&l, &w->output, false, &out->output);
    if (code == GENAIR_OK) code = load_vector(&l, &w->final_norm, false, &out->final_norm);
    for (size_t i = 0; code == GENAIR_OK && i < w->config.n_layers; i++)
        code = load_layer(&l, &w->layers[i], w->rope_pairs, &out->layers[i]);
    return code;
}

void model_lm_free(struct model_lm *m) {
    for (size_t i = 0; m->layers && i < m->config.n_layers; i++) {
        struct layer *l = &m->layers[i];
        float *const vectors[] = {l->attn_norm, l->ffn_norm, l->q_bias, l->k_bias, l->v_bias};
        for (size_t j = 0; j < LAYER_MATRICES; j++) matrix_free(&l->matrices[j]);
        for (size_t j = 0; j < COUNT(vectors); j++) mem_free(vectors[j]);
    }
    matrix_free(&m->embedding);
    matrix_free(&m->output);
    mem_free(m->final_norm);
    mem_free(m->layers);
    mem_free(m->rope_divisors);
}

uint64_t model_lm_bytes(const struct model_lm *m) {
    uint64_t bytes = matrix_bytes(&m->embedding) + matrix_bytes(&m->output);
    for (size_t i = 0; i < m->config.n_layers; i++)
        for (size_t j = 0; j < LAYER_MATRICES; j++) bytes += matrix_bytes(&m->layers[i].matrices[j]);
    return bytes;
}
