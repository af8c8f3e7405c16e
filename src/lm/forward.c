/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of Llama (Touvron et al., 2023) and Qwen 2, in order:
 *
 *     x += W_out attention(rope(W_q n + b_q), rope(W_k n + b_k), W_v n + b_v),  n = rmsnorm(x)
 *     x += W_down (silu(W_gate n) * W_up n),                                   n = rmsnorm(x)
 *
 * What is done to rows is done in tasks of a few rows, what multiplies in tasks of a few rows of the weights. */
#include "lm/forward.h"

#include "base/alloc.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

enum { ROWS_PER_TASK = 8 };

/* All [max_rows, …]; a row is a whole number of panels, what products write. */
struct batch_memory {
    size_t max_rows, hidden, heads, kv_heads, ffn, vocabulary; /* widths of rows, padded */
    float *x, *normed, *added; /* residual stream, its norm, what a half of a layer adds to it */
    float *q, *k, *v, *mixed;
    float *gated; /* silu(gate) * up */
    float *gating; /* [workers, max_rows, 2 MATRIX_GATED] */
    float *cos, *sin; /* [max_rows, head_dim / 2] */
    float *logits;
    struct int8_rows codes, gated_codes; /* of what products read: one of the rows that are passing, one of gated */
    float *attention;          /* [workers, attention_floats] */
    size_t attention_floats;
    size_t positions;          /* they are enough for */
    struct kv **kv_of_row;
    size_t *position_of_row;
    const uint32_t *tokens; /* of the batch that is passing */
    size_t n;
};

static size_t padded(size_t n) {
    return (n + PANEL - 1) / PANEL * PANEL;
}

static bool allocate_codes(size_t n_rows, size_t width, struct int8_rows *out) {
    out->n_blocks = (width + INT8_BLOCK - 1) / INT8_BLOCK;
    const size_t n_blocks = (n_rows / INT8_ROWS + 1) * out->n_blocks * INT8_ROWS;
    out->codes = mem_aligned(n_blocks, INT8_BLOCK);
    out->scales = mem_aligned(n_blocks, sizeof *out->scales);
    out->sums = mem_aligned(n_blocks, 2 * sizeof *out->sums);
    out->starts = mem_aligned(n_blocks, sizeof *out->starts);
    return out->codes && out->scales && out->sums && out->starts;
}

static void free_codes(struct int8_rows *rows) {
    mem_free(rows->codes);
    mem_free(rows->scales);
    mem_free(rows->sums);
    mem_free(rows->starts);
}

static bool allocate(const struct model_lm *m, struct batch_memory *b, size_t max_logits) {
    const struct lm_config *c = &m->config;
    const size_t n = b->max_rows, n_workers = (size_t)parallel_threads(m->parallel);
    struct {
        float **array;
        size_t width;
    } const arrays[] = {
        {&b->x, b->hidden},      {&b->normed, b->hidden}, {&b->added, b->hidden}, {&b->q, b->heads},
        {&b->k, b->kv_heads},    {&b->v, b->kv_heads},    {&b->mixed, b->heads},  {&b->gated, b->ffn},
        {&b->cos, c->head_dim},  {&b->sin, c->head_dim},  {&b->gating, n_workers * 2 * MATRIX_GATED},
    };
    for (size_t i = 0; i < COUNT(arrays); i++) {
        size_t values;
        if (!mul_size(n, arrays[i].width, &values)) return false;
        *arrays[i].array = mem_aligned(values, sizeof(float));
        if (!*arrays[i].array) return false;
    }
    b->logits = mem_aligned(max_logits * b->vocabulary, sizeof *b->logits);
    b->kv_of_row = mem_array(n, sizeof(struct kv *));
    b->position_of_row = mem_array(n, sizeof *b->position_of_row);
    return allocate_codes(max_size(n, max_logits), max_size(b->hidden, b->heads), &b->codes) &&
           allocate_codes(n, b->ffn, &b->gated_codes) && b->logits && b->kv_of_row && b->position_of_row;
}

genair_code batch_memory_create(const struct model_lm *m, size_t max_rows, size_t max_logits, struct batch_memory **out,
                                genair_status *st) {
    const struct lm_config *c = &m->config;
    struct batch_memory *b = mem_zeros(1, sizeof *b);
    if (!b) return fail_memory(st);
    b->max_rows = max_rows;
    b->hidden = padded(c->hidden);
    b->heads = padded(c->n_heads * c->head_dim);
    b->kv_heads = padded(c->n_kv_heads * c->head_dim);
    b->ffn = padded(c->ffn);
    b->vocabulary = padded(c->vocabulary);
    if (!allocate(m, b, max_logits)) {
        batch_memory_free(b);
        return fail_memory(st);
    }
    *out = b;
    return GENAIR_OK;
}

void batch_memory_free(struct batch_memory *b) {
    if (!b) return;
    float *const arrays[] = {b->x, b->normed, b->added, b->q, b->k, b->v, b->mixed, b->gated, b->gating, b->cos, b->sin,
                             b->logits, b->attention};
    for (size_t i = 0; i < COUNT(arrays); i++) mem_free(arrays[i]);
    free_codes(&b->codes);
    free_codes(&b->gated_codes);
    mem_free(b->kv_of_row);
    mem_free(b->position_of_row);
    mem_free(b);
}

genair_code batch_memory_reserve(const struct model_lm *m, struct batch_memory *b, size_t positions, genair_status *st) {
    if (positions <= b->positions) return GENAIR_OK;
    const size_t floats = padded(attention_scratch(&m->config, positions));
    float *grown = mem_aligned(floats * (size_t)parallel_threads(m->parallel), sizeof *grown);
    if (!grown) return fail_memory(st);
    mem_free(b->attention);
    b->attention = grown;
    b->attention_floats = floats;
    b->positions = positions;
    return GENAIR_OK;
}

/* ---- what is done to rows ---- */

struct pass {
    const struct model_lm *m;
    struct batch_memory *b;
    const struct layer *layer;
    size_t index; /* of the layer */
    const float *norm_weights;
    void (*row)(const struct pass *p, size_t r);
};

static void rows_task(void *context, size_t i, int worker) {
    (void)worker;
    const struct pass *p = context;
    const size_t end = min_size(p->b->n, (i + 1) * ROWS_PER_TASK);
    for (size_t r = i * ROWS_PER_TASK; r < end; r++) p->row(p, r);
}

static void over_rows(struct pass *p, void (*row)(const struct pass *p, size_t r)) {
    p->row = row;
    parallel_run(p->m->parallel, (p->b->n + ROWS_PER_TASK - 1) / ROWS_PER_TASK, rows_task, p);
}

static void quantise(const struct pass *p, size_t r, const float *x, size_t width) {
    if (p->m->float_arithmetic || width % INT8_BLOCK) return; /* no matrix of integers has such rows */
    p->m->kernels->int8_quantise(x, width, &p->b->codes, r);
}

static void embed(const struct pass *p, size_t r) {
    matrix_row(&p->m->embedding, p->m->kernels, p->b->tokens[r], p->b->x + r * p->b->hidden);
    const struct lm_config *c = &p->m->config;
    for (size_t i = 0; i < c->head_dim / 2; i++) {
        const double turns = pow(c->rope_base, -2 * (double)i / (double)c->head_dim) / (double)c->rope_divisors[i];
        const double angle = (double)p->b->position_of_row[r] * turns;
        p->b->cos[r * c->head_dim + i] = (float)cos(angle);
        p->b->sin[r * c->head_dim + i] = (float)sin(angle);
    }
}

static void norm(const struct pass *p, size_t r) {
    const size_t width = p->m->config.hidden;
    float *x = p->b->x + r * p->b->hidden, *y = p->b->normed + r * p->b->hidden;
    p->m->kernels->rmsnorm(x, p->norm_weights, p->m->config.norm_eps, width, y);
    quantise(p, r, y, width);
}

static void add_and_norm(const struct pass *p, size_t r) {
    float *x = p->b->x + r * p->b->hidden;
    p->m->kernels->add(x, p->b->added + r * p->b->hidden, x, p->m->config.hidden);
    norm(p, r);
}

static void rotate_heads(const struct pass *p, size_t r, float *x, size_t n_heads, const float *bias) {
    const size_t width = p->m->config.head_dim;
    const float *cos = p->b->cos + r * width, *sin = p->b->sin + r * width;
    if (bias) p->m->kernels->add(x, bias, x, n_heads * width);
    for (size_t h = 0; h < n_heads; h++) p->m->kernels->rotate(x + h * width, cos, sin, width / 2);
}

static void place(const struct pass *p, size_t r) {
    const struct lm_config *c = &p->m->config;
    struct batch_memory *b = p->b;
    float *k = b->k + r * b->kv_heads, *v = b->v + r * b->kv_heads;
    rotate_heads(p, r, b->q + r * b->heads, c->n_heads, p->layer->q_bias);
    rotate_heads(p, r, k, c->n_kv_heads, p->layer->k_bias);
    if (p->layer->v_bias) p->m->kernels->add(v, p->layer->v_bias, v, c->n_kv_heads * c->head_dim);
    for (size_t h = 0; h < c->n_kv_heads; h++)
        kv_put(c, b->kv_of_row[r], p->index, h, b->position_of_row[r], k + h * c->head_dim, v + h * c->head_dim);
}

static void quantise_mixed(const struct pass *p, size_t r) {
    quantise(p, r, p->b->mixed + r * p->b->heads, p->m->config.n_heads * p->m->config.head_dim);
}

/* ---- products ---- */

static struct activations activations(const struct pass *p, const float *x, size_t stride, const struct int8_rows *codes) {
    struct activations a = {.n = p->b->n, .values = x, .stride = stride, .codes = *codes};
    if (p->m->float_arithmetic) a.codes.codes = NULL;
    return a;
}

static void multiply(const struct pass *p, const struct activations *x, const struct matrix_product *products, size_t n) {
    matrix_products(p->m->parallel, p->m->kernels, products, n, x);
}

static void feed_forward(const struct pass *p) {
    struct batch_memory *b = p->b;
    const struct layer *l = p->layer;
    const struct activations normed = activations(p, b->normed, b->hidden, &b->codes);
    struct gated_product gated = {.gate = &l->gate, .up = &l->up, .scratch = b->gating, .values = b->gated, .stride = b->ffn,
                                  .scratch_stride = b->max_rows * 2 * MATRIX_GATED};
    if (matrix_is_integer(&l->down) && !p->m->float_arithmetic) gated.codes = b->gated_codes;
    matrix_gated_product(p->m->parallel, p->m->kernels, &gated, &normed);
    const struct activations x = activations(p, b->gated, b->ffn, &b->gated_codes);
    multiply(p, &x, &(struct matrix_product){&l->down, b->added, b->hidden}, 1);
}

static void layer_pass(struct pass *p, const struct span *spans, size_t n_spans) {
    struct batch_memory *b = p->b;
    const struct layer *l = p->layer;
    const struct matrix_product qkv[] = {{&l->q, b->q, b->heads}, {&l->k, b->k, b->kv_heads}, {&l->v, b->v, b->kv_heads}};
    const struct activations normed = activations(p, b->normed, b->hidden, &b->codes);
    multiply(p, &normed, qkv, COUNT(qkv));
    over_rows(p, place);
    cached_attention(p->m->parallel, &(struct cached_attention){
        .config = &p->m->config, .kernels = p->m->kernels, .spans = spans, .n_spans = n_spans, .layer = p->index, .q = b->q,
        .out = b->mixed, .q_stride = b->heads, .out_stride = b->heads, .scratch = b->attention,
        .scratch_stride = b->attention_floats});
    over_rows(p, quantise_mixed);
    const struct activations mixed = activations(p, b->mixed, b->heads, &b->codes);
    multiply(p, &mixed, &(struct matrix_product){&l->out, b->added, b->hidden}, 1);
    p->norm_weights = l->ffn_norm;
    over_rows(p, add_and_norm);
    feed_forward(p);
}

const float *forward(const struct model_lm *m, struct batch_memory *b, const uint32_t *tokens, size_t n,
                     const struct span *spans, size_t n_spans, size_t *stride) {
    struct pass p = {.m = m, .b = b, .norm_weights = m->layers[0].attn_norm};
    b->tokens = tokens;
    b->n = n;
    for (size_t i = 0; i < n_spans; i++)
        for (size_t j = 0; j < spans[i].n; j++) {
            b->kv_of_row[spans[i].row + j] = spans[i].kv;
            b->position_of_row[spans[i].row + j] = spans[i].position + j;
        }
    over_rows(&p, embed);
    over_rows(&p, norm);
    for (p.index = 0; p.index < m->config.n_layers; p.index++) {
        p.layer = &m->layers[p.index];
        layer_pass(&p, spans, n_spans);
        p.norm_weights = p.index + 1 < m->config.n_layers ? m->layers[p.index + 1].attn_norm : m->final_norm;
        over_rows(&p, add_and_norm);
    }
    *stride = b->hidden;
    return b->normed;
}

float *forward_logits(const struct model_lm *m, struct batch_memory *b, const size_t *rows, size_t n_rows, size_t *stride) {
    struct pass p = {.m = m, .b = b};
    /* the residual stream is done with: the chosen rows go there */
    for (size_t i = 0; i < n_rows; i++) {
        float *x = b->x + i * b->hidden;
        memcpy(x, b->normed + rows[i] * b->hidden, m->config.hidden * sizeof *x);
        quantise(&p, i, x, m->config.hidden);
    }
    struct activations a = activations(&p, b->x, b->hidden, &b->codes);
    a.n = n_rows;
    const struct matrix *output = m->output.data ? &m->output : &m->embedding;
    matrix_products(m->parallel, m->kernels, &(struct matrix_product){output, b->logits, b->vocabulary}, 1, &a);
    *stride = b->vocabulary;
    return b->logits;
}
