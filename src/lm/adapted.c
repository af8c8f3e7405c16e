/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks are the outer loop, groups of sequences the inner one: a block's weights are read twice a step, however many
 * sequences there are. A group's dropout is drawn anew, equal, when its states are made again. */
#include "lm/adapted.h"

#include "base/alloc.h"
#include "base/size.h"
#include "lm/types.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* MOST_GROUPS: steps of dropout that a block has. */
enum { N_BIASED = 3, GROUP_TOKENS = 2048, ROWS_PER_TASK = 64, MOST_GROUPS = 1 << 16 };

/* q, k and v first: they have biases. */
static const char *const projection_names[LAYER_MATRICES] = {"attn_q", "attn_k",      "attn_v",  "attn_output",
                                                            "ffn_gate", "ffn_up", "ffn_down"};

struct adapted_block {
    struct parameter *a[LAYER_MATRICES], *b[LAYER_MATRICES];
};

struct adapted {
    genair_context *ctx;
    struct parallel *parallel;
    const struct lm_weights *weights;
    struct adapter_options options;
    struct parameters *parameters;
    struct block_shape shape;
    struct adapted_block *blocks;
    struct tensor *views; /* [parameters] of the adapters, which outlive the tape's resets */
    struct tape tape;
    /* the weights of one block */
    float *matrix[LAYER_MATRICES], *bias[N_BIASED], *attention_norm, *ffn_norm, *final_norm;
    float *states;   /* [n_layers + 1, tokens, hidden], or [tokens, hidden] when nothing is kept */
    float *gradient; /* [tokens, hidden] */
    size_t states_capacity, gradient_capacity, step_tokens;
    uint64_t step;
};

/* ---- weights ---- */

struct rows {
    const struct adapted *m;
    const struct lm_tensor *t;
    float *out;
    genair_code *codes; /* [tasks] */
};

static genair_code read_rows(const struct adapted *m, const struct lm_tensor *t, size_t first, size_t n, float *out,
                             genair_status *st) {
    unsigned char *bytes = mem_array(n, t->row_bytes);
    if (!bytes) return fail_memory(st);
    const genair_code code = m->options.read(m->options.source, t, first, n, bytes, st);
    if (code == GENAIR_OK)
        lm_types[t->type].decode(bytes, n * t->row_bytes / lm_types[t->type].block_bytes, out);
    mem_free(bytes);
    return code;
}

static genair_code read_part(const struct rows *r, size_t task, genair_status *st) {
    const size_t first = task * ROWS_PER_TASK;
    return read_rows(r->m, r->t, first, min_size(ROWS_PER_TASK, r->t->rows - first), r->out + first * r->t->cols, st);
}

static void read_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct rows *r = context;
    r->codes[task] = read_part(r, task, NULL);
}

static genair_code read_tensor(const struct adapted *m, const struct lm_tensor *t, float *out, genair_status *st) {
    const size_t n_tasks = (t->rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK;
    struct rows r = {m, t, out, mem_zeros(n_tasks + 1, sizeof *r.codes)};
    genair_code code = r.codes ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) parallel_run(m->parallel, n_tasks, read_task, &r);
    for (size_t i = 0; i < n_tasks && code == GENAIR_OK; i++)
        if (r.codes[i] != GENAIR_OK) code = read_part(&r, i, st); /* once more, for the message */
    mem_free(r.codes);
    return code;
}

static genair_code read_block(struct adapted *m, size_t l, genair_status *st) {
    const struct lm_layer *layer = &m->weights->layers[l];
    const struct lm_tensor *const biases[] = {&layer->q_bias, &layer->k_bias, &layer->v_bias};
    if (context_stopped(m->ctx)) return context_interrupted(st);
    genair_code code = read_tensor(m, &layer->attn_norm, m->attention_norm, st);
    if (code == GENAIR_OK) code = read_tensor(m, &layer->ffn_norm, m->ffn_norm, st);
    for (size_t i = 0; i < LAYER_MATRICES && code == GENAIR_OK; i++)
        code = read_tensor(m, &layer->matrices[i], m->matrix[i], st);
    for (size_t i = 0; i < N_BIASED && code == GENAIR_OK; i++)
        if (biases[i]->rows) code = read_tensor(m, biases[i], m->bias[i], st);
    return code;
}

/* Rows of the embedding, as the first block's inputs. */
static genair_code read_embeddings(struct adapted *m, const struct sequences *s, float *out, genair_status *st) {
    const size_t d = m->weights->config.hidden;
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < s->offsets[s->n] && code == GENAIR_OK; i++)
        code = read_rows(m, &m->weights->embedding, s->tokens[i], 1, out + i * d, st);
    return code;
}

/* ---- creation ---- */

static genair_code add_adapters(struct adapted *m, uint64_t seed, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t l = 0; l < m->weights->config.n_layers; l++) {
        const struct lm_tensor *t = m->weights->layers[l].matrices;
        for (size_t i = 0; i < LAYER_MATRICES && code == GENAIR_OK; i++) {
            char name[64];
            struct adapted_block *b = &m->blocks[l];
            snprintf(name, sizeof name, "blk.%zu.%s.lora_a", l, projection_names[i]);
            code = parameters_add(m->parameters, name, m->options.rank, t[i].cols, false, &b->a[i], st);
            if (code != GENAIR_OK) break;
            parameter_uniform(b->a[i], 1 / sqrt((double)t[i].cols), seed);
            name[strlen(name) - 1] = 'b';
            code = parameters_add(m->parameters, name, t[i].rows, m->options.rank, false, &b->b[i], st);
        }
    }
    return code;
}

static bool allocate(struct adapted *m) {
    const struct lm_config *c = &m->weights->config;
    const struct lm_tensor *t = m->weights->layers[0].matrices; /* of one shape in all */
    m->blocks = mem_zeros(c->n_layers, sizeof *m->blocks);
    m->views = mem_zeros(c->n_layers * LAYER_MATRICES * 2, sizeof *m->views);
    bool sound = m->blocks && m->views;
    for (size_t i = 0; i < LAYER_MATRICES; i++) {
        size_t n;
        m->matrix[i] = mul_size(t[i].rows, t[i].cols, &n) ? mem_aligned(n, sizeof(float)) : NULL;
        sound = sound && m->matrix[i];
        if (i >= N_BIASED) continue;
        m->bias[i] = mem_aligned(t[i].rows, sizeof(float));
        sound = sound && m->bias[i];
    }
    float **const norms[] = {&m->attention_norm, &m->ffn_norm, &m->final_norm};
    for (size_t i = 0; i < COUNT(norms); i++) {
        *norms[i] = mem_aligned(c->hidden, sizeof(float));
        sound = sound && *norms[i];
    }
    return sound && tape_init(&m->tape, m->parallel, kernels_select(NULL), 0);
}

static genair_code read_weights(const void *source, const struct lm_tensor *t, size_t first, size_t n_rows, void *out,
                                genair_status *st) {
    return lm_weights_read(source, t, first, n_rows, out, st);
}

genair_code adapted_create(genair_context *ctx, const struct lm_weights *w, const struct adapter_options *options,
                           struct parameters *parameters, uint64_t seed, struct adapted **out, genair_status *st) {
    const struct lm_config *c = &w->config;
    struct adapted *m = mem_zeros(1, sizeof *m);
    if (!m) return fail_memory(st);
    *m = (struct adapted){.ctx = ctx, .parallel = context_parallel(ctx), .weights = w, .options = *options,
                          .parameters = parameters};
    if (!options->read) {
        m->options.read = read_weights;
        m->options.source = w;
    }
    m->shape = (struct block_shape){.n_heads = c->n_heads, .n_kv_heads = c->n_kv_heads, .head_dim = c->head_dim,
                                    .norm_eps = c->norm_eps, .rope_base = c->rope_base,
                                    .rope_divisors = c->rope_divisors, .rope_halves = !w->rope_pairs,
                                    .adapter_scale = (float)(options->alpha / (double)options->rank),
                                    .adapter_dropout = options->dropout};
    genair_code code = allocate(m) ? add_adapters(m, seed, st) : fail_memory(st);
    m->tape.seed = seed;
    if (code == GENAIR_OK) code = read_tensor(m, &w->final_norm, m->final_norm, st);
    if (code != GENAIR_OK) {
        adapted_free(m);
        return code;
    }
    *out = m;
    return GENAIR_OK;
}

void adapted_free(struct adapted *m) {
    if (!m) return;
    for (size_t i = 0; i < LAYER_MATRICES; i++) mem_free(m->matrix[i]);
    for (size_t i = 0; i < N_BIASED; i++) mem_free(m->bias[i]);
    mem_free(m->attention_norm);
    mem_free(m->ffn_norm);
    mem_free(m->final_norm);
    mem_free(m->states);
    mem_free(m->gradient);
    mem_free(m->blocks);
    mem_free(m->views);
    if (m->tape.arena) tape_deinit(&m->tape);
    mem_free(m);
}

/* ---- groups of sequences ---- */

struct group {
    size_t first, n;     /* sequences */
    size_t row, rows;    /* tokens */
    size_t number;
    uint32_t *offsets;   /* [n + 1] from 0, on the tape */
};

/* Whole sequences of GROUP_TOKENS tokens together, or one longer one. */
static struct group next_group(const struct sequences *s, const struct group *before) {
    struct group g = {.first = before ? before->first + before->n : 0, .number = before ? before->number + 1 : 0};
    g.row = s->offsets[g.first];
    while (g.first + g.n < s->n && (g.n == 0 || s->offsets[g.first + g.n + 1] - g.row <= GROUP_TOKENS)) g.n++;
    g.rows = s->offsets[g.first + g.n] - g.row;
    return g;
}

/* Clears the tape for a group in a block. */
static bool start_group(struct adapted *m, const struct sequences *s, struct group *g, size_t l, bool training) {
    const uint64_t place = m->step * (m->weights->config.n_layers + 1) + l;
    tape_reset(&m->tape, training, place * MOST_GROUPS + g->number % MOST_GROUPS);
    g->offsets = tape_array(&m->tape, g->n + 1, sizeof *g->offsets);
    for (size_t i = 0; g->offsets && i <= g->n; i++) g->offsets[i] = s->offsets[g->first + i] - (uint32_t)g->row;
    return g->offsets != NULL;
}

static struct tensor *frozen(struct adapted *m, const struct lm_tensor *t, float *values) {
    return t->rows ? tape_view(&m->tape, t->rows, t->cols, values, NULL) : NULL;
}

/* The tensor of an adapter's matrix, for all groups of a step. */
static struct tensor *adapter(struct adapted *m, size_t l, size_t i, size_t k) {
    struct parameter *p = k ? m->blocks[l].b[i] : m->blocks[l].a[i];
    struct tensor *view = &m->views[(l * LAYER_MATRICES + i) * 2 + k];
    if (!p->tensor) {
        *view = (struct tensor){.rows = p->rows, .cols = p->cols, .value = p->value, .gradient = p->gradient};
        p->tensor = view;
    }
    return p->tensor;
}

static struct tensor *forward_block(struct adapted *m, size_t l, const struct group *g, struct tensor *x) {
    const struct lm_layer *layer = &m->weights->layers[l];
    const struct lm_tensor *const biases[] = {&layer->q_bias, &layer->k_bias, &layer->v_bias};
    struct block block = {.attention_norm = frozen(m, &layer->attn_norm, m->attention_norm),
                          .ffn_norm = frozen(m, &layer->ffn_norm, m->ffn_norm)};
    struct projection *const to[] = {&block.q, &block.k, &block.v, &block.out, &block.gate, &block.up, &block.down};
    for (size_t i = 0; i < LAYER_MATRICES; i++)
        *to[i] = (struct projection){.w = frozen(m, &layer->matrices[i], m->matrix[i]), .a = adapter(m, l, i, 0), .b = adapter(m, l, i, 1),
                                     .bias = i < N_BIASED ? frozen(m, biases[i], m->bias[i]) : NULL};
    if (tape_failed(&m->tape)) return NULL;
    return block_forward(&m->tape, &block, &m->shape, x, g->offsets, g->n);
}

static struct tensor *pool(struct adapted *m, const struct group *g, enum pooling pooling, struct tensor *x) {
    struct tape *t = &m->tape;
    struct tensor *h = op_rmsnorm(t, x, frozen(m, &m->weights->final_norm, m->final_norm), m->shape.norm_eps);
    if (pooling == POOL_MEAN) return op_mean(t, h, g->offsets, g->n);
    uint32_t *last = tape_array(t, g->n, sizeof *last);
    for (size_t i = 0; last && i < g->n; i++) last[i] = g->offsets[i + 1] - 1;
    return last ? op_gather(t, h, NULL, last, g->n) : NULL;
}

/* ---- forward and backward ---- */

static bool reserve(float **array, size_t *capacity, size_t n) {
    return mem_grow(array, capacity, n, sizeof **array);
}

/* keep: the inputs of all blocks stay. */
static genair_code forward(struct adapted *m, const struct sequences *s, enum pooling pooling, bool keep, float *out,
                           genair_status *st) {
    const struct lm_config *c = &m->weights->config;
    const size_t d = c->hidden, tokens = s->offsets[s->n];
    size_t size, all;
    if (!mul_size(tokens, d, &size) || !mul_size(size, keep ? c->n_layers + 1 : 1, &all) ||
        !reserve(&m->states, &m->states_capacity, all))
        return fail_memory(st);
    parameters_begin_step(m->parameters);
    genair_code code = read_embeddings(m, s, m->states, st);
    for (size_t l = 0; l <= c->n_layers && code == GENAIR_OK; l++) {
        float *from = m->states + (keep ? l : 0) * size, *to = m->states + (keep ? l + 1 : 0) * size;
        if (l < c->n_layers) code = read_block(m, l, st);
        struct group g = next_group(s, NULL);
        for (; g.n && code == GENAIR_OK; g = next_group(s, &g)) {
            if (!start_group(m, s, &g, l, keep)) return fail_memory(st);
            struct tensor *x = tape_view(&m->tape, g.rows, d, from + g.row * d, NULL);
            struct tensor *y = l < c->n_layers ? forward_block(m, l, &g, x) : pool(m, &g, pooling, x);
            if (!y || tape_failed(&m->tape)) return fail_memory(st);
            memcpy(l < c->n_layers ? to + g.row * d : out + g.first * d, y->value, y->rows * d * sizeof *out);
        }
    }
    m->step_tokens = tokens;
    return code;
}

genair_code adapted_encode(struct adapted *m, const struct sequences *s, enum pooling pooling, float *out,
                           genair_status *st) {
    return forward(m, s, pooling, false, out, st);
}

genair_code adapted_forward(struct adapted *m, const struct sequences *s, enum pooling pooling, uint64_t step, float *out,
                            genair_status *st) {
    m->step = step;
    return forward(m, s, pooling, true, out, st);
}

genair_code adapted_backward(struct adapted *m, const struct sequences *s, enum pooling pooling, const float *slopes,
                             genair_status *st) {
    const struct lm_config *c = &m->weights->config;
    const size_t d = c->hidden, size = m->step_tokens * d;
    if (!reserve(&m->gradient, &m->gradient_capacity, size)) return fail_memory(st);
    parameters_begin_step(m->parameters);
    genair_code code = GENAIR_OK;
    for (size_t l = c->n_layers + 1; l-- > 0 && code == GENAIR_OK;) {
        if (l < c->n_layers) code = read_block(m, l, st);
        struct group g = next_group(s, NULL);
        for (; g.n && code == GENAIR_OK; g = next_group(s, &g)) {
            if (!start_group(m, s, &g, l, true)) return fail_memory(st);
            float *gradient = m->gradient + g.row * d;
            struct tensor *x = tape_view(&m->tape, g.rows, d, m->states + l * size + g.row * d, gradient);
            struct tensor *y = l < c->n_layers ? forward_block(m, l, &g, x) : pool(m, &g, pooling, x);
            if (!y || tape_failed(&m->tape)) return fail_memory(st);
            memcpy(y->gradient, l < c->n_layers ? gradient : slopes + g.first * d, y->rows * d * sizeof *gradient);
            y->written = true;
            tape_backward(&m->tape); /* x's gradient takes the place of y's */
        }
    }
    return code;
}
