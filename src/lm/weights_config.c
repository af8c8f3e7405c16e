/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of a Hugging Face directory. What would change the numbers and is not known here is
 * refused, not ignored. */
#include "lm/weights_form.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG = 16 << 20 };

/* An object of a file, for messages. */
struct config {
    const json_t *json;
    const char *path;
};

static genair_code wrong(const struct config *j, const char *key, const char *expected,
                         genair_status *st) {
    const json_t *v = json_object_get(j->json, key);
    char *text = v ? json_text(v, JSON_ENCODE_ANY | JSON_COMPACT) : NULL, found[TEXT_EXCERPT];
    text_excerpt(text_of(text ? text : ""), found);
    free(text); /* jansson's */
    if (!v) return fail_line(st, GENAIR_FORMAT, j->path, 0, "it has no \"%s\"", key);
    return fail_line(st, GENAIR_FORMAT, j->path, 0, "\"%s\" is %s, expected %s", key, found,
                     expected);
}

/* Whether the key is there; null counts as absent. */
static bool has(const struct config *j, const char *key) {
    const json_t *v = json_object_get(j->json, key);
    return v && !json_is_null(v);
}

static genair_code read_size(const struct config *j, const char *key, size_t *out,
                             genair_status *st) {
    const json_t *v = json_object_get(j->json, key);
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return wrong(j, key, "a whole number, 0 or more", st);
    *out = (size_t)json_integer_value(v);
    return GENAIR_OK;
}

static genair_code read_positive(const struct config *j, const char *key, double *out,
                                 genair_status *st) {
    const json_t *v = json_object_get(j->json, key);
    if (!json_is_number(v) || !(json_number_value(v) > 0))
        return wrong(j, key, "a number above 0", st);
    *out = json_number_value(v);
    return GENAIR_OK;
}

static genair_code read_sizes(const struct config *j, struct lm_config *c, genair_status *st) {
    const struct {
        const char *key;
        size_t *out;
    } needed[] = {{"num_hidden_layers", &c->n_layers},  {"hidden_size", &c->hidden},
                  {"num_attention_heads", &c->n_heads}, {"intermediate_size", &c->ffn},
                  {"vocab_size", &c->vocabulary},       {"max_position_embeddings", &c->context}};
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0] && code == GENAIR_OK; i++)
        code = read_size(j, needed[i].key, needed[i].out, st);
    c->n_kv_heads = c->n_heads;
    if (code == GENAIR_OK && has(j, "num_key_value_heads"))
        code = read_size(j, "num_key_value_heads", &c->n_kv_heads, st);
    if (code == GENAIR_OK && has(j, "head_dim")) code = read_size(j, "head_dim", &c->head_dim, st);
    return code;
}

/* ---- rotary angles ---- */

static genair_code read_llama3(const struct config *j, struct rope_scaling *r, genair_status *st) {
    genair_code code = read_positive(j, "factor", &r->factor, st);
    if (code == GENAIR_OK) code = read_positive(j, "low_freq_factor", &r->low, st);
    if (code == GENAIR_OK) code = read_positive(j, "high_freq_factor", &r->high, st);
    if (code == GENAIR_OK)
        code = read_positive(j, "original_max_position_embeddings", &r->original, st);
    if (code == GENAIR_OK && r->high <= r->low)
        code = wrong(j, "high_freq_factor", "more than \"low_freq_factor\"", st);
    r->kind = ROPE_LLAMA3;
    return code;
}

/* Under "rope_scaling", in newer files under "rope_parameters" together with the base. */
static genair_code read_rope(const struct config *j, struct form_config *f, genair_status *st) {
    const char *name = has(j, "rope_parameters") ? "rope_parameters" : "rope_scaling";
    const struct config rope = {json_object_get(j->json, name), j->path};
    const char *type_key = has(&rope, "rope_type") ? "rope_type" : "type";
    genair_code code = GENAIR_OK;
    f->c.rope_base = 10000;
    if (has(j, "rope_theta")) code = read_positive(j, "rope_theta", &f->c.rope_base, st);
    if (code != GENAIR_OK || !has(j, name)) return code;
    if (!json_is_object(rope.json)) return wrong(j, name, "an object", st);
    if (has(&rope, "rope_theta")) code = read_positive(&rope, "rope_theta", &f->c.rope_base, st);
    const char *type = json_string_value(json_object_get(rope.json, type_key));
    if (code != GENAIR_OK || (type && strcmp(type, "default") == 0)) return code;
    if (type && strcmp(type, "llama3") == 0) return read_llama3(&rope, &f->rope, st);
    if (!type || strcmp(type, "linear") != 0)
        return wrong(j, name, "one of the types default, linear, llama3", st);
    f->rope.kind = ROPE_LINEAR;
    return read_positive(&rope, "factor", &f->rope.factor, st);
}

/* ---- end tokens ---- */

static genair_code add_eos(const struct config *j, struct lm_config *c, genair_status *st) {
    static const char key[] = "eos_token_id";
    const json_t *v = json_object_get(j->json, key);
    const size_t n = json_is_array(v) ? json_array_size(v) : has(j, key);
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < n && code == GENAIR_OK; i++) {
        const json_t *id = json_is_array(v) ? json_array_get(v, i) : v;
        if (!json_is_integer(id) || json_integer_value(id) < 0)
            return wrong(j, key, "a token's number, or a list of them", st);
        code = lm_config_add_eos(c, (uint64_t)json_integer_value(id), j->path, st);
    }
    return code;
}

/* ---- files ---- */

static genair_code read_config(const struct config *j, struct form_config *f, genair_status *st) {
    const char *type = json_string_value(json_object_get(j->json, "model_type")),
               *act = json_string_value(json_object_get(j->json, "hidden_act"));
    double eps = 0;
    if (!type) return wrong(j, "model_type", "the architecture's name", st);
    genair_code code = lm_config_architecture(&f->c, text_of(type), j->path, st);
    if (code != GENAIR_OK) return code;
    if (has(j, "hidden_act") && (!act || strcmp(act, "silu") != 0))
        return wrong(j, "hidden_act", "\"silu\"", st);
    if (json_is_true(json_object_get(j->json, "use_sliding_window")))
        return wrong(j, "use_sliding_window", "false: attention is over the whole context", st);
    if (has(j, "quantization_config"))
        return wrong(j, "quantization_config", "plain weights; quantised ones are read from GGUF",
                     st);
    f->tied = json_is_true(json_object_get(j->json, "tie_word_embeddings"));
    code = read_sizes(j, &f->c, st);
    if (code == GENAIR_OK) code = read_positive(j, "rms_norm_eps", &eps, st);
    f->c.norm_eps = (float)eps;
    if (code == GENAIR_OK) code = read_rope(j, f, st);
    return code == GENAIR_OK ? add_eos(j, &f->c, st) : code;
}

static genair_code read_generation(const struct config *j, struct form_config *f,
                                   genair_status *st) {
    return add_eos(j, &f->c, st);
}

typedef genair_code read_object(const struct config *j, struct form_config *f, genair_status *st);

static genair_code read_file(const char *path, read_object *read, struct form_config *f,
                             genair_status *st) {
    json_t *json;
    genair_code code = json_file_read(path, MAX_CONFIG, &json, st);
    if (code != GENAIR_OK) return code;
    if (!json_is_object(json))
        code = fail_line(st, GENAIR_FORMAT, path, 0, "not a JSON object");
    else
        code = read(&(struct config){json, path}, f, st);
    json_decref(json);
    return code;
}

genair_code weights_config_read(const char *directory, struct form_config *out, genair_status *st) {
    char *config = path_join(directory, "config.json"),
         *generation = path_join(directory, "generation_config.json");
    genair_code code =
        config && generation ? read_file(config, read_config, out, st) : fail_memory(st);
    if (code == GENAIR_OK && file_exists(generation))
        code = read_file(generation, read_generation, out, st);
    mem_free(config);
    mem_free(generation);
    return code;
}
