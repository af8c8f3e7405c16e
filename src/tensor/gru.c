/* SPDX-License-Identifier: Apache-2.0 */
/* A GRU over packed sequences. With x = W_ih e given and u = W_hh h:
 *
 *     r = sigmoid(x_r + u_r)   z = sigmoid(x_z + u_z)   n = tanh(x_n + r u_n)   h' = (1 - z) n + z h
 *
 * Sequences, longest first, are dealt to fixed groups, which are cut into parts, as many as keep the threads busy. A part walks
 * through time by itself, the products of a time step running over its sequences that are still alive. A group's rows stand
 * time-major in its own region, so that its dW is one product over all time steps; the groups' are added in order. */
#include "tensor/gemm.h"
#include "tensor/ops.h"

#include "base/size.h"

#include <stdlib.h>
#include <string.h>

/* PAIR: sequences that two groups share, so that a group has at most 64. MOST_PARTS: of a group, 8 sequences each then. */
enum { PAIR = 128, MOST_PARTS = 8 };

struct group {
    size_t n_sequences;
    uint32_t *first, *length; /* [n_sequences] first token and length, longest first */
    size_t n_tokens;
    size_t row;               /* where the group's time-major rows start */
    float *u;                 /* [n_sequences, 3 d]; in the backward pass a part's dh begins where its first sequence's does */
};

struct gru {
    struct tape *tape;
    struct tensor *x, *w, *y;
    size_t n_groups, parts_each; /* parts of a group */
    struct group *groups;
    float *gates;  /* [T, 4 d] r, z, n, u_n; the backward pass leaves du in the first 3 d */
    float *before; /* [T, d] h before each step */
    float *dw;     /* [3 d, d] */
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

/* Sequences of a group, from b0 up to b1, whose steps are a task: rows of the group's products at each time. */
struct part {
    const struct group *g;
    size_t b0, b1;
};

static struct part part_at(const struct gru *s, size_t task) {
    const struct group *g = &s->groups[task / s->parts_each];
    const size_t each = (g->n_sequences + s->parts_each - 1) / s->parts_each, b0 = task % s->parts_each * each;
    return (struct part){g, min_size(b0, g->n_sequences), min_size(b0 + each, g->n_sequences)};
}

/* Of alive sequences of the group, longest first, those that are the part's. */
static size_t own(const struct part *p, size_t alive) {
    return min_size(max_size(alive, p->b0), p->b1) - p->b0;
}

static void forward_part(void *context, size_t task, int worker) {
    (void)worker;
    const struct gru *s = context;
    const struct part p = part_at(s, task);
    const struct group *g = p.g;
    const size_t d = s->y->cols;
    float *u = g->u + p.b0 * 3 * d;
    size_t row = g->row, alive = g->n_sequences, n;
    for (size_t time = 0; alive = alive_at(g, time, alive), (n = own(&p, alive)) > 0; time++) {
        float *h = s->before + (row + p.b0) * d;
        for (size_t b = 0; b < n; b++) {
            if (time == 0)
                memset(h + b * d, 0, d * sizeof *h);
            else
                memcpy(h + b * d, s->y->value + (g->first[p.b0 + b] + time - 1) * d, d * sizeof *h);
        }
        gemm_single(&(struct gemm){.kernels = s->tape->kernels, .m = n, .n = 3 * d, .k = d, .a = h,
                                   .lda = d, .packed = s->packed, .c = u, .ldc = 3 * d, .alpha = 1});
        for (size_t b = 0; b < n; b++) {
            const size_t token = g->first[p.b0 + b] + time;
            step_forward(s->tape->kernels, d, s->x->value + token * 3 * d, u + b * 3 * d, h + b * d,
                         s->gates + (row + p.b0 + b) * 4 * d, s->y->value + token * d);
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

static void backward_part(void *context, size_t task, int worker) {
    (void)worker;
    const struct gru *s = context;
    const struct part p = part_at(s, task);
    const struct group *g = p.g;
    if (p.b0 == p.b1) return;
    const size_t d = s->y->cols, steps = g->length[p.b0];
    float *dh = g->u + p.b0 * 3 * d; /* [n, d] */
    size_t row = g->row, carried = 0, alive = g->n_sequences;
    for (size_t time = 0; time < steps; time++) row += alive = alive_at(g, time, alive);
    for (size_t time = steps; time-- > 0;) {
        alive = alive_at(g, time, g->n_sequences);
        const size_t n = own(&p, alive);
        row -= alive;
        memset(dh + carried * d, 0, (n - carried) * d * sizeof *dh);
        carried = n;
        for (size_t b = 0; b < n; b++) {
            const size_t token = g->first[p.b0 + b] + time, at = row + p.b0 + b;
            s->tape->kernels->add(dh + b * d, s->y->gradient + token * d, dh + b * d, d);
            step_backward(d, s->gates + at * 4 * d, s->before + at * d, dh + b * d, s->x->gradient + token * 3 * d, s->accumulate);
        }
        if (time > 0)
            gemm_single(&(struct gemm){.kernels = s->tape->kernels, .m = n, .n = d, .k = 3 * d,
                                       .a = s->gates + (row + p.b0) * 4 * d, .lda = 4 * d, .packed = s->packed, .c = dh, .ldc = d,
                                       .alpha = 1, .beta = 1});
    }
}

/* Of all time steps of a group. */
static void weight_gradient(const struct gru *s, const struct group *g) {
    const size_t d = s->y->cols;
    gemm(s->tape->parallel, &(struct gemm){.kernels = s->tape->kernels, .m = 3 * d, .n = d, .k = g->n_tokens,
                                           .a = s->gates + g->row * 4 * d, .lda = 4 * d, .a_transposed = true,
                                           .b = s->before + g->row * d, .ldb = d, .c = s->dw, .ldc = d, .alpha = 1});
    s->tape->kernels->add(s->w->gradient, s->dw, s->w->gradient, 3 * d * d);
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
    parallel_run(s->tape->parallel, s->n_groups * s->parts_each, backward_part, s);
    tensor_open_gradient(s->w);
    for (size_t i = 0; i < s->n_groups; i++)
        if (s->groups[i].n_tokens) weight_gradient(s, &s->groups[i]);
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
    s->parts_each = min_size(MOST_PARTS, (2 * (size_t)parallel_threads(t->parallel) + s->n_groups - 1) / s->n_groups);
    s->groups = tape_array(t, s->n_groups, sizeof *s->groups);
    s->gates = tape_array(t, x->rows * 4 * d, sizeof *s->gates);
    s->before = tape_array(t, x->rows * d, sizeof *s->before);
    s->packed = tape_array(t, max_size(gemm_packed_size(3 * d, d), gemm_packed_size(d, 3 * d)), sizeof *s->packed);
    if (t->training) s->dw = tape_array(t, 3 * d * d, sizeof *s->dw);
    if (tape_failed(t) || !deal(s, offsets, n_sequences)) return NULL;
    pack(s, 3 * d, d, true);
    parallel_run(t->parallel, s->n_groups * s->parts_each, forward_part, s);
    t->flops += flops_of(s);
    tape_push(t, gru_backward, s);
    return y;
}
