/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/describe.h"

#include "base/alloc.h"
#include "lm/tokenizer.h"
#include "lm/weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 4 }; /* elements of an array */

/* Text as JSON takes it: cut, and without bytes that are no UTF-8. */
static json_t *text_json(struct text t) {
    char excerpt[TEXT_EXCERPT];
    text_excerpt(t, excerpt);
    return json_string(excerpt);
}

/* ---- a model that can be run ---- */

static const char *form_of(uint64_t values, const uint64_t *by_type, char out[160]) {
    size_t used = 0;
    for (size_t i = 0; i < N_LM_TYPES; i++)
        if (by_type[i] && used < 150)
            used += (size_t)snprintf(out + used, 160 - used, "%s%s %.0f %%", used ? ", " : "",
                                     lm_types[i].name, 100 * (double)by_type[i] / (double)values);
    return out;
}

static json_t *model_json(const struct lm_weights *w) {
    const struct lm_config *c = &w->config;
    uint64_t values = 0, bytes = 0, by_type[N_LM_TYPES] = {0};
    const struct lm_tensor *t;
    char types[160] = "";
    for (size_t i = 0; (t = lm_weights_tensor(w, i)); i++) {
        values += (uint64_t)t->rows * t->cols;
        bytes += (uint64_t)t->rows * t->row_bytes;
        by_type[t->type] += (uint64_t)t->rows * t->cols;
    }
    json_t *eos = json_array();
    for (size_t i = 0; i < c->n_eos; i++)
        json_array_append_new(eos, json_integer(c->eos[i]));
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:b, s:o, s:I, s:I, s:s}",
        "architecture", lm_architecture_names[c->architecture], "layers", (json_int_t)c->n_layers,
        "hidden", (json_int_t)c->hidden, "heads", (json_int_t)c->n_heads, "key_value_heads",
        (json_int_t)c->n_kv_heads, "head_dim", (json_int_t)c->head_dim, "ffn", (json_int_t)c->ffn,
        "vocabulary", (json_int_t)c->vocabulary, "context", (json_int_t)c->context, "norm_epsilon",
        (double)c->norm_eps, "rope_base", c->rope_base, "tied_embeddings", w->tied, "end_tokens",
        eos, "parameters", (json_int_t)values, "weight_bytes", (json_int_t)bytes, "types",
        form_of(values, by_type, types));
}

/* Opened with its tokenizer, which adds the ends of the chat format's turns, and without which it cannot be run: *why says so then. */
static genair_code open_model(const char *path, struct lm_weights **w, genair_status *why) {
    struct tokenizer *t = NULL;
    genair_code code = lm_weights_open(path, w, why);
    if (code == GENAIR_OK) code = tokenizer_open(*w, &t, why);
    tokenizer_free(t);
    return code;
}

/* w: NULL where there is none; why: empty where it can be run. */
static bool put_model(json_t *out, const struct lm_weights *w, const genair_status *why) {
    return (!w || json_object_set_new(out, "model", model_json(w)) == 0) &&
           (!*why->message || json_object_set_new(out, "not_usable", json_string(why->message)) == 0);
}

/* ---- GGUF ---- */

static json_t *number_json(double x) {
    return isfinite(x) ? json_real(x) : json_string(isnan(x) ? "NaN" : "infinite");
}

static json_t *scalar_json(const struct gguf *g, const char *key) {
    uint64_t whole;
    double number;
    bool flag;
    struct text text;
    if (gguf_u64(g, key, true, &whole, NULL) == GENAIR_OK && whole <= INT64_MAX)
        return json_integer((json_int_t)whole);
    if (gguf_f64(g, key, true, &number, NULL) == GENAIR_OK) return number_json(number);
    if (gguf_bool(g, key, true, &flag, NULL) == GENAIR_OK) return json_boolean(flag);
    if (gguf_text(g, key, true, &text, NULL) == GENAIR_OK) return text_json(text);
    return json_string("?"); /* a bool that is neither 0 nor 1 */
}

/* How long it is and how it begins; NULL when memory is short. */
static json_t *array_json(const struct gguf *g, const struct gguf_value *v, const char *key) {
    json_t *first = json_array();
    struct text *texts = NULL;
    double *numbers = NULL;
    size_t n = 0;
    genair_code code = v->type == GGUF_STRING ? gguf_texts(g, key, true, &texts, &n, NULL)
                                              : gguf_numbers(g, key, true, &numbers, &n, NULL);
    for (size_t i = 0; code == GENAIR_OK && i < n && i < SHOWN; i++)
        json_array_append_new(first, texts ? text_json(texts[i]) : number_json(numbers[i]));
    mem_free(texts);
    mem_free(numbers);
    if (code == GENAIR_MEMORY) {
        json_decref(first);
        return NULL;
    }
    return json_pack("{s:s, s:I, s:o}", "array_of", gguf_type_name(v->type), "elements",
                     (json_int_t)v->n, "first", first);
}

/* NULL when memory is short. */
static json_t *metadata_json(const struct gguf *g) {
    json_t *out = json_object();
    bool whole = out != NULL;
    for (size_t i = 0; whole && i < g->n_values; i++) {
        const struct gguf_value *v = &g->values[i];
        char *key = mem_text(v->key.p, v->key.n), shown[TEXT_EXCERPT];
        text_excerpt(v->key, shown);
        json_t *value = !key ? NULL : v->is_array ? array_json(g, v, key) : scalar_json(g, key);
        whole = json_object_set_new(out, shown, value) == 0;
        mem_free(key);
    }
    if (whole) return out;
    json_decref(out);
    return NULL;
}

static json_t *gguf_tensors_json(const struct gguf *g, json_int_t *n_values) {
    json_t *list = json_array();
    for (size_t i = 0; i < g->n_tensors; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        char shape[96] = "";
        json_int_t values = 1;
        for (size_t k = t->n_dims, used = 0; k-- > 0;) { /* rows first */
            used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%zu", used ? " x " : "",
                                     t->dims[k]);
            values *= (json_int_t)t->dims[k]; /* the bytes are in the file: no overflow */
        }
        *n_values += values;
        json_array_append_new(list,
                              json_pack("{s:o, s:s, s:s, s:I, s:I}", "name", text_json(t->name),
                                        "type", lm_types[t->type].name, "shape", shape, "values",
                                        values, "bytes", (json_int_t)t->n_bytes));
    }
    return list;
}

genair_code describe_gguf(const char *path, json_t *out, genair_status *st) {
    struct gguf *g = NULL;
    struct lm_weights *w = NULL;
    genair_status why = {0};
    json_int_t n_values = 0;
    genair_code code = gguf_open(path, &g, st);
    if (code != GENAIR_OK) return code;
    code = open_model(path, &w, &why);
    if (code == GENAIR_MEMORY || code == GENAIR_IO) { /* says nothing of the model */
        lm_weights_close(w);
        gguf_close(g);
        return fail_like(st, &why);
    }
    json_t *tensors = gguf_tensors_json(g, &n_values);
    json_t *facts = json_pack("{s:I, s:I, s:I}", "version", (json_int_t)g->version, "bytes", (json_int_t)g->file_bytes, "values",
                              n_values);
    const bool whole = put_model(facts, w, &why) && json_object_set_new(facts, "metadata", metadata_json(g)) == 0;
    code = describe_head(out, "GGUF", path, st);
    if (json_object_set_new(facts, "tensors", tensors) != 0 || !whole || (code == GENAIR_OK && json_object_update(out, facts) != 0))
        code = fail_memory(st);
    json_decref(facts);
    lm_weights_close(w);
    gguf_close(g);
    return code;
}

/* ---- a directory ---- */

static json_t *model_tensors_json(const struct lm_weights *w) {
    json_t *list = json_array();
    const struct lm_tensor *t;
    for (size_t i = 0; (t = lm_weights_tensor(w, i)); i++) {
        char shape[64];
        if (!t->rows) continue;
        if (t->rows == 1)
            snprintf(shape, sizeof shape, "%zu", t->cols);
        else
            snprintf(shape, sizeof shape, "%zu x %zu", t->rows, t->cols);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I}", "name", t->name, "type",
                                              lm_types[t->type].name, "shape", shape, "values",
                                              (json_int_t)(t->rows * t->cols)));
    }
    return list;
}

genair_code describe_model_directory(const char *path, json_t *out, genair_status *st) {
    struct lm_weights *w = NULL;
    genair_status why = {0};
    genair_code code = open_model(path, &w, &why);
    if (!w || code == GENAIR_MEMORY) {
        lm_weights_close(w);
        return fail_like(st, &why);
    }
    code = describe_head(out, "Hugging Face model", path, st);
    if (code == GENAIR_OK && (!put_model(out, w, &why) || json_object_set_new(out, "tensors", model_tensors_json(w)) != 0))
        code = fail_memory(st);
    lm_weights_close(w);
    return code;
}
