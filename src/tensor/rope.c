/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary positions (Su et al., 2021): pair i of every head of token k of its sequence, k from 0, is turned by
 * k base^(-2i / width). The backward pass turns back. Only the first columns of x are heads; the others
 * (the values beside the keys) pass through. */
#include "tensor/ops.h"

#include "base/size.h"

#include <math.h>
#include <string.h>

struct rope {
    struct tape *tape;
    struct tensor *x, *y;
    struct rotation r;
    float *turns; /* [longest, width / 2, 2]: cosine and sine */
    bool accumulate;
};

/* to += or = from, its pairs turned forward (direction 1) or back (-1). */
static void turn_row(const struct rope *n, size_t place, float direction, bool accumulate, const float *from,
                     float *to) {
    const size_t half = n->r.width / 2, cols = n->x->cols;
    const float *turns = n->turns + place * 2 * half;
    for (size_t pair = 0; pair < n->r.n_columns / 2; pair++) {
        const size_t i = pair % half, head = pair / half * n->r.width;
        const size_t c = head + (n->r.halves ? i : 2 * i), d = c + (n->r.halves ? half : 1);
        const float cosine = turns[2 * i], sine = direction * turns[2 * i + 1];
        const float a = from[c] * cosine - from[d] * sine, b = from[c] * sine + from[d] * cosine;
        to[c] = accumulate ? to[c] + a : a;
        to[d] = accumulate ? to[d] + b : b;
    }
    const size_t rest = cols - n->r.n_columns;
    if (accumulate)
        n->tape->kernels->add(to + n->r.n_columns, from + n->r.n_columns, to + n->r.n_columns, rest);
    else
        memcpy(to + n->r.n_columns, from + n->r.n_columns, rest * sizeof *to);
}

static void forward_task(void *node, size_t b, int worker) {
    (void)worker;
    const struct rope *n = node;
    const size_t cols = n->x->cols, first = n->r.offsets[b];
    for (size_t i = first; i < n->r.offsets[b + 1]; i++)
        turn_row(n, i - first, 1, false, n->x->value + i * cols, n->y->value + i * cols);
}

static void backward_task(void *node, size_t b, int worker) {
    (void)worker;
    const struct rope *n = node;
    const size_t cols = n->x->cols, first = n->r.offsets[b];
    for (size_t i = first; i < n->r.offsets[b + 1]; i++)
        turn_row(n, i - first, -1, n->accumulate, n->y->gradient + i * cols, n->x->gradient + i * cols);
}

static void rope_backward(void *node) {
    struct rope *n = node;
    if (!n->y->written) return;
    n->accumulate = tensor_accumulates(n->x);
    parallel_run(n->tape->parallel, n->r.n_sequences, backward_task, n);
}

static float *turns_of(struct tape *t, const struct rotation *r) {
    size_t longest = 0;
    for (size_t b = 0; b < r->n_sequences; b++) longest = max_size(longest, r->offsets[b + 1] - r->offsets[b]);
    float *turns = tape_array(t, longest * r->width + 1, sizeof *turns);
    for (size_t k = 0; turns && k < longest; k++)
        for (size_t i = 0; i < r->width / 2; i++) {
            const double angle = (double)k * pow(r->base, -2.0 * (double)i / (double)r->width) /
                                 (r->divisors ? (double)r->divisors[i] : 1);
            turns[k * r->width + 2 * i] = (float)cos(angle);
            turns[k * r->width + 2 * i + 1] = (float)sin(angle);
        }
    return turns;
}

struct tensor *op_rope(struct tape *t, struct tensor *x, const struct rotation *r) {
    if (!x) return NULL;
    struct tensor *y = tape_tensor(t, x->rows, x->cols, true);
    struct rope *node = tape_array(t, 1, sizeof *node);
    float *turns = turns_of(t, r);
    if (!y || tape_failed(t)) return NULL;
    *node = (struct rope){.tape = t, .x = x, .y = y, .r = *r, .turns = turns};
    parallel_run(t->parallel, r->n_sequences, forward_task, node);
    tape_push(t, rope_backward, node);
    return y;
}
