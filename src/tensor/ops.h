/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the operations of the models, each with its backward pass. See tape.h for the rules.
 *
 * Batches are packed: sequence b is rows offsets[b] .. offsets[b + 1] - 1 of a [T, d] tensor. Index and
 * offset arrays must live until the tape is reset. Every operation's gradient is checked in
 * tests/tensor/test_gradients.c against float64 differences. */
#ifndef GENAIR_TENSOR_OPS_H
#define GENAIR_TENSOR_OPS_H

#include "tensor/tape.h"

/* y = x W^T + b. x: [n, in], w: [out, in], b: [1, out] or NULL. */
struct tensor *op_linear(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *b);

/* Rows normalised: (x - mean) / sqrt(var + eps) * w + b; w, b: [1, n]. */
struct tensor *op_layernorm(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *b, float eps);

/* Rows divided by their root mean square: x / sqrt(mean of x^2 + eps) * w; w: [1, n], which may want no gradient. */
struct tensor *op_rmsnorm(struct tape *t, struct tensor *x, struct tensor *w, float eps);

/* Rows x / |x| times length; a row without a direction (|x| below 1e-12) gives zeros, and no gradient. */
struct tensor *op_unit_rows(struct tape *t, struct tensor *x, float length);
/* Rows ground[index[i]] of width columns, which are constants, their last columns replaced by x or x added. */
struct tensor *op_overlay(struct tape *t, const float *ground, size_t width, const uint32_t *index, struct tensor *x,
                          bool add);

/* Columns first .. first + n - 1. */
struct tensor *op_columns(struct tape *t, struct tensor *x, size_t first, size_t n);
/* The columns of a, then those of b, which has as many rows. */
struct tensor *op_beside(struct tape *t, struct tensor *a, struct tensor *b);

/* Row g is scale times the mean of x's rows start[g] .. start[g + 1] - 1, at least one; start[0] is 0. */
struct tensor *op_group_mean(struct tape *t, struct tensor *x, const uint32_t *start, size_t n_groups, float scale);

struct tensor *op_gelu(struct tape *t, struct tensor *x);
/* x where it is positive, else slope x. */
struct tensor *op_leaky_relu(struct tape *t, struct tensor *x, float slope);
/* silu(gate) * up, silu(x) = x / (1 + e^-x) (Shazeer, 2020). The result's value is gone after the backward pass. */
struct tensor *op_swiglu(struct tape *t, struct tensor *gate, struct tensor *up);
/* relu(dropout(x)): the order of the two does not matter. */
struct tensor *op_dropout_relu(struct tape *t, struct tensor *x, double probability);
struct tensor *op_add(struct tape *t, struct tensor *a, struct tensor *b);
/* scale dropout(x) */
struct tensor *op_dropout_scaled(struct tape *t, struct tensor *x, double probability, float scale);
/* a + dropout(x) */
struct tensor *op_dropout_add(struct tape *t, struct tensor *x, double probability, struct tensor *a);

static const uint32_t MASK_ROW = UINT32_MAX; /* an enumerator is an int */

/* Rows of a table: y[i] = table[index[i]], n rows; index MASK_ROW takes mask ([1, d], else NULL). */
struct tensor *op_gather(struct tape *t, struct tensor *table, struct tensor *mask, const uint32_t *index,
                         size_t n);
/* dropout(table[index[i]]): the input of GRU4Rec. */
struct tensor *op_gather_dropped(struct tape *t, struct tensor *table, const uint32_t *index, size_t n,
                                 double probability);

/* Input of the attention models: dropout(scale table[index[i]] + position[k]), token i being the k-th of
 * its sequence, k from 1. position: [P, d], row 0 unused. Index as in op_gather. */
struct embedding {
    struct tensor *table, *mask, *position;
    const uint32_t *index;   /* [T] */
    const uint32_t *offsets; /* [n_sequences + 1] */
    size_t n_sequences;
    float scale;
    double dropout;
};
struct tensor *op_embed(struct tape *t, const struct embedding *e);

/* y[i] = gain[slot[i]] table[index[i]] + shift[slot[i]], n rows of width; index MASK_ROW takes mask. Only gain, [1, S],
 * is a tensor: table, mask and shift ([S, width]) are constants. */
struct slots {
    const float *table, *mask, *shift;
    size_t width;
    struct tensor *gain;
    const uint32_t *index, *slot; /* [n] */
    size_t n;
};
struct tensor *op_slots(struct tape *t, const struct slots *s);

/* Scaled dot-product attention within each sequence (Vaswani et al., 2017, eq. 1), heads side by side.
 * q: [T, d], kv: [T, 2 e] with keys in the first e columns. Heads of e may be fewer than those of d: each then serves as
 * many neighbouring ones of q (Ainslie et al., 2023). Causal: token i sees tokens up to i. Dropout falls on the
 * attention weights. */
struct attention {
    struct tensor *q, *kv;
    struct tensor *v; /* [T, e]; kv are then the keys alone. NULL: none */
    const uint32_t *offsets; /* [n_sequences + 1] */
    size_t n_sequences;
    size_t n_heads;
    bool causal;
    double dropout;
};
struct tensor *op_attention(struct tape *t, const struct attention *a);

/* Rotary positions on the first n_columns columns, heads of width numbers side by side: the pairs (2i, 2i + 1) of
 * token k of its sequence, k from 0, are turned by k base^(-2i / width) / divisors[i]. */
struct rotation {
    const uint32_t *offsets; /* [n_sequences + 1] */
    size_t n_sequences;
    size_t width, n_columns; /* both even */
    double base;
    const float *divisors;   /* [width / 2], or NULL: 1 each */
    bool halves;             /* the pairs are (i, i + width / 2) */
};
struct tensor *op_rope(struct tape *t, struct tensor *x, const struct rotation *r);

/* y[b] = mean of x's rows of sequence b, none of which is empty. */
struct tensor *op_mean(struct tape *t, struct tensor *x, const uint32_t *offsets, size_t n_sequences);

/* A gated recurrent unit without biases over each sequence, h_0 = 0 (Cho et al., 2014, with PyTorch's
 * placement of the reset gate): x: [T, 3 d] = W_ih e, row blocks reset, update, new; w: [3 d, d] = W_hh.
 * Returns all states [T, d]. */
struct tensor *op_gru(struct tape *t, struct tensor *x, struct tensor *w, const uint32_t *offsets,
                      size_t n_sequences);

/* For operations that scatter: entries of index (values below n_rows; others are left out) by value:
 * row r has entry[start[r]] .. entry[start[r + 1] - 1], ascending. NULL arrays when memory is out. */
struct inverse {
    size_t n_rows;
    const uint32_t *start; /* [n_rows + 1] */
    const uint32_t *entry;
};
struct inverse tape_inverse(struct tape *t, const uint32_t *index, size_t n, size_t n_rows);

#endif
