/* SPDX-License-Identifier: Apache-2.0 */
/* test_weights [DIR]: models written here; with DIR also those of golden data, whose forms must
 * hold the same values. */
#include "lm/weights.h"

#include "base/alloc.h"
#include "lm/tiny_model.h"
#include "lm/tokenizer.h"

#include <math.h>
#include <unistd.h>

static struct lm_weights *open_model(const char *path) {
    struct lm_weights *w = NULL;
    genair_status st = {0};
    if (lm_weights_open(path, &w, &st) != GENAIR_OK) fail_msg("%s: %s", st.file, st.message);
    return w;
}

/* The message. */
static char refusal[1024];
static void open_refused(const char *path) {
    struct lm_weights *w = NULL;
    genair_status st = {0};
    assert_int_equal(lm_weights_open(path, &w, &st), GENAIR_FORMAT);
    assert_null(w);
    assert_true(st.message[0] && st.file[0]);
    snprintf(refusal, sizeof refusal, "%s", st.message);
}

static void check_config(const struct lm_weights *w, bool qwen2) {
    const struct lm_config *c = &w->config;
    assert_int_equal(c->architecture, qwen2 ? LM_QWEN2 : LM_LLAMA);
    assert_int_equal(c->n_layers, 1);
    assert_int_equal(c->hidden, TINY_HIDDEN);
    assert_int_equal(c->n_heads, 2);
    assert_int_equal(c->n_kv_heads, 1);
    assert_int_equal(c->head_dim, TINY_HEAD);
    assert_int_equal(c->ffn, TINY_FFN);
    assert_int_equal(c->vocabulary, TINY_VOCABULARY);
    assert_int_equal(c->context, 64);
    assert_true(c->norm_eps == 1e-5F && c->rope_base == 10000);
    assert_true(c->rope_divisors[0] == 1 && c->rope_divisors[1] == 1);
    assert_int_equal(c->n_eos, 1);
    assert_int_equal(c->eos[0], 2);
}

static void check_values(const struct lm_weights *w, const struct lm_tensor *t, size_t number,
                         const struct tiny *tiny) {
    const struct tiny_tensor *x = &tiny_tensors[number];
    float values[64];
    assert_string_equal(t->name, w->gguf ? x->gguf : x->directory);
    assert_int_equal(t->rows, x->cols ? x->rows : 1);
    assert_int_equal(t->cols, x->cols ? x->cols : x->rows);
    assert_int_equal(lm_weights_values(w, t, 0, t->rows, values, NULL), GENAIR_OK);
    for (size_t k = 0; k < tiny_size(x); k++)
        assert_true(values[k] == tiny_value(tiny, number, k));
    if (t->rows < 2) return;
    assert_int_equal(lm_weights_values(w, t, 1, 1, values, NULL), GENAIR_OK);
    assert_true(values[0] == tiny_value(tiny, number, t->cols));
}

static void check_model(const char *path, const struct tiny *tiny) {
    struct lm_weights *w = open_model(path);
    check_config(w, tiny->qwen2);
    const struct lm_layer *l = &w->layers[0];
    const struct lm_tensor *tensors[] = {&w->embedding, &w->final_norm, &w->output, &l->attn_norm,
                                         &l->q,         &l->k,          &l->v,      &l->q_bias,
                                         &l->k_bias,    &l->v_bias,     &l->out,    &l->ffn_norm,
                                         &l->gate,      &l->up,         &l->down};
    assert_int_equal(COUNT(tensors), COUNT(tiny_tensors));
    for (size_t i = 0; i < COUNT(tensors); i++)
        if (tiny_has(tiny, &tiny_tensors[i]))
            check_values(w, tensors[i], i, tiny);
        else
            assert_int_equal(tensors[i]->rows, 0);
    assert_false(w->tied);
    assert_true(w->rope_pairs == (w->gguf && !tiny->qwen2));
    assert_string_equal(w->path, path);
    lm_weights_close(w);
}

static void both_forms(void **state) {
    (void)state;
    char *file = scratch_path("tiny.gguf"), *directory = scratch_path("tiny");
    for (int qwen2 = 0; qwen2 < 2; qwen2++) {
        const struct tiny t = {.qwen2 = qwen2};
        tiny_gguf(&t, file);
        check_model(file, &t);
        tiny_directory(&t, directory);
        check_model(directory, &t);
    }
    lm_weights_close(NULL);
    mem_free(file);
    mem_free(directory);
}

static void tied_embeddings(void **state) {
    (void)state;
    struct tiny t = {.skip = "output.weight"};
    char *file = scratch_path("tied.gguf"), *directory = scratch_path("tied");
    tiny_gguf(&t, file);
    struct lm_weights *w = open_model(file);
    assert_true(w->tied && w->output.offset == w->embedding.offset);
    assert_int_equal(w->output.rows, TINY_VOCABULARY);
    lm_weights_close(w);
    t = (struct tiny){.skip = "lm_head.weight"};
    tiny_directory(&t, directory);
    open_refused(directory);
    assert_string_equal(
        refusal, "tensor \"lm_head.weight\" is missing, and \"tie_word_embeddings\" is not true");
    /* said to be tied, it is, whether there is such a tensor or not */
    t.config = "{\"model_type\": \"llama\", \"tie_word_embeddings\": true, " TINY_CONFIG "}";
    for (int i = 0; i < 2; i++) {
        tiny_directory(&t, directory);
        w = open_model(directory);
        assert_true(w->tied && w->output.offset == w->embedding.offset);
        assert_int_equal(w->config.n_eos, 0);
        lm_weights_close(w);
        t.skip = NULL;
    }
    mem_free(file);
    mem_free(directory);
}

/* ---- what is refused in a directory ---- */

#define MODEL "{\"model_type\": \"llama\", "

static const struct {
    const char *config, *message;
} configs[] = {
    {"[]", "not a JSON object"},
    {"{}", "it has no \"model_type\""},
    {"{\"model_type\": \"mistral\", " TINY_CONFIG "}",
     "the model's architecture is \"mistral\"; those known are llama, qwen2"},
    {MODEL "\"hidden_size\": 8.5}", "it has no \"num_hidden_layers\""},
    {MODEL "\"num_hidden_layers\": 1.5}",
     "\"num_hidden_layers\" is 1.5, expected a whole number, 0 or more"},
    {MODEL "\"hidden_act\": \"gelu\", " TINY_CONFIG "}",
     "\"hidden_act\" is \"gelu\", expected \"silu\""},
    {MODEL "\"use_sliding_window\": true, " TINY_CONFIG "}",
     "\"use_sliding_window\" is true, expected false: attention is over the whole context"},
    {MODEL "\"quantization_config\": {\"bits\": 4}, " TINY_CONFIG "}",
     "\"quantization_config\" is {\"bits\":4}, expected plain weights; quantised ones are read "
     "from GGUF"},
    {MODEL "\"rope_theta\": -1, " TINY_CONFIG "}",
     "\"rope_theta\" is -1, expected a number above 0"},
    {MODEL "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0}, " TINY_CONFIG "}",
     "\"rope_scaling\" is {\"type\":\"yarn\",\"factor\":4.0}, expected one of the types default, "
     "linear, llama3"},
    {MODEL "\"rope_scaling\": {\"rope_type\": \"linear\"}, " TINY_CONFIG "}",
     "it has no \"factor\""},
    {MODEL "\"rope_scaling\": \"linear\", " TINY_CONFIG "}",
     "\"rope_scaling\" is \"linear\", expected an object"},
    {MODEL "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, "
           "\"high_freq_factor\": 4, \"original_max_position_embeddings\": 64}, " TINY_CONFIG "}",
     "\"high_freq_factor\" is 4, expected more than \"low_freq_factor\""},
    {MODEL "\"eos_token_id\": 6, " TINY_CONFIG "}",
     "the end token is 6, the vocabulary has 6 tokens"},
    {MODEL "\"eos_token_id\": [\"</s>\"], " TINY_CONFIG "}",
     "\"eos_token_id\" is [\"</s>\"], expected a token's number, or a list of them"},
    {MODEL "\"head_dim\": 8, " TINY_CONFIG "}",
     "tensor \"model.layers.0.self_attn.q_proj.weight\" is 8 x 8, expected 16 x 8"},
    {MODEL "\"head_dim\": 3, " TINY_CONFIG "}", "heads of 3 values: an even number is expected"},
};

static void configs_are_refused(void **state) {
    (void)state;
    char *directory = scratch_path("config");
    for (size_t i = 0; i < COUNT(configs); i++) {
        const struct tiny t = {.config = configs[i].config};
        tiny_directory(&t, directory);
        open_refused(directory);
        assert_string_equal(refusal, configs[i].message);
    }
    mem_free(directory);
}

static void tensors_are_refused(void **state) {
    (void)state;
    static const struct {
        struct tiny model;
        const char *message;
    } cases[] = {
        {{.qwen2 = true, .skip = "blk.0.attn_k.bias"},
         "tensor \"blk.0.attn_k.bias\" is missing: the model is not complete, or not of "
         "architecture qwen2"},
        {{.skip = "output_norm.weight"},
         "tensor \"output_norm.weight\" is missing: the model is not complete, or not of "
         "architecture llama"},
        {{.extra = "blk.0.attn_q_norm.weight"},
         "tensor \"blk.0.attn_q_norm.weight\" has no place in a llama model of 1 layers: a variant "
         "that is "
         "not known here"},
        {{.extra = "blk.1.attn_norm.weight"},
         "tensor \"blk.1.attn_norm.weight\" has no place in a llama model of 1 layers: a variant "
         "that is "
         "not known here"},
    };
    char *file = scratch_path("tensors.gguf"), *directory = scratch_path("ignored");
    for (size_t i = 0; i < COUNT(cases); i++) {
        tiny_gguf(&cases[i].model, file);
        open_refused(file);
        assert_string_equal(refusal, cases[i].message);
    }
    const struct tiny ignored = {.extra = "model.layers.0.self_attn.rotary_emb.inv_freq"};
    tiny_directory(&ignored, directory);
    lm_weights_close(open_model(directory));
    mem_free(file);
    mem_free(directory);
}

/* ---- shards ---- */

static void write_index(const char *directory, const char *replaced, const char *file) {
    char text[4096] = "{\"weight_map\": {";
    for (size_t i = 0; i < COUNT(tiny_tensors); i++) {
        const struct tiny_tensor *x = &tiny_tensors[i];
        if (x->bias) continue;
        char entry[160];
        snprintf(entry, sizeof entry, "%s\"%s\": \"%s\"", i ? ", " : "", x->directory,
                 replaced && strcmp(replaced, x->directory) == 0 ? file
                 : i % 2                                         ? "b.safetensors"
                                                                 : "a.safetensors");
        strcat(text, entry);
    }
    strcat(text, "}}");
    tiny_write(directory, "model.safetensors.index.json", text);
}

static void shards(void **state) {
    (void)state;
    static const struct {
        const char *file, *message;
    } cases[] = {
        {"../tiny/model.safetensors",
         "tensor \"model.norm.weight\" is put into something else than a file of this directory"},
        {"..",
         "tensor \"model.norm.weight\" is put into something else than a file of this directory"},
        {"",
         "tensor \"model.norm.weight\" is put into something else than a file of this directory"},
        {"a.safetensors",
         "tensor \"model.norm.weight\" is put into \"a.safetensors\", which does not hold it"},
    };
    const struct tiny t = {.qwen2 = false};
    char *directory = scratch_path("shards"), *whole = scratch_path("shards/model.safetensors"),
         *a = scratch_path("shards/a.safetensors"), *b = scratch_path("shards/b.safetensors");
    tiny_directory(&t, directory);
    assert_int_equal(unlink(whole), 0);
    open_refused(directory);
    assert_non_null(
        strstr(refusal, "no weights: neither model.safetensors nor model.safetensors.index.json"));
    tiny_safetensors(&t, a, 0, 2);
    tiny_safetensors(&t, b, 1, 2);
    write_index(directory, NULL, NULL);
    check_model(directory, &t);
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_index(directory, "model.norm.weight", cases[i].file);
        open_refused(directory);
        assert_string_equal(refusal, cases[i].message);
    }
    write_index(directory, NULL, NULL);
    tiny_safetensors(&t, b, 0, 1); /* holds what stands in a too */
    open_refused(directory);
    assert_non_null(strstr(refusal, "stands in two files"));
    mem_free(directory);
    mem_free(whole);
    mem_free(a);
    mem_free(b);
}

/* ---- numbers ---- */

/* Llama 3.1's own settings with heads of 4: frequencies 1 and 0.0014, waves of 6 and 4,443 tokens.
 */
static void rope_scaling(void **state) {
    (void)state;
    static const char scaled[] = MODEL
        "\"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"%s\", \"factor\": 8.0, "
        "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
        "\"original_max_position_embeddings\": 8192}, " TINY_CONFIG "}";
    static const char newer[] = MODEL "\"rope_parameters\": {\"rope_type\": \"default\", "
                                      "\"rope_theta\": 5000}, " TINY_CONFIG "}";
    char *directory = scratch_path("rope"), config[1024];
    struct tiny t = {.config = config};
    snprintf(config, sizeof config, scaled, "llama3");
    tiny_directory(&t, directory);
    struct lm_weights *w = open_model(directory);
    /* wave 2 pi 500000^(1/2) = 4442.88; smooth = (8192 / 4442.88 - 1) / 3 = 0.281284 */
    assert_true(w->config.rope_divisors[0] == 1);
    assert_true(fabsf(w->config.rope_divisors[1] - 1 / (0.718716F / 8 + 0.281284F)) < 1e-4F);
    assert_true(w->config.rope_base == 500000);
    lm_weights_close(w);
    snprintf(config, sizeof config, scaled, "linear");
    tiny_directory(&t, directory);
    w = open_model(directory);
    assert_true(w->config.rope_divisors[0] == 8 && w->config.rope_divisors[1] == 8);
    lm_weights_close(w);
    t.config = newer;
    tiny_directory(&t, directory);
    w = open_model(directory);
    assert_true(w->config.rope_base == 5000 && w->config.rope_divisors[1] == 1);
    lm_weights_close(w);
    mem_free(directory);
}

static void linear_keys(struct gguf_bytes *b) {
    put_key(b, "llama.rope.scaling.type", GGUF_STRING), put_text(b, "linear");
    put_key(b, "llama.rope.scaling.factor", GGUF_F32), put_f32(b, 2.5F);
}

static void zero_keys(struct gguf_bytes *b) {
    put_key(b, "llama.rope.scaling.type", GGUF_STRING), put_text(b, "linear");
    put_key(b, "llama.rope.scaling.factor", GGUF_F32), put_f32(b, 0);
}

static void yarn_keys(struct gguf_bytes *b) {
    put_key(b, "llama.rope.scaling.type", GGUF_STRING), put_text(b, "yarn");
}

static void factor_alone(struct gguf_bytes *b) {
    put_key(b, "llama.rope.scaling.factor", GGUF_F32), put_f32(b, 2.5F);
}

static void rope_scaling_of_gguf(void **state) {
    (void)state;
    char *file = scratch_path("rope.gguf");
    tiny_gguf(&(struct tiny){.extra = "rope_freqs.weight"}, file); /* holds 1 and 2 */
    struct lm_weights *w = open_model(file);
    assert_true(w->config.rope_divisors[0] == 1 && w->config.rope_divisors[1] == 2);
    lm_weights_close(w);
    tiny_gguf(&(struct tiny){.n_keys = 2, .keys = linear_keys}, file);
    w = open_model(file);
    assert_true(w->config.rope_divisors[0] == 2.5F && w->config.rope_divisors[1] == 2.5F);
    lm_weights_close(w);
    tiny_gguf(&(struct tiny){.n_keys = 1, .keys = factor_alone}, file);
    w = open_model(file);
    assert_true(w->config.rope_divisors[0] == 2.5F && w->config.rope_divisors[1] == 2.5F);
    lm_weights_close(w);
    tiny_gguf(&(struct tiny){.extra = "rope_freqs.weight", .n_keys = 2, .keys = linear_keys}, file);
    w = open_model(file);
    assert_true(w->config.rope_divisors[0] == 2.5F && w->config.rope_divisors[1] == 5);
    lm_weights_close(w);
    tiny_gguf(&(struct tiny){.n_keys = 2, .keys = zero_keys}, file);
    open_refused(file);
    assert_non_null(strstr(refusal, "\"llama.rope.scaling.factor\" is 0, expected a number above 0"));
    tiny_gguf(&(struct tiny){.n_keys = 1, .keys = yarn_keys}, file);
    open_refused(file);
    assert_non_null(
        strstr(refusal, "\"llama.rope.scaling.type\" is \"yarn\"; known are none and linear"));
    mem_free(file);
}

static const struct variant {
    const char *key;
    float value;
    bool known;
} variants[] = {{"llama.attention.sliding_window", 0, true},     {"llama.attention.sliding_window", 64, true},
                {"llama.attention.sliding_window", 63, false},   {"llama.attention.scale", 0.5F, false},
                {"llama.attention.clamp_kqv", 8, false},         {"llama.attention.max_alibi_bias", 8, false},
                {"llama.attn_logit_softcapping", 50, false},     {"llama.final_logit_softcapping", 30, false},
                {"llama.final_logit_softcapping", 0, true},      {"llama.embedding_scale", 12, false},
                {"llama.embedding_scale", 1, true},              {"llama.residual_scale", 0.5F, false},
                {"llama.logit_scale", 0.25F, false},             {"llama.expert_count", 8, false},
                {"llama.expert_count", 0, true},                 {"llama.rope.scaling.attn_factor", 2, false},
                {"llama.rope.scaling.attn_factor", 1, true},     {"llama.attention.causal", 0, false},
                {"llama.attention.causal", 1, true}};
static const struct variant *variant;

static void variant_key(struct gguf_bytes *b) {
    const bool is_bool = strstr(variant->key, "causal"), is_whole = strstr(variant->key, "window") || strstr(variant->key, "count");
    put_key(b, variant->key, is_bool ? GGUF_BOOL : is_whole ? GGUF_U32 : GGUF_F32);
    if (is_bool)
        put(b, &(unsigned char){variant->value != 0}, 1);
    else if (is_whole)
        put_u32(b, (uint32_t)variant->value);
    else
        put_f32(b, variant->value);
}

/* Keys that change the numbers are refused by name, unless their value does not. */
static void variants_of_gguf(void **state) {
    (void)state;
    char *file = scratch_path("variant.gguf");
    for (variant = variants; variant < variants + COUNT(variants); variant++) {
        tiny_gguf(&(struct tiny){.n_keys = 1, .keys = variant_key}, file);
        if (variant->known) {
            lm_weights_close(open_model(file));
            continue;
        }
        open_refused(file);
        assert_non_null(strstr(refusal, variant->key));
        assert_non_null(strstr(refusal, "a variant that is not known here"));
    }
    mem_free(file);
}

static void charsmap_keys(struct gguf_bytes *b) {
    put_key(b, "tokenizer.ggml.model", GGUF_STRING), put_text(b, "llama");
    put_array(b, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, 1), put(b, "", 1);
}

static void another_normaliser_is_refused(void **state) {
    (void)state;
    char *file = scratch_path("charsmap.gguf");
    struct tokenizer *t = NULL;
    genair_status st = {0};
    tiny_gguf(&(struct tiny){.n_keys = 2, .keys = charsmap_keys}, file);
    struct lm_weights *w = open_model(file);
    assert_int_equal(tokenizer_open(w, &t, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "precompiled_charsmap is not supported"));
    lm_weights_close(w);
    mem_free(file);
}

static void dimension_keys(struct gguf_bytes *b) {
    put_key(b, "llama.rope.dimension_count", GGUF_U32), put_u32(b, 2);
}

static void end_keys(struct gguf_bytes *b) {
    put_key(b, "tokenizer.ggml.eot_token_id", GGUF_U32), put_u32(b, 5);
    put_key(b, "tokenizer.ggml.eom_token_id", GGUF_U32), put_u32(b, 2); /* again */
}

static void end_tokens(void **state) {
    (void)state;
    char *file = scratch_path("end.gguf"), *directory = scratch_path("end");
    tiny_gguf(&(struct tiny){.n_keys = 2, .keys = end_keys}, file);
    struct lm_weights *w = open_model(file);
    assert_int_equal(w->config.n_eos, 2);
    assert_true(w->config.eos[0] == 2 && w->config.eos[1] == 5);
    lm_weights_close(w);
    tiny_directory(&(struct tiny){.qwen2 = false}, directory);
    tiny_write(directory, "generation_config.json", "{\"eos_token_id\": [2, 4, 1]}");
    w = open_model(directory);
    assert_int_equal(w->config.n_eos, 3);
    assert_true(w->config.eos[0] == 2 && w->config.eos[1] == 4 && w->config.eos[2] == 1);
    lm_weights_close(w);
    tiny_gguf(&(struct tiny){.n_keys = 1, .keys = dimension_keys}, file);
    open_refused(file);
    assert_non_null(
        strstr(refusal, "\"llama.rope.dimension_count\" is 2 where heads have 4 values"));
    mem_free(file);
    mem_free(directory);
}

/* ---- reading ---- */

static void read_errors(void **state) {
    (void)state;
    char *file = scratch_path("nan.gguf"), hash[33] = "untouched";
    float values[TINY_HIDDEN];
    tiny_gguf(&(struct tiny){.norm = NAN}, file);
    struct lm_weights *w = open_model(file);
    genair_status st = {0};
    assert_int_equal(lm_weights_values(w, &w->final_norm, 0, 1, values, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "tensor \"output_norm.weight\" holds an infinity or NaN"));
    assert_int_equal(lm_weights_hash(NULL, w, hash, NULL), GENAIR_FORMAT);
    assert_string_equal(hash, "untouched");
    lm_weights_close(w);
    tiny_gguf(&(struct tiny){.qwen2 = false}, file);
    w = open_model(file);
    assert_int_equal(truncate(file, 1000), 0); /* under the open model */
    st = (genair_status){0};
    assert_int_equal(lm_weights_values(w, &w->layers[0].down, 0, TINY_HIDDEN, values, &st),
                     GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "the file ends here"));
    lm_weights_close(w);
    mem_free(file);
}

static void hashes(void **state) {
    (void)state;
    const struct tiny models[] = {
        {.qwen2 = false}, {.qwen2 = true}, {.norm = 1.25F}, {.n_keys = 2, .keys = linear_keys}};
    char *file = scratch_path("hash.gguf"), *directory = scratch_path("hash");
    char found[COUNT(models) + 2][33];
    for (size_t i = 0; i < COUNT(models) + 2; i++) {
        const bool in_directory = i >= COUNT(models);
        const struct tiny *t = &models[in_directory ? i - COUNT(models) : i];
        if (in_directory)
            tiny_directory(t, directory);
        else
            tiny_gguf(t, file);
        struct lm_weights *w = open_model(in_directory ? directory : file);
        assert_int_equal(lm_weights_hash(NULL, w, found[i], NULL), GENAIR_OK);
        char again[33];
        const size_t n_eos = w->config.n_eos;
        assert_int_equal(lm_weights_add_eos(w, 3, NULL), GENAIR_OK);
        assert_int_equal(w->config.n_eos, n_eos + 1);
        assert_int_equal(lm_weights_hash(NULL, w, again, NULL), GENAIR_OK);
        genair_context *ctx = NULL;
        assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, NULL), GENAIR_OK);
        genair_context_stop(ctx);
        assert_int_equal(lm_weights_hash(ctx, w, again, NULL), GENAIR_INTERRUPTED);
        genair_context_free(ctx);
        assert_string_equal(again, found[i]); /* an end of the chat format is not of the model */
        lm_weights_close(w);
    }
    for (size_t i = 0; i < COUNT(models); i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(found[i], found[k]);
    assert_string_not_equal(found[0], found[4]); /* llama's rows of q and k are ordered otherwise */
    assert_string_equal(found[1], found[5]);     /* the same model in another form */
    mem_free(file);
    mem_free(directory);
}

static void finite_blocks(void **state) {
    (void)state;
    for (int type = 0; type < N_LM_TYPES; type++) {
        const struct lm_type_traits *t = &lm_types[type];
        unsigned char blocks[2 * 256] = {0};
        float values[512];
        /* A half of all ones is NaN; where no half stands, integers may have any value. */
        for (size_t at = 0; at + 2 <= t->block_bytes; at += 2) {
            bool finite = true;
            memset(blocks, 0, sizeof blocks);
            memset(blocks + t->block_bytes + at, 0xff, 2);
            t->decode(blocks, 2, values);
            for (size_t i = 0; i < 2 * t->block_values; i++)
                finite = finite && isfinite(values[i]);
            /* a NaN scale of a group without values is refused too, so only one direction holds */
            if (!finite) assert_false(lm_finite((enum lm_type)type, blocks, 2));
            const bool scale = (int)at == t->scales[0] || (int)at == t->scales[1] ||
                               (t->block_values == 1 && at + 2 == t->block_bytes);
            assert_int_equal(lm_finite((enum lm_type)type, blocks, 2), !scale);
        }
    }
}

/* ---- golden models ---- */

static const char *golden;

/* F32 in the file and F32 in the directory, tensor by tensor; llama's q and k by sums, since the
 * order of their rows differs. */
static void compare_forms(const char *name) {
    char file[512], directory[512];
    snprintf(file, sizeof file, "%s/%s/gguf/%s-f32.gguf", golden, name, name);
    snprintf(directory, sizeof directory, "%s/%s/hf-bf16", golden, name);
    struct lm_weights *a = open_model(file), *b = open_model(directory);
    const struct lm_tensor *t, *u;
    size_t i = 0;
    for (; (t = lm_weights_tensor(a, i)) && (u = lm_weights_tensor(b, i)); i++) {
        assert_int_equal(t->rows, u->rows);
        assert_int_equal(t->cols, u->cols);
        const size_t n = t->rows * t->cols;
        float *x = mem_array(n, sizeof *x), *y = mem_array(n, sizeof *y);
        assert_true(x && y);
        assert_int_equal(lm_weights_values(a, t, 0, t->rows, x, NULL), GENAIR_OK);
        assert_int_equal(lm_weights_values(b, u, 0, u->rows, y, NULL), GENAIR_OK);
        const bool reordered =
            a->rope_pairs && (strstr(t->name, "attn_q") || strstr(t->name, "attn_k"));
        double sum = 0;
        for (size_t k = 0; k < n; k++)
            sum += (double)x[k] - (double)y[k];
        assert_true(fabs(sum) < 1e-6 * (double)(n + 1));
        if (!reordered) assert_memory_equal(x, y, n * sizeof *x);
        mem_free(x);
        mem_free(y);
    }
    assert_true(!lm_weights_tensor(a, i) && !lm_weights_tensor(b, i) && i > 30);
    for (size_t k = 0; k < a->config.head_dim / 2;
         k++) /* stored as float32 in one, computed in the other */
        assert_true(fabsf(a->config.rope_divisors[k] - b->config.rope_divisors[k]) < 1e-6F);
    lm_weights_close(a);
    lm_weights_close(b);
}

static void golden_models(void **state) {
    (void)state;
    if (!file_exists(golden)) skip();
    compare_forms("llama-tiny");
    compare_forms("llama3-tiny");
    compare_forms("qwen2-tiny");
}

int main(int argc, char **argv) {
    golden = argc > 1 ? argv[1] : "";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms),
        cmocka_unit_test(tied_embeddings),
        cmocka_unit_test(configs_are_refused),
        cmocka_unit_test(tensors_are_refused),
        cmocka_unit_test(shards),
        cmocka_unit_test(rope_scaling),
        cmocka_unit_test(rope_scaling_of_gguf),
        cmocka_unit_test(variants_of_gguf),
        cmocka_unit_test(another_normaliser_is_refused),
        cmocka_unit_test(end_tokens),
        cmocka_unit_test(read_errors),
        cmocka_unit_test(hashes),
        cmocka_unit_test(finite_blocks),
        cmocka_unit_test(golden_models),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
