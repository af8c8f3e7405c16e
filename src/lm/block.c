/* SPDX-License-Identifier: Apache-2.0 */
#include "lm/block.h"

/* The adapter's input is scaled, which is the same as scaling what it adds. */
static struct tensor *project(struct tape *t, const struct projection *p, const struct block_shape *s, struct tensor *x) {
    struct tensor *y = op_linear(t, x, p->w, p->bias);
    if (!p->a) return y;
    struct tensor *low = op_linear(t, op_dropout_scaled(t, x, s->adapter_dropout, s->adapter_scale), p->a, NULL);
    return op_add(t, op_linear(t, low, p->b, NULL), y);
}

struct tensor *block_forward(struct tape *t, const struct block *b, const struct block_shape *s, struct tensor *x,
                             const uint32_t *offsets, size_t n_sequences) {
    struct rotation rotation = {.offsets = offsets, .n_sequences = n_sequences, .width = s->head_dim,
                                .n_columns = s->n_heads * s->head_dim, .base = s->rope_base,
                                .divisors = s->rope_divisors, .halves = s->rope_halves};
    struct tensor *h = op_rmsnorm(t, x, b->attention_norm, s->norm_eps);
    struct attention attention = {.offsets = offsets, .n_sequences = n_sequences, .n_heads = s->n_heads, .causal = true};
    attention.q = op_rope(t, project(t, &b->q, s, h), &rotation);
    rotation.n_columns = s->n_kv_heads * s->head_dim;
    attention.kv = op_rope(t, project(t, &b->k, s, h), &rotation);
    if (b->v.w) attention.v = project(t, &b->v, s, h);
    if (tape_failed(t)) return NULL;
    x = op_add(t, project(t, &b->out, s, op_attention(t, &attention)), x);
    h = op_rmsnorm(t, x, b->ffn_norm, s->norm_eps);
    h = op_swiglu(t, project(t, &b->gate, s, h), project(t, &b->up, s, h));
    return op_add(t, project(t, &b->down, s, h), x);
}
