/* SPDX-License-Identifier: Apache-2.0 */
/* A model in one GGUF file: sizes under keys that begin with the architecture, "llama.block_count".
 */
#include "lm/weights_form.h"

#include "base/alloc.h"
#include "base/size.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static genair_code open_model(const char *path, void **form, genair_status *st) {
    struct gguf *g = NULL;
    const genair_code code = gguf_open(path, &g, st);
    if (code == GENAIR_OK) *form = g;
    return code;
}

static void close_model(void *form) {
    gguf_close(form);
}

/* ---- sizes ---- */

/* A key of the architecture's. */
struct key {
    char text[96];
};

static struct key key_of(const struct form_config *f, const char *name) {
    struct key key;
    snprintf(key.text, sizeof key.text, "%s.%s", lm_architecture_names[f->c.architecture], name);
    return key;
}

static genair_code read_size(const struct gguf *g, const struct form_config *f, const char *name,
                             bool required, size_t *out, genair_status *st) {
    uint64_t n = *out;
    const genair_code code = gguf_u64(g, key_of(f, name).text, required, &n, st);
    *out = (size_t)n;
    return code;
}

static genair_code read_sizes(const struct gguf *g, struct form_config *f, genair_status *st) {
    struct lm_config *c = &f->c;
    const struct {
        const char *name;
        size_t *out;
    } needed[] = {{"block_count", &c->n_layers},
                  {"embedding_length", &c->hidden},
                  {"attention.head_count", &c->n_heads},
                  {"feed_forward_length", &c->ffn},
                  {"context_length", &c->context}};
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0] && code == GENAIR_OK; i++)
        code = read_size(g, f, needed[i].name, true, needed[i].out, st);
    c->n_kv_heads = c->n_heads;
    if (code == GENAIR_OK)
        code = read_size(g, f, "attention.head_count_kv", false, &c->n_kv_heads, st);
    if (code == GENAIR_OK) code = read_size(g, f, "attention.key_length", false, &c->head_dim, st);
    return code;
}

/* Sizes that must be what the engine takes them for. */
static genair_code check_dims(const struct gguf *g, const struct form_config *f,
                              genair_status *st) {
    static const char *const names[] = {"attention.value_length", "rope.dimension_count"};
    const size_t head_dim = f->c.head_dim       ? f->c.head_dim
                            : f->c.n_heads != 0 ? f->c.hidden / f->c.n_heads
                                                : 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n = head_dim;
        const genair_code code = read_size(g, f, names[i], false, &n, st);
        if (code != GENAIR_OK) return code;
        if (n != head_dim)
            return fail_line(st, GENAIR_FORMAT, g->path, 0,
                             "\"%s\" is %zu where heads have %zu values: a variant that is not "
                             "known here",
                             key_of(f, names[i]).text, n, head_dim);
    }
    return GENAIR_OK;
}

/* The embedding has a row for each token; that the token list agrees is for both to say. */
static genair_code read_vocabulary(const struct gguf *g, struct form_config *f, genair_status *st) {
    const struct gguf_tensor *embedding = gguf_tensor(g, "token_embd.weight");
    const struct gguf_value *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    f->c.vocabulary = embedding ? embedding->dims[1] : 0;
    size_t n = f->c.vocabulary;
    if (!embedding)
        return fail_line(st, GENAIR_FORMAT, g->path, 0,
                         "tensor \"token_embd.weight\" is missing: the model is not complete");
    if (tokens && tokens->is_array && tokens->n != n)
        return fail_offset(st, GENAIR_FORMAT, g->path, tokens->offset,
                           "\"tokenizer.ggml.tokens\" lists %" PRIu64
                           " tokens, but \"token_embd.weight\" has %zu rows",
                           tokens->n, n);
    const genair_code code = read_size(g, f, "vocab_size", false, &n, st);
    if (code != GENAIR_OK || n == f->c.vocabulary) return code;
    return fail_line(st, GENAIR_FORMAT, g->path, 0,
                     "\"%s\" is %zu, but \"token_embd.weight\" has %zu rows",
                     key_of(f, "vocab_size").text, n, f->c.vocabulary);
}

static genair_code read_eos(const struct gguf *g, struct lm_config *c, genair_status *st) {
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && code == GENAIR_OK; i++) {
        uint64_t id = UINT64_MAX;
        code = gguf_u64(g, keys[i], false, &id, st);
        if (code == GENAIR_OK && gguf_find(g, keys[i]))
            code = lm_config_add_eos(c, id, g->path, st);
    }
    return code;
}

/* ---- what other models of these names have ---- */

/* Keys that change the numbers, each with the values that do not: files of converters carry those. */
static const struct neutral {
    const char *name;
    double values[2];
} neutral[] = {{"expert_count", {0, 0}},
               {"attention.scale", {0, 0}},
               {"attention.clamp_kqv", {0, 0}},
               {"attention.max_alibi_bias", {0, 0}},
               {"attn_logit_softcapping", {0, 0}},
               {"final_logit_softcapping", {0, 0}},
               {"embedding_scale", {0, 1}},
               {"residual_scale", {0, 1}},
               {"logit_scale", {0, 1}},
               {"rope.scaling.attn_factor", {1, 1}}};

static genair_code fail_variant(const struct gguf *g, const char *key, double found, genair_status *st) {
    return fail_offset(st, GENAIR_FORMAT, g->path, gguf_find(g, key)->offset, "\"%s\" is %g: a variant that is not known here", key, found);
}

static genair_code check_attention(const struct gguf *g, const struct form_config *f, genair_status *st) {
    const struct key window_key = key_of(f, "attention.sliding_window"), causal_key = key_of(f, "attention.causal");
    double window = 0;
    bool causal = true;
    genair_code code = gguf_f64(g, window_key.text, false, &window, st);
    if (code == GENAIR_OK && window != 0 && !(window >= (double)f->c.context))
        code = fail_variant(g, window_key.text, window, st);
    if (code == GENAIR_OK) code = gguf_bool(g, causal_key.text, false, &causal, st);
    return code == GENAIR_OK && !causal ? fail_variant(g, causal_key.text, 0, st) : code;
}

static genair_code check_variant(const struct gguf *g, const struct form_config *f, genair_status *st) {
    genair_code code = check_attention(g, f, st);
    for (size_t i = 0; i < COUNT(neutral) && code == GENAIR_OK; i++) {
        const struct neutral *n = &neutral[i];
        const struct key key = key_of(f, n->name);
        double value = n->values[0];
        code = gguf_f64(g, key.text, false, &value, st);
        if (code == GENAIR_OK && value != n->values[0] && value != n->values[1]) code = fail_variant(g, key.text, value, st);
    }
    return code;
}

/* ---- numbers ---- */

/* A factor alone is of type linear. */
static genair_code read_scaling(const struct gguf *g, struct form_config *f, genair_status *st) {
    const struct key type_key = key_of(f, "rope.scaling.type"),
                     factor_key = key_of(f, "rope.scaling.factor"),
                     old_key = key_of(f, "rope.scale_linear");
    struct text type = text_of(gguf_find(g, factor_key.text) || gguf_find(g, old_key.text) ? "linear" : "none");
    char found[TEXT_EXCERPT];
    genair_code code = gguf_text(g, type_key.text, false, &type, st);
    if (code != GENAIR_OK || text_equal(type, "none")) return code;
    text_excerpt(type, found);
    if (!text_equal(type, "linear"))
        return fail_line(st, GENAIR_FORMAT, g->path, 0,
                         "\"%s\" is \"%s\"; known are none and linear, and Llama 3's factors as "
                         "\"rope_freqs.weight\"",
                         type_key.text, found);
    f->rope.kind = ROPE_LINEAR;
    const char *key = gguf_find(g, factor_key.text) ? factor_key.text : old_key.text;
    code = gguf_f64(g, key, true, &f->rope.factor, st);
    if (code == GENAIR_OK && !(f->rope.factor > 0 && isfinite(f->rope.factor)))
        code = fail_line(st, GENAIR_FORMAT, g->path, 0, "\"%s\" is %g, expected a number above 0", key, f->rope.factor);
    return code;
}

static genair_code read_numbers(const struct gguf *g, struct form_config *f, genair_status *st) {
    double eps = 0;
    f->c.rope_base = 10000;
    genair_code code =
        gguf_f64(g, key_of(f, "attention.layer_norm_rms_epsilon").text, true, &eps, st);
    if (code == GENAIR_OK)
        code = gguf_f64(g, key_of(f, "rope.freq_base").text, false, &f->c.rope_base, st);
    if (code == GENAIR_OK) code = read_scaling(g, f, st);
    f->c.norm_eps = (float)eps;
    return code;
}

static genair_code check_whole(const struct gguf *g, genair_status *st) {
    uint64_t n_parts = 1;
    const genair_code code = gguf_u64(g, "split.count", false, &n_parts, st);
    if (code != GENAIR_OK || n_parts <= 1) return code;
    return fail_line(
        st, GENAIR_FORMAT, g->path, 0,
        "one of %" PRIu64 " parts of a model; join them first (llama-gguf-split --merge)", n_parts);
}

static genair_code config(const void *form, struct form_config *f, genair_status *st) {
    const struct gguf *g = form;
    struct text architecture = {"", 0};
    genair_code code = check_whole(g, st);
    if (code == GENAIR_OK) code = gguf_text(g, "general.architecture", true, &architecture, st);
    if (code == GENAIR_OK) code = lm_config_architecture(&f->c, architecture, g->path, st);
    if (code == GENAIR_OK) code = read_sizes(g, f, st);
    if (code == GENAIR_OK) code = check_dims(g, f, st);
    if (code == GENAIR_OK) code = read_vocabulary(g, f, st);
    if (code == GENAIR_OK) code = check_variant(g, f, st);
    if (code == GENAIR_OK) code = read_numbers(g, f, st);
    if (code == GENAIR_OK) code = read_eos(g, &f->c, st);
    return code;
}

/* ---- tensors ---- */

static size_t count(const void *form) {
    const struct gguf *g = form;
    return g->n_tensors;
}

static bool find(const void *form, const char *name, size_t *i) {
    const struct gguf *g = form;
    const struct gguf_tensor *t = gguf_tensor(g, name);
    if (t) *i = (size_t)(t - g->tensors);
    return t != NULL;
}

static struct text name_of(const void *form, size_t i) {
    const struct gguf *g = form;
    return g->tensors[i].name;
}

static genair_code tensor(const void *form, size_t i, struct form_tensor *out, genair_status *st) {
    const struct gguf *g = form;
    const struct gguf_tensor *t = &g->tensors[i];
    (void)st;
    *out = (struct form_tensor){.type = t->type, .n_dims = t->n_dims, .offset = t->offset};
    out->dims[0] = t->n_dims == 1 ? t->dims[0] : t->dims[1];
    out->dims[1] = t->n_dims == 1 ? 1 : t->dims[0];
    return GENAIR_OK;
}

static genair_code read_data(const void *form, int file, uint64_t offset, void *out, size_t size,
                             genair_status *st) {
    (void)file; /* there is one */
    return gguf_read(form, offset, out, size, st);
}

const struct weights_form weights_gguf_form = {
    .column = 0,
    .open = open_model,
    .close = close_model,
    .config = config,
    .count = count,
    .find = find,
    .name = name_of,
    .tensor = tensor,
    .read = read_data,
};
