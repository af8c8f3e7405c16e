/* SPDX-License-Identifier: Apache-2.0 */
/* A GRU over packed sequences. With x = W_ih e given and u = W_hh h:
 *
 *     r = sigmoid(x_r + u_r)   z = sigmoid(x_z + u_z)   n = tanh(x_n + r u_n)   h' = (1 - z) n + z h
 *
 * Sequences, longest first, are dealt to fixed groups; a group walks through time by itself, the products
 * of a time step running over the sequences that are still alive. A group's rows stand time-major in its
 * own region, so that dW is one product over all time steps. */
#include "tensor/gemm.h"
#include "tensor/ops.h"

#include "base/size.h"

#include <stdlib.h>
#include <string.h>

enum { PAIR = 128 }; /* sequences that two groups share: a group has at most 64 */

struct group {
    size_t n_sequences;
    uint32_t *first, *length; /* [n_sequences] first token and length, longest first */
    size_t n_tokens;
    size_t row;               /* where the group's time-major rows start */
    float *u;                 /* [n_sequences, 3 d]; in the backward pass its first d columns' space is dh */
};

struct gru {
    struct tape *tape;
    struct tensor *x, *w, *y;
    size_t n_groups;
    struct group *groups;
    float *gates;  /* [T, 4 d] r, z, n, u_n; the backward pass leaves du in the first 3 d */
    float *before; /* [T, d] h before each step */
    float *dw;     /* [n_groups, 3 d, d] */
    float *packed; /* w, as the direction's products read it */
    bool accumulate;
};

static size_t alive_at(const struct group *g, size_t time, size_t alive) {
    while (alive && g->length[alive - 1] <= time) alive--;
    return alive;
}

/* One time step's elementwise part for one sequence. x, u: [3 d], gates: [4 d]. */
static void step_forward(const struct kernels *k, size_t d, const float *x, const float *u, const float *h,
                         float *gates, float *y) {
    float *r = gates, *z = gates + d, *n = gates + 2 * d, *un = gates + 3 * d;
    k->add(x, u, gates, 2 * d);
    k->sigmoid(gates, gates, 2 * d);
    memcpy(un, u + 2 * d, d * sizeof *un);
    for (size_t i = 0; i < d; i++) n[i] = x[2 * d + i] + r[i] * un[i];
    k->tanh(n, n, d);
    for (size_t i = 0; i < d; i++) y[i] = (1 - z[i]) * n[i] + z[i] * h[i];
}

static void forward_group(void *context, size_t index, int worker) {
    (void)worker;
    const struct gru *s = context;
    const struct group *g = &s->groups[index];
    const size_t d = s->y->cols;
    size_t row = g->row, alive = g->n_sequences;
    for (size_t time = 0; (alive = alive_at(g, time, alive)) > 0; time++) {
        float *h = s->before + row * d;
        for (size_t b = 0; b < alive; b++) {
            if (time == 0)
                memset(h + b * d, 0, d * sizeof *h);
            else
                memcpy(h + b * d, s->y->value + (g->first[b] + time - 1) * d, d * sizeof *h);
        }
        gemm_single(&(struct gemm){.kernels = s->tape->kernels, .m = alive, .n = 3 * d, .k = d, .a = h,
                                   .lda = d, .packed = s->packed, .c = g->u, .ldc = 3 * d, .alpha = 1});
        for (size_t b = 0; b < alive; b++) {
            const size_t token = g->first[b] + time;
            step_forward(s->tape->kernels, d, s->x->value + token * 3 * d, g->u + b * 3 * d, h + b * d,
                         s->gates + (row + b) * 4 * d, s->y->value + token * d);
        }
        row += alive;
    }
}

/* dh: gradient of h' on entry; on return that of h through the convex combination alone. du replaces the
 * gates r, z, n; dx is written or added to. */
static void step_backward(size_t d, float *gates, const float *h, float *dh, float *dx, bool accumulate) {
    float *r = gates, *z = gates + d, *n = gates + 2 * d;
    const float *un = gates + 3 * d;
    for (size_t i = 0; i < d; i++) {
        const float dn = dh[i] * (1 - z[i]) * (1 - n[i] * n[i]);
        const float dz = dh[i] * (h[i] - n[i]) * z[i] * (1 - z[i]);
        const float dr = dn * un[i] * r[i] * (1 - r[i]);
        dh[i] *= z[i];
        n[i] = dn * r[i];
        r[i] = dr;
        z[i] = dz;
        dx[i] = dr + (accumulate ? dx[i] : 0);
        dx[d + i] = dz + (accumulate ? dx[d + i] : 0);
        dx[2 * d + i] = dn + (accumulate ? dx[2 * d + i] : 0);
    }
}

static void backward_group(void *context, size_t index, int worker) {
    (void)worker;
    const struct gru *s = context;
    const struct group *g = &s->groups[index];
    const size_t d = s->y->cols;
    float *dw = s->dw + index * 3 * d * d, *dh = g->u; /* [alive, d] */
    size_t row = g->row + g->n_tokens, carried = 0;
    for (size_t time = g->n_sequences ? g->length[0] : 0; time-- > 0;) {
        const size_t alive = alive_at(g, time, g->n_sequences);
        row -= alive;
        memset(dh + carried * d, 0, (alive - carried) * d * sizeof *dh);
        carried = alive;
        for (size_t b = 0; b < alive; b++) {
            const size_t token = g->first[b] + time;
            s->tape->kernels->add(dh + b * d, s->y->gradient + token * d, dh + b * d, d);
            step_backward(d, s->gates + (row + b) * 4 * d, s->before + (row + b) * d, dh + b * d,
                          s->x->gradient + token * 3 * d, s->accumulate);
        }
        if (time > 0)
            gemm_single(&(struct gemm){.kernels = s->tape->kernels, .m = alive, .n = d, .k = 3 * d,
                                       .a = s->gates + row * 4 * d, .lda = 4 * d, .packed = s->packed, .c = dh, .ldc = d,
                                       .alpha = 1, .beta = 1});
    }
    gemm_single(&(struct gemm){.kernels = s->tape->kernels, .m = 3 * d, .n = d, .k = g->n_tokens,
                               .a = s->gates + g->row * 4 * d, .lda = 4 * d, .a_transposed = true,
                               .b = s->before + g->row * d, .ldb = d, .c = dw, .ldc = d, .alpha = 1});
}

/* u = W h forward, dh += W^T du backward: a product a time step, few rows each towards the end. */
static void pack(struct gru *s, size_t n, size_t k, bool transposed) {
    gemm_pack(&(struct gemm){.kernels = s->tape->kernels, .n = n, .k = k, .b = s->w->value, .ldb = s->y->cols, .b_transposed = transposed},
              s->packed);
}

static double flops_of(const struct gru *s) {
    return 6.0 * (double)s->y->rows * (double)s->y->cols * (double)s->y->cols;
}

static void gru_backward(void *context) {
    struct gru *s = context;
    const size_t d = s->y->cols;
    if (!s->y->written) return;
    s->accumulate = tensor_accumulates(s->x);
    pack(s, d, 3 * d, false);
    parallel_run(s->tape->parallel, s->n_groups, backward_group, s);
    tensor_open_gradient(s->w);
    for (size_t i = 0; i < s->n_groups; i++)
        if (s->groups[i].n_tokens)
            s->tape->kernels->add(s->w->gradient, s->dw + i * 3 * d * d, s->w->gradient, 3 * d * d);
    s->tape->flops += 2 * flops_of(s);
}

/* Deals the sequences, longest first (ties in order), to the groups in turn. */
static bool deal(struct gru *s, const uint32_t *offsets, size_t n_sequences) {
    struct tape *t = s->tape;
    const size_t d = s->y->cols, room = n_sequences / s->n_groups + 1;
    uint32_t *length = tape_array(t, n_sequences + 1, sizeof *length);
    if (!length) return false;
    size_t longest = 0;
    for (size_t b = 0; b < n_sequences; b++) {
        length[b] = offsets[b + 1] - offsets[b];
        longest = max_size(longest, length[b]);
    }
    const struct inverse by_length = tape_inverse(t, length, n_sequences, longest + 1);
    for (size_t i = 0; i < s->n_groups; i++) {
        struct group *g = &s->groups[i];
        *g = (struct group){.first = tape_array(t, room, sizeof *g->first),
                            .length = tape_array(t, room, sizeof *g->length),
                            .u = tape_array(t, room * 3 * d, sizeof *g->u)};
    }
    if (tape_failed(t)) return false;
    size_t dealt = 0;
    for (size_t l = longest; l > 0; l--) /* empty sequences take no part */
        for (uint32_t e = by_length.start[l]; e < by_length.start[l + 1]; e++, dealt++) {
            struct group *g = &s->groups[dealt % s->n_groups];
            g->first[g->n_sequences] = offsets[by_length.entry[e]];
            g->length[g->n_sequences++] = (uint32_t)l;
            g->n_tokens += l;
        }
    for (size_t i = 1; i < s->n_groups; i++) s->groups[i].row = s->groups[i - 1].row + s->groups[i - 1].n_tokens;
    return true;
}

struct tensor *op_gru(struct tape *t, struct tensor *x, struct tensor *w, const uint32_t *offsets,
                      size_t n_sequences) {
    if (!x || !w) return NULL;
    const size_t d = w->cols;
    struct gru *s = tape_array(t, 1, sizeof *s);
    struct tensor *y = tape_tensor(t, x->rows, d, true);
    if (!s || !y) return NULL;
    *s = (struct gru){.tape = t, .x = x, .w = w, .y = y,
                      .n_groups = n_sequences < 2 ? 1 : 2 * ((n_sequences + PAIR - 1) / PAIR)};
    s->groups = tape_array(t, s->n_groups, sizeof *s->groups);
    s->gates = tape_array(t, x->rows * 4 * d, sizeof *s->gates);
    s->before = tape_array(t, x->rows * d, sizeof *s->before);
    s->packed = tape_array(t, max_size(gemm_packed_size(3 * d, d), gemm_packed_size(d, 3 * d)), sizeof *s->packed);
    if (t->training) s->dw = tape_array(t, s->n_groups * 3 * d * d, sizeof *s->dw);
    if (tape_failed(t) || !deal(s, offsets, n_sequences)) return NULL;
    pack(s, 3 * d, d, true);
    parallel_run(t->parallel, s->n_groups, forward_group, s);
    t->flops += flops_of(s);
    tape_push(t, gru_backward, s);
    return y;
}
