/* SPDX-License-Identifier: Apache-2.0 */
/* Group 01_backbone: states, gradients, user vectors and scores of the sequence models; LayerNorm alone. */
#include "golden/golden_model.h"
#include "golden/groups.h"

#include "base/size.h"
#include "tensor/ops.h"

#include <math.h>
#include <string.h>

struct backbone_case {
    struct golden *g;
    struct model *m;
    size_t d, n_tokens, n_sequences;
    const uint32_t *items;   /* ids from 1, MASK_ROW */
    const uint32_t *offsets;
};

/* The model's tables as one tensor of this step; index_of_token: each token is a row of its own. */
static struct tensor *item_tensor(const struct backbone_case *c, bool row_per_token) {
    const struct parameter *table = c->m->table;
    const size_t rows = row_per_token ? c->n_tokens : table->rows;
    struct tensor *x = tape_tensor(&c->m->tape, rows, c->d, true);
    if (!x) return NULL;
    if (!row_per_token) memcpy(x->value, table->value, rows * c->d * sizeof *x->value);
    const struct parameter *mask = parameters_find(c->m->parameters, "mask_emb");
    for (size_t i = 0; row_per_token && i < rows; i++)
        memcpy(x->value + i * c->d, c->items[i] == MASK_ROW ? mask->value : table->value + c->items[i] * c->d,
               c->d * sizeof *x->value);
    return x;
}

static void begin(const struct backbone_case *c) {
    tape_reset(&c->m->tape, true, 1);
    parameters_begin_step(c->m->parameters);
}

static void check_states(const struct backbone_case *c) {
    struct golden *g = c->g;
    begin(c);
    struct tensor *table = item_tensor(c, false);
    struct tensor *h = model_backbone(c->m, table, c->items, c->offsets, c->n_sequences);
    const double sum = golden_backward(g, &c->m->tape, h, "in.cotangent");
    if (golden_failed(g)) return;
    golden_expect_f32(g, "out.h", h->value, c->n_tokens * c->d);
    golden_expect_f64(g, "out.L", &sum, 1);
    golden_expect_gradients(g, c->m, "");
    tensor_open_gradient(table); /* where every item is masked, nothing wrote it */
    golden_expect_f32(g, "grad.item_emb", table->gradient + c->d, (table->rows - 1) * c->d);
    for (size_t i = 0; i < c->d; i++)
        golden_expect_number(g, "gradient of the table's row 0", 0, (double)table->gradient[i], 0);
    float *user = golden_zeros(g, c->n_sequences * c->d, sizeof *user);
    for (size_t b = 0; user && b < c->n_sequences; b++)
        memcpy(user + b * c->d, h->value + (c->offsets[b + 1] - 1) * c->d, c->d * sizeof *user);
    if (user) golden_expect_f32(g, "out.user", user, c->n_sequences * c->d);
}

/* grad_in.e: the same with a table of one row a token, the mask token's included. */
static void check_token_gradients(const struct backbone_case *c) {
    uint32_t *identity = golden_zeros(c->g, c->n_tokens, sizeof *identity);
    if (!identity) return;
    for (size_t i = 0; i < c->n_tokens; i++) identity[i] = (uint32_t)i;
    begin(c);
    struct tensor *table = item_tensor(c, true);
    struct tensor *h = model_backbone(c->m, table, identity, c->offsets, c->n_sequences);
    golden_backward(c->g, &c->m->tape, h, "in.cotangent");
    if (!golden_failed(c->g)) golden_expect_f32(c->g, "grad_in.e", table->gradient, c->n_tokens * c->d);
}

/* What the block of transformer.c computes on the way, of the first block (tiny cases have one). */
static void check_intermediates(const struct backbone_case *c) {
    struct golden *g = c->g;
    struct tape *t = &c->m->tape;
    const struct model_config *config = &c->m->config;
    const size_t d = c->d, n = c->n_tokens * d;
    begin(c);
    const struct parameters *all = c->m->parameters;
#define TENSOR(name) parameter_tensor(t, parameters_find(all, name))
    struct tensor *mask = config->backbone == BERT4REC ? TENSOR("mask_emb") : NULL;
    struct tensor *x = op_embed(t, &(struct embedding){.table = item_tensor(c, false), .mask = mask,
                                                       .position = TENSOR("pos_emb"), .index = c->items,
                                                       .offsets = c->offsets, .n_sequences = c->n_sequences,
                                                       .scale = sqrtf((float)d)});
    struct tensor *q = op_layernorm(t, x, TENSOR("block0.attn_ln.weight"), TENSOR("block0.attn_ln.bias"), 1e-8f);
    struct tensor *w = TENSOR("block0.attn.in_proj.weight"), *b = TENSOR("block0.attn.in_proj.bias");
    struct tensor *queries = op_linear(t, q, tape_view(t, d, d, w->value, NULL), tape_view(t, 1, d, b->value, NULL));
    struct tensor *kv = op_linear(t, x, tape_view(t, 2 * d, d, w->value + d * d, NULL),
                                  tape_view(t, 1, 2 * d, b->value + d, NULL));
    struct tensor *a = op_attention(t, &(struct attention){.q = queries, .kv = kv, .offsets = c->offsets,
                                                           .n_sequences = c->n_sequences,
                                                           .n_heads = config->n_heads,
                                                           .causal = config->causal});
    a = op_linear(t, a, TENSOR("block0.attn.out_proj.weight"), TENSOR("block0.attn.out_proj.bias"));
    struct tensor *y = op_layernorm(t, op_add(t, q, a), TENSOR("block0.ffn_ln.weight"),
                                    TENSOR("block0.ffn_ln.bias"), 1e-8f);
    struct tensor *f = op_linear(t, y, TENSOR("block0.ffn.w1.weight"), TENSOR("block0.ffn.w1.bias"));
    f = op_linear(t, op_dropout_relu(t, f, 0), TENSOR("block0.ffn.w2.weight"), TENSOR("block0.ffn.w2.bias"));
    struct tensor *out = op_add(t, y, f);
#undef TENSOR
    if (!out) {
        golden_fail(g, "out of memory");
        return;
    }
    golden_expect_f32(g, "mid.x0", x->value, n);
    golden_expect_f32(g, "mid.block0.q", q->value, n);
    golden_expect_f32(g, "mid.block0.attn", a->value, n);
    golden_expect_f32(g, "mid.block0.ffn_in", y->value, n);
    golden_expect_f32(g, "mid.block0.out", out->value, n);
}

/* Scores as evaluation gets them: histories without BERT4Rec's mask token, which model_encode appends. */
static void check_inference(const struct backbone_case *c) {
    struct golden *g = c->g;
    const bool masked = c->m->config.backbone == BERT4REC;
    const size_t n_items = c->m->config.n_items, d = c->d;
    uint64_t *offsets = golden_zeros(g, c->n_sequences + 1, sizeof *offsets);
    uint32_t *items = golden_zeros(g, c->n_tokens, sizeof *items);
    float *user = golden_zeros(g, c->n_sequences * d, sizeof *user);
    double *scores = golden_zeros(g, c->n_sequences * n_items, sizeof *scores);
    if (!offsets || !items || !user || !scores) return;
    for (size_t b = 0; b < c->n_sequences; b++) {
        const size_t n = c->offsets[b + 1] - c->offsets[b] - masked;
        memcpy(items + offsets[b], c->items + c->offsets[b], n * sizeof *items);
        offsets[b + 1] = offsets[b] + n;
    }
    const struct histories h = {.n = c->n_sequences, .offsets = offsets, .items = items};
    if (!golden_ok(g, model_refresh_items(c->m, golden_status(g)))) return;
    if (!golden_ok(g, model_encode(c->m, &h, user, golden_status(g)))) return;
    for (size_t b = 0; b < c->n_sequences; b++)
        for (size_t i = 0; i < n_items; i++)
            scores[b * n_items + i] = (double)golden_kernels(g)->dot(user + b * d,
                                                                     c->m->item_vectors + (i + 1) * d, d);
    golden_expect_f32(g, "out.user", user, c->n_sequences * d);
    golden_expect_f64(g, "out.scores", scores, c->n_sequences * n_items);
}

void golden_backbone(struct golden *g) {
    const struct model_config config = golden_config(g);
    const struct adam_options adam = golden_adam(g);
    struct backbone_case c = {.g = g, .d = config.hidden};
    c.items = golden_items(g, "in.items", config.n_items, &c.n_tokens);
    c.offsets = golden_offsets(g, "in.offsets", &c.n_sequences);
    c.m = golden_model(g, &config, NULL, &adam);
    if (!c.m) return;
    golden_set_parameters(g, c.m, "");
    if (!golden_failed(g)) check_states(&c);
    if (!golden_failed(g)) check_token_gradients(&c);
    if (!golden_failed(g) && golden_has(g, "mid.x0")) check_intermediates(&c);
    if (!golden_failed(g) && golden_has(g, "out.scores")) check_inference(&c);
    model_free(c.m);
}

/* The gradients of rows without variance are 1 / sqrt(eps) times those of others, and the tolerance of the
 * array is made for them: beside it each row is held to 1e-3 of its own largest entry. Row 5 has an
 * offset that costs float32 these digits. */
static void check_rows(struct golden *g, const float *found, size_t rows, size_t cols) {
    const double *expected = golden_f64(g, "grad_in.x", NULL);
    for (size_t r = 0; expected && r < rows; r++) {
        double largest = 0;
        for (size_t i = 0; i < cols; i++) largest = fmax(largest, fabs(expected[r * cols + i]));
        for (size_t i = 0; r != 5 && i < cols; i++)
            golden_expect_number(g, "grad_in.x by rows", expected[r * cols + i], (double)found[r * cols + i],
                                 1e-3 * largest);
    }
}

void golden_layernorm(struct golden *g) {
    struct tape t;
    const size_t rows = golden_dim(g, "in.x", 0), cols = golden_dim(g, "in.x", 1);
    if (golden_failed(g) || !golden_tape(g, &t)) return;
    struct tensor *x = golden_tensor(g, &t, "in.x", rows, cols);
    struct tensor *w = golden_tensor(g, &t, "param.ln.weight", 1, cols);
    struct tensor *b = golden_tensor(g, &t, "param.ln.bias", 1, cols);
    struct tensor *y = op_layernorm(&t, x, w, b, (float)golden_number(g, "eps"));
    const double sum = golden_backward(g, &t, y, "in.cotangent");
    if (!golden_failed(g)) {
        golden_expect_f32(g, "out.y", y->value, rows * cols);
        golden_expect_f64(g, "out.L", &sum, 1);
        golden_expect_f32(g, "grad.ln.weight", w->gradient, cols);
        golden_expect_f32(g, "grad.ln.bias", b->gradient, cols);
        golden_expect_f32(g, "grad_in.x", x->gradient, rows * cols);
        check_rows(g, x->gradient, rows, cols);
    }
    tape_deinit(&t);
}
