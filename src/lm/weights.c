/* SPDX-License-Identifier: Apache-2.0 */
/* One table names every tensor of a model in both forms, with its shape; each is looked up, checked
 * and reported in the same way. A tensor that no row names makes the file another model than it
 * says, so it is refused: ignoring a bias or a norm would give wrong numbers in silence. */
#include "lm/weights.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/size.h"
#include "lm/weights_form.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK_BYTES = 1 << 20 }; /* of a file read for values or a hash */

const char *const lm_architecture_names[N_LM_ARCHITECTURES] = {
    [LM_LLAMA] = "llama",
    [LM_QWEN2] = "qwen2",
};

struct opened {
    struct lm_weights w;
    const struct weights_form *form;
    void *model; /* the form's */
    char *path;
    float *divisors;
    bool *used; /* [tensors of the form] */
};

/* ---- the table of tensors ---- */

enum size { ONE, HIDDEN, QUERY, KEY, FFN, VOCABULARY, N_SIZES };
enum necessity { NEEDED, OPTIONAL, NEEDED_BY_QWEN2 };

struct tensor_row {
    const char *names[2]; /* GGUF, directory; of a layer's without its prefix */
    size_t place;         /* in struct lm_layer or lm_weights */
    enum size rows, cols; /* rows ONE: a vector */
    enum necessity necessity;
};

#define LAYER(member) offsetof(struct lm_layer, member)
#define MODEL(member) offsetof(struct lm_weights, member)

static const struct tensor_row layer_rows[] = {
    {{"attn_norm.weight", "input_layernorm.weight"}, LAYER(attn_norm), ONE, HIDDEN, NEEDED},
    {{"attn_q.weight", "self_attn.q_proj.weight"}, LAYER(q), QUERY, HIDDEN, NEEDED},
    {{"attn_k.weight", "self_attn.k_proj.weight"}, LAYER(k), KEY, HIDDEN, NEEDED},
    {{"attn_v.weight", "self_attn.v_proj.weight"}, LAYER(v), KEY, HIDDEN, NEEDED},
    {{"attn_q.bias", "self_attn.q_proj.bias"}, LAYER(q_bias), ONE, QUERY, NEEDED_BY_QWEN2},
    {{"attn_k.bias", "self_attn.k_proj.bias"}, LAYER(k_bias), ONE, KEY, NEEDED_BY_QWEN2},
    {{"attn_v.bias", "self_attn.v_proj.bias"}, LAYER(v_bias), ONE, KEY, NEEDED_BY_QWEN2},
    {{"attn_output.weight", "self_attn.o_proj.weight"}, LAYER(out), HIDDEN, QUERY, NEEDED},
    {{"ffn_norm.weight", "post_attention_layernorm.weight"}, LAYER(ffn_norm), ONE, HIDDEN, NEEDED},
    {{"ffn_gate.weight", "mlp.gate_proj.weight"}, LAYER(gate), FFN, HIDDEN, NEEDED},
    {{"ffn_up.weight", "mlp.up_proj.weight"}, LAYER(up), FFN, HIDDEN, NEEDED},
    {{"ffn_down.weight", "mlp.down_proj.weight"}, LAYER(down), HIDDEN, FFN, NEEDED},
};

static const struct tensor_row model_rows[] = {
    {{"token_embd.weight", "model.embed_tokens.weight"},
     MODEL(embedding),
     VOCABULARY,
     HIDDEN,
     NEEDED},
    {{"output_norm.weight", "model.norm.weight"}, MODEL(final_norm), ONE, HIDDEN, NEEDED},
    {{"output.weight", "lm_head.weight"}, MODEL(output), VOCABULARY, HIDDEN, OPTIONAL},
};

/* Tensors that a layer has at least. */
static size_t n_needed(void) {
    size_t n = 0;
    for (size_t i = 0; i < COUNT(layer_rows); i++)
        n += layer_rows[i].necessity == NEEDED;
    return n;
}

/* Where a row's tensor is held; base: the layer or the model. */
static struct lm_tensor *tensor_in(void *base, const struct tensor_row *row) {
    return (struct lm_tensor *)(void *)((char *)base + row->place);
}

/* ---- looking tensors up ---- */

static size_t size_of(const struct lm_config *c, enum size s) {
    const size_t sizes[N_SIZES] = {[ONE] = 1,
                                   [HIDDEN] = c->hidden,
                                   [QUERY] = c->n_heads * c->head_dim,
                                   [KEY] = c->n_kv_heads * c->head_dim,
                                   [FFN] = c->ffn,
                                   [VOCABULARY] = c->vocabulary};
    return sizes[s];
}

static void describe_shape(size_t n_dims, size_t a, size_t b, char out[64]) {
    if (n_dims == 1)
        snprintf(out, 64, "a vector of %zu", a);
    else
        snprintf(out, 64, "%zu x %zu%s", a, b, n_dims > 2 ? " x …" : "");
}

static genair_code check_shape(const struct opened *o, const struct form_tensor *t, bool vector,
                               size_t rows, size_t cols, const char *name, genair_status *st) {
    if (vector ? t->n_dims == 1 && t->dims[0] == cols
               : t->n_dims == 2 && t->dims[0] == rows && t->dims[1] == cols)
        return GENAIR_OK;
    char found[64], expected[64];
    describe_shape(t->n_dims, t->dims[0], t->dims[1], found);
    describe_shape(vector ? 1 : 2, vector ? cols : rows, cols, expected);
    return fail_line(st, GENAIR_FORMAT, o->path, 0, "tensor \"%s\" is %s, expected %s", name, found,
                     expected);
}

/* The tensor of that name as rows x cols; rows 0 in *out when there is none. */
static genair_code look_up(struct opened *o, const char *name, bool vector, size_t rows,
                           size_t cols, struct lm_tensor *out, genair_status *st) {
    size_t i;
    struct form_tensor t;
    if (!o->form->find(o->model, name, &i)) return GENAIR_OK;
    genair_code code = o->form->tensor(o->model, i, &t, st);
    if (code == GENAIR_OK) code = check_shape(o, &t, vector, rows, cols, name, st);
    if (code != GENAIR_OK) return code;
    if (vector && lm_types[t.type].block_values > 1)
        return fail_line(st, GENAIR_FORMAT, o->path, 0,
                         "tensor \"%s\" is of type %s; vectors are F32, F16 or BF16", name,
                         lm_types[t.type].name);
    *out = (struct lm_tensor){
        .type = t.type, .rows = rows, .cols = cols, .file = t.file, .offset = t.offset};
    snprintf(out->name, sizeof out->name, "%s", name);
    o->used[i] = true;
    if (lm_row_bytes(t.type, cols, &out->row_bytes)) return GENAIR_OK;
    return fail_line(st, GENAIR_FORMAT, o->path, 0,
                     "tensor \"%s\" has rows of %zu values, a block of %s has %zu", name, cols,
                     lm_types[t.type].name, lm_types[t.type].block_values);
}

/* The tensors of the rows; prefix: of a layer. */
static genair_code look_up_all(struct opened *o, const struct tensor_row *rows, size_t n,
                               const char *prefix, void *base, genair_status *st) {
    const struct lm_config *c = &o->w.config;
    for (size_t i = 0; i < n; i++) {
        const struct tensor_row *row = &rows[i];
        struct lm_tensor *t = tensor_in(base, row);
        char name[sizeof t->name];
        snprintf(name, sizeof name, "%s%s", prefix, row->names[o->form->column]);
        const genair_code code =
            look_up(o, name, row->rows == ONE, size_of(c, row->rows), size_of(c, row->cols), t, st);
        if (code != GENAIR_OK) return code;
        if (!t->rows && (row->necessity == NEEDED ||
                         (row->necessity == NEEDED_BY_QWEN2 && c->architecture == LM_QWEN2)))
            return fail_line(st, GENAIR_FORMAT, o->path, 0,
                             "tensor \"%s\" is missing: the model is not complete, or not of "
                             "architecture %s",
                             name, lm_architecture_names[c->architecture]);
    }
    return GENAIR_OK;
}

static genair_code look_up_layers(struct opened *o, genair_status *st) {
    genair_code code = GENAIR_OK;
    o->w.layers = mem_zeros(o->w.config.n_layers, sizeof *o->w.layers);
    if (!o->w.layers) return fail_memory(st);
    for (size_t i = 0; i < o->w.config.n_layers && code == GENAIR_OK; i++) {
        char prefix[48];
        if (o->form->column == 0)
            snprintf(prefix, sizeof prefix, "blk.%zu.", i);
        else
            snprintf(prefix, sizeof prefix, "model.layers.%zu.", i);
        code = look_up_all(o, layer_rows, COUNT(layer_rows), prefix, &o->w.layers[i], st);
    }
    return code;
}

/* The output matrix, where the model has one of its own. */
static genair_code tie(struct opened *o, bool tied, genair_status *st) {
    struct lm_weights *w = &o->w;
    w->tied = tied || !w->output.rows;
    if (w->tied) w->output = w->embedding;
    if (tied || o->form->column == 0 || !w->tied) return GENAIR_OK;
    return fail_line(
        st, GENAIR_FORMAT, o->path, 0,
        "tensor \"lm_head.weight\" is missing, and \"tie_word_embeddings\" is not true");
}

/* ---- rotary angles ---- */

/* Divisor of the angle whose frequency is given, Llama 3.1: waves shorter than original / high
 * stay, longer ones than original / low are slowed down by factor, in between it goes over from one
 * to the other. */
static double llama3_divisor(const struct rope_scaling *r, double frequency) {
    const double pi = 3.14159265358979323846, waves = r->original * frequency / (2 * pi);
    if (waves > r->high) return 1;
    if (waves < r->low) return r->factor;
    const double smooth = (waves - r->low) / (r->high - r->low);
    return 1 / ((1 - smooth) / r->factor + smooth);
}

/* GGUF holds the divisors of Llama 3.1 as a tensor. */
static genair_code read_divisors(struct opened *o, struct lm_tensor *t, const struct rope_scaling *r, genair_status *st) {
    const genair_code code = lm_weights_values(&o->w, t, 0, 1, o->divisors, st);
    for (size_t i = 0; code == GENAIR_OK && i < t->cols; i++) {
        if (!(o->divisors[i] > 0))
            return fail_offset(st, GENAIR_FORMAT, o->path, (int64_t)t->offset,
                               "tensor \"%s\": value %zu is %g, expected a positive divisor",
                               t->name, i, (double)o->divisors[i]);
        if (r->kind == ROPE_LINEAR) o->divisors[i] = (float)((double)o->divisors[i] * r->factor);
    }
    return code;
}

static genair_code set_rope(struct opened *o, const struct rope_scaling *r, genair_status *st) {
    struct lm_config *c = &o->w.config;
    const size_t n = c->head_dim / 2;
    struct lm_tensor t = {.rows = 0};
    if (o->form->column == 0) {
        const genair_code code = look_up(o, "rope_freqs.weight", true, 1, n, &t, st);
        if (code != GENAIR_OK) return code;
    }
    c->rope_divisors = o->divisors = mem_array(n, sizeof *o->divisors);
    if (!o->divisors) return fail_memory(st);
    if (t.rows) return read_divisors(o, &t, r, st);
    for (size_t i = 0; i < n; i++) {
        const double frequency = pow(c->rope_base, -2.0 * (double)i / (double)c->head_dim);
        o->divisors[i] = r->kind == ROPE_LLAMA3   ? (float)llama3_divisor(r, frequency)
                         : r->kind == ROPE_LINEAR ? (float)r->factor
                                                  : 1.0F;
    }
    return GENAIR_OK;
}

/* ---- sizes ---- */

genair_code lm_config_architecture(struct lm_config *c, struct text name, const char *path,
                                   genair_status *st) {
    char found[TEXT_EXCERPT], known[64] = "";
    for (size_t i = 0, n = 0; i < N_LM_ARCHITECTURES; i++) {
        if (text_equal(name, lm_architecture_names[i])) {
            c->architecture = (enum lm_architecture)i;
            return GENAIR_OK;
        }
        n += (size_t)snprintf(known + n, sizeof known - n, i ? ", %s" : "%s",
                              lm_architecture_names[i]);
        assert(n < sizeof known);
    }
    text_excerpt(name, found);
    return fail_line(st, GENAIR_FORMAT, path, 0,
                     "the model's architecture is \"%s\"; those known are %s", found, known);
}

genair_code lm_config_add_eos(struct lm_config *c, uint64_t id, const char *path,
                              genair_status *st) {
    if (id >= c->vocabulary)
        return fail_line(st, GENAIR_FORMAT, path, 0,
                         "the end token is %" PRIu64 ", the vocabulary has %zu tokens", id,
                         c->vocabulary);
    for (size_t i = 0; i < c->n_eos; i++)
        if (c->eos[i] == id) return GENAIR_OK;
    if (c->n_eos == LM_MAX_EOS)
        return fail_line(st, GENAIR_FORMAT, path, 0, "more than %d end tokens", LM_MAX_EOS);
    c->eos[c->n_eos++] = (uint32_t)id;
    return GENAIR_OK;
}

/* Sizes up to 2^31, so that products of two cannot overflow. */
static genair_code check_sizes(const struct lm_config *c, const char *path, genair_status *st) {
    const struct {
        const char *name;
        size_t n;
    } sizes[] = {{"layers", c->n_layers},
                 {"hidden values", c->hidden},
                 {"heads", c->n_heads},
                 {"key/value heads", c->n_kv_heads},
                 {"values in its feed-forward part", c->ffn},
                 {"tokens in its vocabulary", c->vocabulary},
                 {"positions of context", c->context}};
    for (size_t i = 0; i < COUNT(sizes); i++)
        if (sizes[i].n < 1 || sizes[i].n > INT32_MAX)
            return fail_line(st, GENAIR_FORMAT, path, 0, "the model claims %zu %s", sizes[i].n,
                             sizes[i].name);
    return GENAIR_OK;
}

static genair_code check_config(struct lm_config *c, const char *path, size_t n_tensors,
                                genair_status *st) {
    const genair_code code = check_sizes(c, path, st);
    if (code != GENAIR_OK) return code;
    if (c->n_layers > n_tensors / n_needed()) /* before there is memory for them */
        return fail_line(st, GENAIR_FORMAT, path, 0,
                         "the model claims %zu layers, but has only %zu tensors", c->n_layers,
                         n_tensors);
    if (c->n_heads % c->n_kv_heads)
        return fail_line(st, GENAIR_FORMAT, path, 0,
                         "%zu key/value heads cannot serve %zu heads evenly", c->n_kv_heads,
                         c->n_heads);
    if (!c->head_dim && c->hidden % c->n_heads)
        return fail_line(st, GENAIR_FORMAT, path, 0,
                         "%zu hidden values are not divided evenly by %zu heads", c->hidden,
                         c->n_heads);
    if (!c->head_dim) c->head_dim = c->hidden / c->n_heads;
    if (c->head_dim % 2 || c->head_dim > INT32_MAX)
        return fail_line(st, GENAIR_FORMAT, path, 0,
                         "heads of %zu values: an even number is expected", c->head_dim);
    if (!(c->norm_eps > 0) || !(c->norm_eps < 1))
        return fail_line(st, GENAIR_FORMAT, path, 0,
                         "the epsilon of the norms is %g, expected between 0 and 1",
                         (double)c->norm_eps);
    if (!(c->rope_base > 0) || isinf(c->rope_base))
        return fail_line(st, GENAIR_FORMAT, path, 0,
                         "the base of the rotary angles is %g, expected above 0", c->rope_base);
    return GENAIR_OK;
}

/* ---- opening ---- */

static genair_code check_unused(const struct opened *o, genair_status *st) {
    static const char ignored[] = "rotary_emb.inv_freq"; /* follows from the base */
    const size_t n_ignored = strlen(ignored);
    for (size_t i = 0; i < o->form->count(o->model); i++) {
        const struct text name = o->form->name(o->model, i);
        if (o->used[i] ||
            (name.n > n_ignored && memcmp(name.p + name.n - n_ignored, ignored, n_ignored) == 0))
            continue;
        char text[TEXT_EXCERPT];
        text_excerpt(name, text);
        return fail_line(
            st, GENAIR_FORMAT, o->path, 0,
            "tensor \"%s\" has no place in a %s model of %zu layers: a variant that is "
            "not known here",
            text, lm_architecture_names[o->w.config.architecture], o->w.config.n_layers);
    }
    return GENAIR_OK;
}

static genair_code read_model(struct opened *o, genair_status *st) {
    struct form_config f = {.c = {.n_layers = 0}};
    genair_code code = o->form->open(o->path, &o->model, st);
    if (code != GENAIR_OK) return code;
    code = o->form->config(o->model, &f, st);
    if (code == GENAIR_OK) code = check_config(&f.c, o->path, o->form->count(o->model), st);
    if (code != GENAIR_OK) return code;
    o->w.config = f.c;
    o->w.rope_pairs = o->form->column == 0 && f.c.architecture == LM_LLAMA;
    o->used = mem_zeros(o->form->count(o->model), sizeof *o->used);
    if (!o->used) return fail_memory(st);
    code = look_up_all(o, model_rows, COUNT(model_rows), "", &o->w, st);
    if (code == GENAIR_OK) code = look_up_layers(o, st);
    if (code == GENAIR_OK) code = tie(o, f.tied, st);
    if (code == GENAIR_OK) code = set_rope(o, &f.rope, st);
    if (code == GENAIR_OK) code = check_unused(o, st);
    return code;
}

genair_code lm_weights_open(const char *path, struct lm_weights **out, genair_status *st) {
    struct stat info;
    if (stat(path, &info) != 0) return fail_errno(st, path, "open");
    struct opened *o = mem_zeros(1, sizeof *o);
    if (!o) return fail_memory(st);
    o->form = S_ISDIR(info.st_mode) ? &weights_directory_form : &weights_gguf_form;
    o->path = mem_text(path, strlen(path));
    o->w.path = o->path;
    o->w.private_ = o;
    const genair_code code = o->path ? read_model(o, st) : fail_memory(st);
    if (code == GENAIR_OK) {
        o->w.config.n_eos_named = o->w.config.n_eos;
        if (o->form == &weights_gguf_form) o->w.gguf = o->model;
        *out = &o->w;
    } else {
        lm_weights_close(&o->w);
    }
    return code;
}

void lm_weights_close(struct lm_weights *w) {
    if (!w) return;
    struct opened *o = w->private_;
    if (o->model) o->form->close(o->model);
    mem_free(o->path);
    mem_free(o->divisors);
    mem_free(o->used);
    mem_free(o->w.layers);
    mem_free(o);
}

const struct lm_tensor *lm_weights_tensor(const struct lm_weights *w, size_t i) {
    static const struct lm_tensor none;
    struct opened *o = w->private_;
    const size_t n_model = COUNT(model_rows), n_layer = COUNT(layer_rows);
    if (i < n_model) {
        const struct lm_tensor *t = tensor_in(&o->w, &model_rows[i]);
        return t == &w->output && w->tied ? &none : t;
    }
    const size_t layer = (i - n_model) / n_layer;
    if (layer >= w->config.n_layers) return NULL;
    return tensor_in(&w->layers[layer], &layer_rows[(i - n_model) % n_layer]);
}

/* ---- reading ---- */

genair_code lm_weights_read(const struct lm_weights *w, const struct lm_tensor *t, size_t first,
                            size_t n_rows, void *out, genair_status *st) {
    const struct opened *o = w->private_;
    assert(first <= t->rows && n_rows <= t->rows - first);
    const struct lm_type_traits *traits = &lm_types[t->type];
    const uint64_t offset = t->offset + (uint64_t)first * t->row_bytes;
    const genair_code code =
        o->form->read(o->model, t->file, offset, out, n_rows * t->row_bytes, st);
    if (code != GENAIR_OK) return code;
    if (lm_finite(t->type, out, n_rows * t->row_bytes / traits->block_bytes)) return GENAIR_OK;
    return fail_offset(st, GENAIR_FORMAT, o->path, (int64_t)offset,
                       "tensor \"%s\" holds an infinity or NaN in rows %zu to %zu: the model is "
                       "damaged, copy or convert it again",
                       t->name, first, first + n_rows - 1);
}

/* Rows that are read at once; also of a tensor that is not there. */
static size_t rows_at_once(const struct lm_tensor *t) {
    return max_size(1, CHUNK_BYTES / max_size(1, t->row_bytes));
}

genair_code lm_weights_values(const struct lm_weights *w, const struct lm_tensor *t, size_t first,
                              size_t n_rows, float *out, genair_status *st) {
    const struct lm_type_traits *traits = &lm_types[t->type];
    const size_t step = min_size(rows_at_once(t), n_rows);
    unsigned char *bytes = mem_array(step, t->row_bytes);
    genair_code code = bytes ? GENAIR_OK : fail_memory(st);
    for (size_t i = 0; i < n_rows && code == GENAIR_OK; i += step) {
        const size_t n = min_size(step, n_rows - i);
        code = lm_weights_read(w, t, first + i, n, bytes, st);
        if (code == GENAIR_OK)
            traits->decode(bytes, n * t->row_bytes / traits->block_bytes, out + i * t->cols);
    }
    mem_free(bytes);
    return code;
}

/* ---- hash ---- */

static void hash_number(struct hasher *h, uint64_t n) {
    unsigned char bytes[8];
    bytes_put_u64(bytes, n);
    hasher_add(h, bytes, sizeof bytes);
}

static void hash_f64(struct hasher *h, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    hash_number(h, bits);
}

static void hash_config(struct hasher *h, const struct lm_weights *w) {
    const struct lm_config *c = &w->config;
    const uint64_t sizes[] = {c->architecture, c->n_layers, c->hidden,     c->n_heads,
                              c->n_kv_heads,   c->head_dim, c->ffn,        c->vocabulary,
                              c->context,      w->tied,     w->rope_pairs, c->n_eos_named};
    for (size_t i = 0; i < COUNT(sizes); i++)
        hash_number(h, sizes[i]);
    for (size_t i = 0; i < c->n_eos_named; i++)
        hash_number(h, c->eos[i]);
    hash_f64(h, (double)c->norm_eps);
    hash_f64(h, c->rope_base);
    for (size_t i = 0; i < c->head_dim / 2; i++)
        hash_f64(h, (double)c->rope_divisors[i]);
}

struct hashing {
    genair_context *ctx;
    struct hasher *hasher;
    unsigned char *bytes; /* of some rows */
    double done, all;     /* bytes of the model */
};

static genair_code hash_tensor(struct hashing *h, const struct lm_weights *w, const struct lm_tensor *t, genair_status *st) {
    const size_t step = rows_at_once(t);
    genair_code code = GENAIR_OK;
    hash_number(h->hasher, (uint64_t)t->type);
    hash_number(h->hasher, t->rows);
    for (size_t i = 0; i < t->rows && code == GENAIR_OK; i += step) {
        const size_t n = min_size(step, t->rows - i);
        if (h->ctx && context_stopped(h->ctx)) return context_interrupted(st);
        code = lm_weights_read(w, t, i, n, h->bytes, st);
        if (code == GENAIR_OK) hasher_add(h->hasher, h->bytes, n * t->row_bytes);
        h->done += (double)n * (double)t->row_bytes;
        if (h->ctx) context_progress(h->ctx, "checking the model", h->done, h->all);
    }
    return code;
}

genair_code lm_weights_add_eos(struct lm_weights *w, uint32_t id, genair_status *st) {
    return lm_config_add_eos(&w->config, id, w->path, st);
}

/* No type takes more than four bytes a value. */
static size_t largest_row(const struct lm_config *c) {
    return 4 * max_size(max_size(c->hidden, c->ffn), c->n_heads * c->head_dim);
}

genair_code lm_weights_hash(genair_context *ctx, const struct lm_weights *w, char out[33], genair_status *st) {
    struct hashing h = {.ctx = ctx, .hasher = hasher_create(), .bytes = mem_array(max_size(CHUNK_BYTES, largest_row(&w->config)), 1)};
    genair_code code = h.hasher && h.bytes ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) hash_config(h.hasher, w);
    const struct lm_tensor *t;
    for (size_t i = 0; (t = lm_weights_tensor(w, i)); i++) h.all += (double)t->rows * (double)t->row_bytes;
    for (size_t i = 0; code == GENAIR_OK && (t = lm_weights_tensor(w, i)); i++)
        code = hash_tensor(&h, w, t, st);
    mem_free(h.bytes);
    char digits[33];
    if (h.hasher) hasher_finish(h.hasher, digits);
    if (code == GENAIR_OK) memcpy(out, digits, sizeof digits);
    return code;
}
