/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/random_lm.h"

#include "base/alloc.h"
#include "base/size.h"
#include "lm/gguf_write.h"

#include <stdio.h>
#include <string.h>

enum { LAYERS = RANDOM_LM_LAYERS, HIDDEN = RANDOM_LM_HIDDEN, HEADS = 14, KV_HEADS = 2, HEAD = RANDOM_LM_HEAD, FFN = 4864,
       VOCABULARY = RANDOM_LM_VOCABULARY, CONTEXT = 32768 };

static struct lm_tensor tensor(enum lm_type type, size_t rows, size_t cols) {
    struct lm_tensor t = {.name = "random", .type = type, .rows = rows, .cols = cols};
    (void)lm_row_bytes(type, cols, &t.row_bytes); /* the shape above is whole blocks */
    return t;
}

void random_lm_make(struct random_lm *m) {
    const struct lm_tensor norm = tensor(LM_F32, 1, HIDDEN);
    const struct lm_layer layer = {
        .attn_norm = norm, .ffn_norm = norm, .q = tensor(LM_Q8_0, HEADS * HEAD, HIDDEN), .k = tensor(LM_Q8_0, KV_HEADS * HEAD, HIDDEN),
        .v = tensor(LM_Q8_0, KV_HEADS * HEAD, HIDDEN), .out = tensor(LM_Q8_0, HIDDEN, HEADS * HEAD),
        .gate = tensor(LM_Q8_0, FFN, HIDDEN), .up = tensor(LM_Q8_0, FFN, HIDDEN), .down = tensor(LM_Q8_0, HIDDEN, FFN),
        .q_bias = tensor(LM_F32, 1, HEADS * HEAD), .k_bias = tensor(LM_F32, 1, KV_HEADS * HEAD),
        .v_bias = tensor(LM_F32, 1, KV_HEADS * HEAD)};
    for (size_t i = 0; i < LAYERS; i++) m->layers[i] = layer;
    for (size_t i = 0; i < HEAD / 2; i++) m->divisors[i] = 1;
    m->weights = (struct lm_weights){
        .config = {.architecture = LM_QWEN2, .n_layers = LAYERS, .hidden = HIDDEN, .n_heads = HEADS, .n_kv_heads = KV_HEADS,
                   .head_dim = HEAD, .ffn = FFN, .vocabulary = VOCABULARY, .context = CONTEXT, .norm_eps = 1e-6f,
                   .rope_base = 1e6, .rope_divisors = m->divisors},
        .embedding = tensor(LM_Q8_0, VOCABULARY, HIDDEN), .final_norm = norm, .layers = m->layers, .tied = true,
        .path = "random weights"};
    m->weights.output = m->weights.embedding;
}

/* Codes by a small generator (Vigna's splitmix64), scales such that products keep their size; vectors are 1. Speed does not
 * depend on the values. */
genair_code random_lm_rows(const void *source, const struct lm_tensor *t, size_t first, size_t n_rows, void *out,
                          genair_status *st) {
    (void)source;
    (void)st;
    unsigned char *to = out;
    uint64_t state = first * t->cols;
    if (t->type == LM_F32) {
        const float one = 1;
        for (size_t i = 0; i < n_rows * t->cols; i++) memcpy(to + i * sizeof one, &one, sizeof one);
        return GENAIR_OK;
    }
    for (size_t b = 0; b < n_rows * t->row_bytes; b += 34) {
        const unsigned char half[2] = {0x60, 0x0F}; /* 0.00045 */
        memcpy(to + b, half, sizeof half);
        for (size_t i = 0; i < 32; i += 8) {
            uint64_t x = state += 0x9E3779B97F4A7C15u;
            x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
            x = (x ^ x >> 27) * 0x94D049BB133111EBu;
            x ^= x >> 31;
            memcpy(to + b + 2 + i, &x, sizeof x);
        }
    }
    return GENAIR_OK;
}

double random_lm_multiply_adds(void) {
    return (double)LAYERS * (2.0 * HIDDEN * HEADS * HEAD + 2.0 * HIDDEN * KV_HEADS * HEAD + 3.0 * HIDDEN * FFN);
}

/* ---- the tokenizer ---- */

/* Common letters, with U+0120, which stands for a space. Their pairs are tokens, pairs of pairs, and pairs
 * with a letter. */
static const char *const letters[] = {"\u0120", "e", "t", "a", "o", "i", "n", "s", "r", "h",
                                      "l",      "d", "c", "u", "m", "p", "f", "g", "y"};
enum { LETTERS = COUNT(letters), PAIRS = LETTERS * LETTERS, MERGES = PAIRS + PAIRS * PAIRS + PAIRS * LETTERS,
       TOKEN_BYTES = 64, BYTES = 256 };

struct vocabulary {
    struct text tokens[VOCABULARY], merges[MERGES];
    int32_t types[VOCABULARY];
    char token_bytes[VOCABULARY][TOKEN_BYTES], merge_bytes[MERGES][TOKEN_BYTES];
    size_t n, n_merges;
};

static void add_token(struct vocabulary *v, const char *a, const char *b, int32_t type) {
    char *to = v->token_bytes[v->n];
    snprintf(to, TOKEN_BYTES, "%s%s", a, b);
    v->tokens[v->n] = text_of(to);
    v->types[v->n++] = type;
}

static void add_merge(struct vocabulary *v, const char *left, const char *right) {
    char *to = v->merge_bytes[v->n_merges];
    snprintf(to, TOKEN_BYTES, "%s %s", left, right);
    v->merges[v->n_merges++] = text_of(to);
    add_token(v, left, right, 1);
}

/* The characters by which byte-level BPE writes bytes: printable ones of Latin 1 stand for themselves, the others for
 * U+0100 and on (Radford et al., 2019). */
static void add_bytes(struct vocabulary *v) {
    unsigned next = 0x100;
    for (unsigned i = 0; i < BYTES; i++) {
        const unsigned c = (i > 0x20 && i < 0x7F) || (i > 0xA0 && i != 0xAD) ? i : next++;
        const char text[] = {(char)(c < 0x80 ? c : 0xC0 | c >> 6), (char)(c < 0x80 ? 0 : 0x80 | (c & 63)), 0};
        add_token(v, text, "", 1);
    }
}

static void make_vocabulary(struct vocabulary *v) {
    add_bytes(v);
    for (size_t i = 0; i < PAIRS; i++) add_merge(v, letters[i / LETTERS], letters[i % LETTERS]);
    const char(*pairs)[TOKEN_BYTES] = (const char(*)[TOKEN_BYTES])(v->token_bytes + BYTES);
    for (size_t i = 0; i < (size_t)PAIRS * PAIRS; i++) add_merge(v, pairs[i / PAIRS], pairs[i % PAIRS]);
    for (size_t i = 0; i < (size_t)PAIRS * LETTERS; i++) add_merge(v, pairs[i / LETTERS], letters[i % LETTERS]);
    while (v->n < VOCABULARY) {
        char number[24];
        snprintf(number, sizeof number, "%zu>", v->n);
        add_token(v, "<unused ", number, 5);
    }
}

static genair_code put_tokenizer(struct gguf_writer *w, genair_status *st) {
    struct vocabulary *v = mem_zeros(1, sizeof *v);
    if (!v) return fail_memory(st);
    make_vocabulary(v);
    gguf_put_text(w, "tokenizer.ggml.model", "gpt2");
    gguf_put_text(w, "tokenizer.ggml.pre", "qwen2");
    gguf_put_texts(w, "tokenizer.ggml.tokens", v->tokens, v->n);
    gguf_put_i32s(w, "tokenizer.ggml.token_type", v->types, v->n);
    gguf_put_texts(w, "tokenizer.ggml.merges", v->merges, v->n_merges);
    mem_free(v);
    return GENAIR_OK;
}

/* ---- the file ---- */

static void put_config(struct gguf_writer *w, const struct lm_config *c) {
    const struct {
        const char *key;
        size_t value;
    } sizes[] = {{"qwen2.block_count", c->n_layers},          {"qwen2.context_length", c->context},
                 {"qwen2.embedding_length", c->hidden},       {"qwen2.feed_forward_length", c->ffn},
                 {"qwen2.attention.head_count", c->n_heads},  {"qwen2.attention.head_count_kv", c->n_kv_heads}};
    gguf_put_text(w, "general.architecture", "qwen2");
    gguf_put_text(w, "general.name", "random weights");
    for (size_t i = 0; i < COUNT(sizes); i++) gguf_put_u32(w, sizes[i].key, (uint32_t)sizes[i].value);
    gguf_put_f32(w, "qwen2.attention.layer_norm_rms_epsilon", c->norm_eps);
    gguf_put_f32(w, "qwen2.rope.freq_base", (float)c->rope_base);
}

static void put_layer(struct gguf_writer *w, size_t i, const struct lm_layer *l) {
    const struct {
        const char *name;
        const struct lm_tensor *t;
    } tensors[] = {{"attn_norm.weight", &l->attn_norm}, {"attn_q.weight", &l->q},      {"attn_k.weight", &l->k},
                   {"attn_v.weight", &l->v},            {"attn_q.bias", &l->q_bias},   {"attn_k.bias", &l->k_bias},
                   {"attn_v.bias", &l->v_bias},         {"attn_output.weight", &l->out}, {"ffn_norm.weight", &l->ffn_norm},
                   {"ffn_gate.weight", &l->gate},       {"ffn_up.weight", &l->up},     {"ffn_down.weight", &l->down}};
    for (size_t j = 0; j < COUNT(tensors); j++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%zu.%s", i, tensors[j].name);
        gguf_put_rows(w, name, tensors[j].t, random_lm_rows, NULL);
    }
}

genair_code random_lm_save(const struct random_lm *m, const char *path, genair_status *st) {
    struct gguf_writer *w = gguf_writer_create();
    if (!w) return fail_memory(st);
    put_config(w, &m->weights.config);
    genair_code code = put_tokenizer(w, st);
    gguf_put_rows(w, "token_embd.weight", &m->weights.embedding, random_lm_rows, NULL);
    gguf_put_rows(w, "output_norm.weight", &m->weights.final_norm, random_lm_rows, NULL);
    for (size_t i = 0; i < LAYERS; i++) put_layer(w, i, &m->layers[i]);
    if (code == GENAIR_OK) code = gguf_writer_save(w, path, st);
    gguf_writer_free(w);
    return code;
}
