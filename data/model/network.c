/* SPDX-License-Identifier: Apache-2.0 */
#include "network.h"

#include "pieces.h"

#include "base/alloc.h"
#include "base/size.h"
#include "lm/block.h"
#include "lm/gguf_write.h"

#include <stdio.h>

/* How parameters start: gains at 1, matrices as parameter_xavier_normal draws them, but what is added to the residual
 * stream ten times smaller and the embedding three times larger: else a token is lost under the first blocks' noise, and
 * the model learns for long what answers look like before it looks at the question. */
#define START_GAIN 0
#define START_MATRIX 1
#define START_ADDED 0.1
#define START_EMBEDDING 3
#define START_HANDED_ON 0.25F

struct place {
    struct parameter **to;
    const char *name;
    size_t rows, cols;
    double start;
};

static genair_code add(struct network *n, const char *prefix, const struct place *p, uint64_t seed, genair_status *st) {
    char name[64];
    snprintf(name, sizeof name, "%s%s", prefix, p->name);
    const genair_code code = parameters_add(n->parameters, name, p->rows, p->cols, false, p->to, st);
    if (code != GENAIR_OK) return code;
    if (p->start > 0)
        parameter_xavier_normal(*p->to, p->start, seed);
    else
        parameter_fill(*p->to, 1);
    return GENAIR_OK;
}

/* Attention starts by handing on the mean of what it looks at: W_out = share W_v^T, whose product with W_v is near the
 * identity. */
static void hand_on(const struct network_layer *a, size_t d) {
    const float *values = a->kv->value + d * d;
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++) a->out->value[i * d + j] = START_HANDED_ON * values[j * d + i];
}

genair_code network_init(struct network *n, const struct network_sizes *sizes, struct parameters *parameters,
                         uint64_t seed, genair_status *st) {
    *n = (struct network){.sizes = *sizes, .parameters = parameters};
    const size_t d = sizes->hidden;
    const struct place outer[] = {{&n->embedding, "token_embd", sizes->vocabulary, d, START_EMBEDDING},
                                  {&n->final_norm, "output_norm", 1, d, START_GAIN}};
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < COUNT(outer) && code == GENAIR_OK; i++) code = add(n, "", &outer[i], seed, st);
    for (size_t l = 0; l < sizes->n_layers; l++) {
        struct network_layer *a = &n->layers[l];
        const struct place inner[] = {{&a->attention_norm, "attn_norm", 1, d, START_GAIN},
                                      {&a->q, "attn_q", d, d, START_MATRIX},
                                      {&a->kv, "attn_kv", 2 * d, d, START_MATRIX},
                                      {&a->out, "attn_output", d, d, START_ADDED},
                                      {&a->ffn_norm, "ffn_norm", 1, d, START_GAIN},
                                      {&a->gate, "ffn_gate", sizes->ffn, d, START_MATRIX},
                                      {&a->up, "ffn_up", sizes->ffn, d, START_MATRIX},
                                      {&a->down, "ffn_down", d, sizes->ffn, START_ADDED}};
        char prefix[32];
        snprintf(prefix, sizeof prefix, "blk.%zu.", l);
        for (size_t i = 0; i < COUNT(inner) && code == GENAIR_OK; i++) code = add(n, prefix, &inner[i], seed, st);
        if (code == GENAIR_OK) hand_on(a, d);
    }
    return code;
}

static struct projection matrix(struct tape *t, struct parameter *w) {
    return (struct projection){.w = parameter_tensor(t, w)};
}

struct tensor *network_forward(const struct network *n, struct tape *t, const uint32_t *tokens, const uint32_t *offsets,
                               size_t n_sequences) {
    const struct network_sizes *s = &n->sizes;
    const struct block_shape shape = {.n_heads = s->n_heads, .n_kv_heads = s->n_heads, .head_dim = s->hidden / s->n_heads,
                                      .norm_eps = s->norm_eps, .rope_base = s->rope_base};
    struct tensor *x = op_gather(t, parameter_tensor(t, n->embedding), NULL, tokens, offsets[n_sequences]);
    for (size_t l = 0; l < s->n_layers; l++) {
        const struct network_layer *a = &n->layers[l];
        const struct block block = {.attention_norm = parameter_tensor(t, a->attention_norm),
                                    .ffn_norm = parameter_tensor(t, a->ffn_norm), .q = matrix(t, a->q),
                                    .k = matrix(t, a->kv), .out = matrix(t, a->out), .gate = matrix(t, a->gate),
                                    .up = matrix(t, a->up), .down = matrix(t, a->down)};
        x = block_forward(t, &block, &shape, x, offsets, n_sequences);
    }
    return op_rmsnorm(t, x, parameter_tensor(t, n->final_norm), s->norm_eps);
}

/* ---- GGUF ---- */

static void write_sizes(struct gguf_writer *w, const struct network_sizes *s) {
    const struct {
        const char *key;
        size_t value;
    } sizes[] = {{"llama.vocab_size", s->vocabulary},
                 {"llama.context_length", s->context},
                 {"llama.embedding_length", s->hidden},
                 {"llama.block_count", s->n_layers},
                 {"llama.feed_forward_length", s->ffn},
                 {"llama.attention.head_count", s->n_heads},
                 {"llama.attention.head_count_kv", s->n_heads},
                 {"llama.rope.dimension_count", s->hidden / s->n_heads}};
    gguf_put_text(w, "general.architecture", "llama");
    gguf_put_text(w, "general.name", "archetype-tiny");
    gguf_put_text(w, "general.license", "apache-2.0");
    for (size_t i = 0; i < COUNT(sizes); i++) gguf_put_u32(w, sizes[i].key, (uint32_t)sizes[i].value);
    gguf_put_f32(w, "llama.attention.layer_norm_rms_epsilon", s->norm_eps);
    gguf_put_f32(w, "llama.rope.freq_base", (float)s->rope_base);
}

/* Numbers that GGUF files give to kinds of tokens. */
enum { KIND_NORMAL = 1, KIND_UNKNOWN = 2, KIND_CONTROL = 3, KIND_BYTE = 6 };

static genair_code write_vocabulary(struct gguf_writer *w, const struct pieces *v, genair_status *st) {
    const size_t n = pieces_size(v);
    struct text *pieces = mem_array(n, sizeof *pieces);
    float *scores = mem_array(n, sizeof *scores);
    int32_t *kinds = mem_array(n, sizeof *kinds);
    if (pieces && scores && kinds) {
        for (uint32_t i = 0; i < n; i++) {
            pieces[i] = pieces_text(v, i);
            scores[i] = i < TOKEN_FIRST_PIECE ? 0 : -(float)(i - TOKEN_FIRST_PIECE);
            kinds[i] = i == TOKEN_UNKNOWN ? KIND_UNKNOWN : i < TOKEN_FIRST_BYTE ? KIND_CONTROL
                       : i < TOKEN_FIRST_PIECE ? KIND_BYTE : KIND_NORMAL;
        }
        gguf_put_text(w, "tokenizer.ggml.model", "llama");
        gguf_put_texts(w, "tokenizer.ggml.tokens", pieces, n);
        gguf_put_f32s(w, "tokenizer.ggml.scores", scores, n);
        gguf_put_i32s(w, "tokenizer.ggml.token_type", kinds, n);
        gguf_put_u32(w, "tokenizer.ggml.bos_token_id", TOKEN_BEGIN);
        gguf_put_u32(w, "tokenizer.ggml.eos_token_id", TOKEN_END);
        gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", TOKEN_UNKNOWN);
        gguf_put_bool(w, "tokenizer.ggml.add_bos_token", true);
        gguf_put_bool(w, "tokenizer.ggml.add_eos_token", false);
        gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", true);
    }
    const bool complete = pieces && scores && kinds;
    mem_free(pieces);
    mem_free(scores);
    mem_free(kinds);
    return complete ? GENAIR_OK : fail_memory(st);
}

static void write_matrix(struct gguf_writer *w, const char *name, const struct parameter *p, size_t first_row,
                         size_t rows) {
    gguf_put_tensor(w, name, p->rows == 1 ? LM_F32 : LM_Q8_0, rows, p->cols, p->value + first_row * p->cols);
}

static void write_layer(struct gguf_writer *w, const struct network_layer *a, size_t l, size_t d) {
    const struct {
        const char *name;
        const struct parameter *from;
        size_t first, rows;
    } tensors[] = {{"attn_norm", a->attention_norm, 0, 1}, {"attn_q", a->q, 0, d},
                   {"attn_k", a->kv, 0, d},                {"attn_v", a->kv, d, d},
                   {"attn_output", a->out, 0, d},          {"ffn_norm", a->ffn_norm, 0, 1},
                   {"ffn_gate", a->gate, 0, a->gate->rows}, {"ffn_up", a->up, 0, a->up->rows},
                   {"ffn_down", a->down, 0, d}};
    for (size_t i = 0; i < COUNT(tensors); i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%zu.%s.weight", l, tensors[i].name);
        write_matrix(w, name, tensors[i].from, tensors[i].first, tensors[i].rows);
    }
}

genair_code network_write(const struct network *n, const struct pieces *v, const char *path, genair_status *st) {
    struct gguf_writer *w = gguf_writer_create();
    if (!w) return fail_memory(st);
    write_sizes(w, &n->sizes);
    genair_code code = write_vocabulary(w, v, st);
    write_matrix(w, "token_embd.weight", n->embedding, 0, n->embedding->rows);
    write_matrix(w, "output_norm.weight", n->final_norm, 0, 1);
    for (size_t l = 0; l < n->sizes.n_layers; l++) write_layer(w, &n->layers[l], l, n->sizes.hidden);
    if (code == GENAIR_OK) code = gguf_writer_save(w, path, st);
    gguf_writer_free(w);
    return code;
}
