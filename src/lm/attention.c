/* SPDX-License-Identifier: Apache-2.0 */
/* Grouped-query attention: softmax(q k / sqrt(head_dim)) v over a sequence's own positions up to the query's. Sums over
 * positions run from the first one on; positions after the query's have weight 0, which changes no sum, so it does not
 * matter in how many pieces the sequence came. */
#include "lm/forward.h"

#include "base/alloc.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

enum { TOKENS_PER_TASK = 8 };

static size_t round_to_panel(size_t n) {
    return (n + PANEL - 1) / PANEL * PANEL;
}

size_t kv_round(size_t n_tokens) {
    return round_to_panel(n_tokens);
}

/* Floats of the keys, or the values, of one head at one position. */
static size_t head_floats(const struct lm_config *c) {
    return round_to_panel(c->head_dim);
}

uint64_t kv_bytes_per_token(const struct lm_config *c) {
    return (uint64_t)c->n_layers * c->n_kv_heads * 2 * head_floats(c) * sizeof(float);
}

genair_code kv_create(const struct lm_config *c, size_t capacity, struct kv *out, genair_status *st) {
    out->capacity = kv_round(capacity);
    out->data = mem_aligned(out->capacity, kv_bytes_per_token(c));
    if (!out->data) return fail_memory(st);
    memset(out->data, 0, out->capacity * kv_bytes_per_token(c)); /* panels are read whole */
    return GENAIR_OK;
}

void kv_free(struct kv *kv) {
    mem_free(kv->data);
    *kv = (struct kv){0};
}

static float *keys_of(const struct lm_config *c, const struct kv *kv, size_t layer, size_t head) {
    return kv->data + (layer * c->n_kv_heads + head) * 2 * kv->capacity * head_floats(c);
}

static float *values_of(const struct lm_config *c, const struct kv *kv, size_t layer, size_t head) {
    return keys_of(c, kv, layer, head) + kv->capacity * head_floats(c);
}

void kv_put(const struct lm_config *c, struct kv *kv, size_t layer, size_t head, size_t position, const float *key,
            const float *value) {
    float *keys = keys_of(c, kv, layer, head) + position / PANEL * PANEL * c->head_dim + position % PANEL;
    float *values = values_of(c, kv, layer, head) + position * PANEL;
    for (size_t i = 0; i < c->head_dim; i++) keys[i * PANEL] = key[i];
    for (size_t i = 0; i < c->head_dim; i += PANEL)
        memcpy(values + i * kv->capacity, value + i, min_size(PANEL, c->head_dim - i) * sizeof *value);
}

void kv_copy(const struct lm_config *c, const struct kv *from, struct kv *to, size_t n) {
    for (size_t layer = 0; layer < c->n_layers; layer++)
        for (size_t head = 0; head < c->n_kv_heads; head++) {
            memcpy(keys_of(c, to, layer, head), keys_of(c, from, layer, head),
                   round_to_panel(n) * c->head_dim * sizeof(float));
            for (size_t i = 0; i < c->head_dim; i += PANEL)
                memcpy(values_of(c, to, layer, head) + i * to->capacity, values_of(c, from, layer, head) + i * from->capacity,
                       n * PANEL * sizeof(float));
        }
}

/* ---- one task: some tokens of one span, the query heads of one key head ---- */

struct piece {
    const struct span *span;
    size_t first, n; /* tokens of the span */
    size_t head;     /* of keys */
};

static size_t query_rows(const struct lm_config *c) {
    return TOKENS_PER_TASK * (c->n_heads / c->n_kv_heads);
}

size_t attention_scratch(const struct lm_config *c, size_t positions) {
    return query_rows(c) * (round_to_panel(positions) + 2 * head_floats(c));
}

/* Queries of the piece, scaled: row (token, head). */
static void gather(const struct cached_attention *a, const struct piece *p, float *q) {
    const struct lm_config *c = a->config;
    const size_t group = c->n_heads / c->n_kv_heads, width = group * c->head_dim;
    const float scale = (float)(1 / sqrt((double)c->head_dim));
    for (size_t t = 0; t < p->n; t++)
        a->kernels->scale_add(scale, a->q + (p->span->row + p->first + t) * a->q_stride + p->head * width, 0, q + t * width,
                              width);
}

/* Scores to terms of the softmax; the rest of a row to 0. out: 1 / sum, in the first column of each row of result. */
static float weigh(const struct cached_attention *a, float *scores, size_t seen, size_t n_columns) {
    float max;
    const float sum = a->kernels->softmax_terms(scores, seen, &max);
    memset(scores + seen, 0, (n_columns - seen) * sizeof *scores);
    return 1 / sum;
}

/* Keys and values come from memory, which an answer's single token does not give the time to hide: while one piece is at
 * work, the next one's are fetched. */
static void fetch(const float *from, size_t n) {
    enum { LINE = 64 / sizeof(float) };
    for (size_t i = 0; i < n; i += LINE) __builtin_prefetch(from + i, 0, 2);
}

/* next: of the same worker, or NULL. */
static void attend(const struct cached_attention *a, const struct piece *p, const struct piece *next, float *scratch) {
    const struct lm_config *c = a->config;
    const size_t group = c->n_heads / c->n_kv_heads, n_rows = p->n * group, width = head_floats(c);
    const size_t position = p->span->position + p->first, n_keys = position + p->n, n_columns = round_to_panel(n_keys);
    float *q = scratch, *mixed = q + query_rows(c) * width, *scores = mixed + query_rows(c) * width;
    const float *keys = keys_of(c, p->span->kv, a->layer, p->head);
    const float *values = values_of(c, p->span->kv, a->layer, p->head);
    const float *next_keys = next ? keys_of(c, next->span->kv, a->layer, next->head) : NULL;
    const float *next_values = next ? values_of(c, next->span->kv, a->layer, next->head) : NULL;
    const size_t n_next = next ? next->span->position + 1 : 0;
    gather(a, p, q);
    for (size_t j = 0; j < n_columns; j += PANEL) {
        if (j < n_next) fetch(next_keys + j * c->head_dim, PANEL * c->head_dim);
        a->kernels->panel_product(q, n_rows, c->head_dim, keys + j * c->head_dim, c->head_dim, NULL, 0, scores + j, n_columns);
    }
    for (size_t r = 0; r < n_rows; r++) { /* q's row is done with: its first place keeps the factor */
        float *row = scores + r * n_columns;
        q[r * c->head_dim] = weigh(a, row, position + r / group + 1, n_columns);
    }
    for (size_t i = 0; i < c->head_dim; i += PANEL) {
        if (next) fetch(next_values + i * next->span->kv->capacity, n_next * PANEL);
        a->kernels->panel_product(scores, n_rows, n_columns, values + i * p->span->kv->capacity, n_keys, NULL, 0, mixed + i,
                                  width);
    }
    for (size_t r = 0; r < n_rows; r++) {
        const size_t row = p->span->row + p->first + r / group, head = p->head * group + r % group;
        a->kernels->scale_add(q[r * c->head_dim], mixed + r * width, 0, a->out + row * a->out_stride + head * c->head_dim,
                              c->head_dim);
    }
}

static size_t pieces_of(const struct cached_attention *a, const struct span *s) {
    return (s->n + TOKENS_PER_TASK - 1) / TOKENS_PER_TASK * a->config->n_kv_heads;
}

static struct piece piece_at(const struct cached_attention *a, size_t i) {
    const struct span *s = a->spans;
    for (; i >= pieces_of(a, s); s++) i -= pieces_of(a, s);
    struct piece p = {.span = s, .head = i % a->config->n_kv_heads, .first = i / a->config->n_kv_heads * TOKENS_PER_TASK};
    p.n = min_size(TOKENS_PER_TASK, s->n - p.first);
    return p;
}

static void attend_piece(void *context, size_t i, int worker) {
    const struct cached_attention *a = context;
    const bool last = i + 1 == a->n_pieces;
    const struct piece p = piece_at(a, i), next = piece_at(a, last ? i : i + 1);
    attend(a, &p, !last && p.n == 1 && next.n == 1 ? &next : NULL, a->scratch + (size_t)worker * a->scratch_stride);
}

void cached_attention(struct parallel *p, struct cached_attention *a) {
    a->n_pieces = 0;
    for (size_t i = 0; i < a->n_spans; i++) a->n_pieces += pieces_of(a, &a->spans[i]);
    parallel_run(p, a->n_pieces, attend_piece, a);
}
