/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes a language model of one layer for tests: as a GGUF file, as a directory. */
#ifndef GENAIR_TESTS_LM_TINY_MODEL_H
#define GENAIR_TESTS_LM_TINY_MODEL_H

#include "lm/gguf_bytes.h"

#include "base/alloc.h"
#include "base/size.h"
#include "workspace/safetensors.h"

#include <sys/stat.h>

enum { TINY_HIDDEN = 8, TINY_HEAD = 4, TINY_FFN = 4, TINY_VOCABULARY = 6, TINY_TENSORS = 16 };

struct tiny {
    bool qwen2;
    const char *skip;  /* a tensor left out */
    const char *extra; /* a vector of 2 added */
    float norm;        /* first value of the final norm, if not 0 */
    size_t n_keys;     /* GGUF: that keys adds */
    void (*keys)(struct gguf_bytes *b);
    const char *config; /* directory: config.json */
};

struct tiny_tensor {
    const char *gguf, *directory;
    size_t rows, cols; /* cols 0: a vector */
    bool bias;
};

static const struct tiny_tensor tiny_tensors[] = {
    {"token_embd.weight", "model.embed_tokens.weight", TINY_VOCABULARY, TINY_HIDDEN, false},
    {"output_norm.weight", "model.norm.weight", TINY_HIDDEN, 0, false},
    {"output.weight", "lm_head.weight", TINY_VOCABULARY, TINY_HIDDEN, false},
    {"blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight", TINY_HIDDEN, 0, false},
    {"blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight", 8, TINY_HIDDEN, false},
    {"blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj.weight", 4, TINY_HIDDEN, false},
    {"blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight", 4, TINY_HIDDEN, false},
    {"blk.0.attn_q.bias", "model.layers.0.self_attn.q_proj.bias", 8, 0, true},
    {"blk.0.attn_k.bias", "model.layers.0.self_attn.k_proj.bias", 4, 0, true},
    {"blk.0.attn_v.bias", "model.layers.0.self_attn.v_proj.bias", 4, 0, true},
    {"blk.0.attn_output.weight", "model.layers.0.self_attn.o_proj.weight", TINY_HIDDEN, 8, false},
    {"blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight", TINY_HIDDEN, 0,
     false},
    {"blk.0.ffn_gate.weight", "model.layers.0.mlp.gate_proj.weight", TINY_FFN, TINY_HIDDEN, false},
    {"blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj.weight", TINY_FFN, TINY_HIDDEN, false},
    {"blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight", TINY_HIDDEN, TINY_FFN, false},
};

static inline bool tiny_has(const struct tiny *t, const struct tiny_tensor *x) {
    return (t->qwen2 || !x->bias) &&
           !(t->skip && (strcmp(t->skip, x->gguf) == 0 || strcmp(t->skip, x->directory) == 0));
}

static inline size_t tiny_size(const struct tiny_tensor *x) {
    return x->rows * (x->cols ? x->cols : 1);
}

/* Value k of tensor i, the same in both forms. */
static inline float tiny_value(const struct tiny *t, size_t i, size_t k) {
    return i == 1 && k == 0 && t->norm != 0 ? t->norm : (float)(i * 100 + k) / 16;
}

static inline void tiny_keys(const struct tiny *t, struct gguf_bytes *b) {
    static const struct {
        const char *name;
        uint32_t value;
    } sizes[] = {{"block_count", 1},
                 {"embedding_length", TINY_HIDDEN},
                 {"attention.head_count", 2},
                 {"attention.head_count_kv", 1},
                 {"feed_forward_length", TINY_FFN},
                 {"context_length", 64}};
    const char *architecture = t->qwen2 ? "qwen2" : "llama";
    char key[96];
    put_key(b, "general.architecture", GGUF_STRING), put_text(b, architecture);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        snprintf(key, sizeof key, "%s.%s", architecture, sizes[i].name);
        put_key(b, key, GGUF_U32), put_u32(b, sizes[i].value);
    }
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", architecture);
    put_key(b, key, GGUF_F32), put_f32(b, 1e-5F);
    put_key(b, "tokenizer.ggml.eos_token_id", GGUF_U32), put_u32(b, 2);
    if (t->keys) t->keys(b);
}

static inline void tiny_gguf(const struct tiny *t, const char *path) {
    struct gguf_bytes b = {.n = 0};
    uint64_t n = t->extra != NULL, offset = 0;
    for (size_t i = 0; i < COUNT(tiny_tensors); i++)
        n += tiny_has(t, &tiny_tensors[i]);
    put_head(&b, 3, n, 9 + t->n_keys);
    tiny_keys(t, &b);
    for (size_t i = 0; i < COUNT(tiny_tensors); i++) {
        const struct tiny_tensor *x = &tiny_tensors[i];
        if (!tiny_has(t, x)) continue;
        put_tensor(&b, x->gguf, x->rows, x->cols, LM_F32, offset);
        offset += (4 * tiny_size(x) + 31) / 32 * 32;
    }
    if (t->extra) put_tensor(&b, t->extra, 2, 0, LM_F32, offset);
    put_padding(&b, 32);
    for (size_t i = 0; i < COUNT(tiny_tensors); i++) {
        for (size_t k = 0; tiny_has(t, &tiny_tensors[i]) && k < tiny_size(&tiny_tensors[i]); k++)
            put_f32(&b, tiny_value(t, i, k));
        put_padding(&b, 32);
    }
    if (t->extra) put_f32(&b, 1), put_f32(&b, 2);
    scratch_write(path, b.p, b.n);
}

/* File `file` of n_files: of the tensors those whose number has that remainder. */
static inline void tiny_safetensors(const struct tiny *t, const char *path, size_t file,
                                    size_t n_files) {
    static float values[TINY_TENSORS][64];
    struct safetensor list[TINY_TENSORS];
    size_t n = 0;
    for (size_t i = 0; i < COUNT(tiny_tensors); i++) {
        const struct tiny_tensor *x = &tiny_tensors[i];
        if (!tiny_has(t, x) || i % n_files != file) continue;
        for (size_t k = 0; k < tiny_size(x); k++)
            values[i][k] = tiny_value(t, i, k);
        list[n++] = (struct safetensor){.name = x->directory,
                                        .n_dims = x->cols ? 2 : 1,
                                        .shape = {x->rows, x->cols},
                                        .data = (const unsigned char *)values[i]};
    }
    if (t->extra && file == 0)
        list[n++] = (struct safetensor){
            .name = t->extra, .n_dims = 1, .shape = {2}, .data = (const unsigned char *)values[0]};
    genair_status st = {0};
    if (safetensors_write(path, n, list, 0, NULL, NULL, &st) != GENAIR_OK)
        fail_msg("%s", st.message);
}

#define TINY_CONFIG                                                                                \
    "\"hidden_size\": 8, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, "                   \
    "\"num_key_value_heads\": 1, \"intermediate_size\": 4, \"vocab_size\": 6, "                    \
    "\"max_position_embeddings\": 64, \"rms_norm_eps\": 1e-5"

static inline void tiny_write(const char *directory, const char *name, const char *text) {
    char *path = path_join(directory, name);
    assert_non_null(path);
    scratch_write(path, text, strlen(text));
    mem_free(path);
}

/* Written over what may be there. */
static inline void tiny_directory(const struct tiny *t, const char *directory) {
    char *weights = path_join(directory, "model.safetensors");
    mkdir(directory, 0700);
    tiny_write(directory, "config.json",
               t->config  ? t->config
               : t->qwen2 ? "{\"model_type\": \"qwen2\", \"eos_token_id\": 2, " TINY_CONFIG "}"
                          : "{\"model_type\": \"llama\", \"eos_token_id\": 2, " TINY_CONFIG "}");
    tiny_safetensors(t, weights, 0, 1);
    mem_free(weights);
}

#endif
