/* SPDX-License-Identifier: Apache-2.0 */
/* GELU, gated SiLU, sums, and dropout fused with what stands next to it. Tasks are fixed ranges of elements. */
#include "tensor/ops.h"

#include "base/size.h"

#include <string.h>

enum { ELEMENTS_PER_TASK = 16384 }; /* a multiple of 64: dropout's words are not shared */

struct elementwise {
    struct tape *tape;
    struct tensor *x, *a, *y; /* a: the second operand, if any */
    struct dropout dropout;
    uint64_t *bits; /* NULL: everything is kept */
    float slope;    /* of leaky ReLU */
    bool accumulate, accumulate_a;
};

static size_t n_elements(const struct tensor *x) {
    return x->rows * x->cols;
}

static void run(struct elementwise *e, parallel_task *task) {
    parallel_run(e->tape->parallel, (n_elements(e->y) + ELEMENTS_PER_TASK - 1) / ELEMENTS_PER_TASK, task, e);
}

static size_t range(const struct elementwise *e, size_t task, size_t *first) {
    *first = task * ELEMENTS_PER_TASK;
    return min_size(ELEMENTS_PER_TASK, n_elements(e->y) - *first);
}

static struct elementwise *create(struct tape *t, struct tensor *x, struct tensor *a, double probability) {
    if (!x) return NULL;
    struct elementwise *e = tape_array(t, 1, sizeof *e);
    struct tensor *y = tape_tensor(t, x->rows, x->cols, true);
    uint64_t *bits = NULL;
    if (y && t->training && probability > 0)
        bits = tape_array(t, (n_elements(y) + 63) / 64 + 2, sizeof *bits);
    if (tape_failed(t)) return NULL;
    *e = (struct elementwise){.tape = t, .x = x, .a = a, .y = y, .bits = bits};
    if (bits) e->dropout = tape_dropout(t, probability);
    return e;
}

/* dst = dy through the mask of dropout, added if accumulate. Needs a buffer where it adds. */
static void masked_gradient(const struct elementwise *e, size_t first, size_t n, float *dst) {
    const float *dy = e->y->gradient + first;
    const struct kernels *k = e->tape->kernels;
    if (!e->bits) {
        if (e->accumulate)
            k->add(dst, dy, dst, n);
        else
            memcpy(dst, dy, n * sizeof *dst);
    } else if (e->accumulate) {
        k->dropout_add(e->bits + first / 64, e->dropout.scale, dy, dst, dst, n);
    } else {
        k->dropout(e->bits + first / 64, e->dropout.scale, dy, dst, n);
    }
}

static void masked_backward_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct elementwise *e = node;
    size_t first;
    const size_t n = range(e, task, &first);
    masked_gradient(e, first, n, e->x->gradient + first);
}

static void masked_backward(void *node) {
    struct elementwise *e = node;
    if (!e->y->written || !e->x->gradient) return;
    e->accumulate = tensor_accumulates(e->x);
    run(e, masked_backward_task);
}

static void leaky_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct elementwise *e = node;
    size_t first;
    const size_t n = range(e, task, &first);
    const float *x = e->x->value + first;
    for (size_t i = 0; i < n; i++) e->y->value[first + i] = x[i] > 0 ? x[i] : e->slope * x[i];
}

static void leaky_backward_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct elementwise *e = node;
    size_t first;
    const size_t n = range(e, task, &first);
    const float *x = e->x->value + first, *dy = e->y->gradient + first;
    float *dx = e->x->gradient + first;
    for (size_t i = 0; i < n; i++) {
        const float slope = x[i] > 0 ? dy[i] : e->slope * dy[i];
        dx[i] = e->accumulate ? dx[i] + slope : slope;
    }
}

static void leaky_backward(void *node) {
    struct elementwise *e = node;
    if (!e->y->written || !e->x->gradient) return;
    e->accumulate = tensor_accumulates(e->x);
    run(e, leaky_backward_task);
}

struct tensor *op_leaky_relu(struct tape *t, struct tensor *x, float slope) {
    struct elementwise *e = create(t, x, NULL, 0);
    if (!e) return NULL;
    e->slope = slope;
    run(e, leaky_task);
    tape_push(t, leaky_backward, e);
    return e->y;
}

static void gelu_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct elementwise *e = node;
    size_t first;
    const size_t n = range(e, task, &first);
    e->tape->kernels->gelu(e->x->value + first, e->y->value + first, n);
}

static void gelu_backward_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct elementwise *e = node;
    size_t first;
    const size_t n = range(e, task, &first);
    e->tape->kernels->gelu_backward(e->x->value + first, e->y->gradient + first, e->x->gradient + first, n,
                                    e->accumulate);
}

static void gelu_backward(void *node) {
    struct elementwise *e = node;
    if (!e->y->written) return;
    e->accumulate = tensor_accumulates(e->x);
    run(e, gelu_backward_task);
}

struct tensor *op_gelu(struct tape *t, struct tensor *x) {
    struct elementwise *e = create(t, x, NULL, 0);
    if (!e) return NULL;
    run(e, gelu_task);
    tape_push(t, gelu_backward, e);
    return e->y;
}

/* y = a s(x) x with s the logistic function; ds/dx = s (1 - s). The scratch is y's place. */
static void swiglu_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct elementwise *e = node;
    size_t first;
    const size_t n = range(e, task, &first);
    const float *x = e->x->value + first, *a = e->a->value + first;
    float *y = e->y->value + first;
    e->tape->kernels->sigmoid(x, y, n);
    for (size_t i = 0; i < n; i++) y[i] *= x[i] * a[i];
}

static void swiglu_backward_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct elementwise *e = node;
    size_t first;
    const size_t n = range(e, task, &first);
    const float *x = e->x->value + first, *a = e->a->value + first, *dy = e->y->gradient + first;
    float *s = e->y->value + first; /* y has been used by now: its place takes the logistic function */
    float *dx = e->x->gradient + first, *da = e->a->gradient + first;
    e->tape->kernels->sigmoid(x, s, n);
    for (size_t i = 0; i < n; i++) {
        const float slope = dy[i] * a[i] * s[i] * (1 + x[i] * (1 - s[i])), value = dy[i] * s[i] * x[i];
        dx[i] = e->accumulate ? dx[i] + slope : slope;
        da[i] = e->accumulate_a ? da[i] + value : value;
    }
}

static void swiglu_backward(void *node) {
    struct elementwise *e = node;
    if (!e->y->written) return;
    e->accumulate = tensor_accumulates(e->x);
    e->accumulate_a = tensor_accumulates(e->a);
    run(e, swiglu_backward_task);
}

struct tensor *op_swiglu(struct tape *t, struct tensor *gate, struct tensor *up) {
    struct elementwise *e = up ? create(t, gate, up, 0) : NULL;
    if (!e) return NULL;
    run(e, swiglu_task);
    tape_push(t, swiglu_backward, e);
    return e->y;
}

/* Bits of a range: dropout's, or all. */
static uint64_t *draw_bits(const struct elementwise *e, size_t first, size_t n) {
    uint64_t *bits = e->bits + first / 64;
    if (e->dropout.threshold)
        e->tape->kernels->dropout_bits(&e->dropout, first, n, bits);
    else
        memset(bits, 0xFF, (n + 63) / 64 * sizeof *bits);
    return bits;
}

/* As create, with bits also where nothing is dropped, for operations that use them otherwise or scale. */
static struct elementwise *create_with_bits(struct tape *t, struct tensor *x, double probability) {
    struct elementwise *e = create(t, x, NULL, probability);
    if (!e || e->bits) return e;
    e->bits = tape_array(t, (n_elements(x) + 63) / 64 + 2, sizeof *e->bits);
    e->dropout.scale = 1;
    return e->bits ? e : NULL;
}

static void dropout_relu_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct elementwise *e = node;
    size_t first;
    const size_t n = range(e, task, &first);
    e->tape->kernels->dropout_relu(draw_bits(e, first, n), e->dropout.scale, e->x->value + first, e->y->value + first, n);
}

struct tensor *op_dropout_relu(struct tape *t, struct tensor *x, double probability) {
    struct elementwise *e = create_with_bits(t, x, probability); /* they come to hold where x > 0 */
    if (!e) return NULL;
    run(e, dropout_relu_task);
    tape_push(t, masked_backward, e);
    return e->y;
}

static void scaled_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct elementwise *e = node;
    size_t first;
    const size_t n = range(e, task, &first);
    e->tape->kernels->dropout(draw_bits(e, first, n), e->dropout.scale, e->x->value + first, e->y->value + first, n);
}

struct tensor *op_dropout_scaled(struct tape *t, struct tensor *x, double probability, float scale) {
    struct elementwise *e = create_with_bits(t, x, probability);
    if (!e) return NULL;
    e->dropout.scale *= scale;
    run(e, scaled_task);
    tape_push(t, masked_backward, e);
    return e->y;
}

static void add_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct elementwise *e = node;
    size_t first;
    const size_t n = range(e, task, &first);
    const float *x = e->x->value + first, *a = e->a->value + first;
    float *y = e->y->value + first;
    if (e->bits) {
        e->tape->kernels->dropout_bits(&e->dropout, first, n, e->bits + first / 64);
        e->tape->kernels->dropout_add(e->bits + first / 64, e->dropout.scale, x, a, y, n);
    } else {
        e->tape->kernels->add(x, a, y, n);
    }
}

static void add_plain_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct elementwise *e = node;
    size_t first;
    const size_t n = range(e, task, &first);
    const float *dy = e->y->gradient + first;
    float *da = e->a->gradient + first;
    if (e->accumulate)
        e->tape->kernels->add(da, dy, da, n);
    else
        memcpy(da, dy, n * sizeof *da);
}

static void add_backward(void *node) {
    struct elementwise *e = node;
    if (!e->y->written) return;
    masked_backward(node);
    if (!e->a->gradient) return;
    e->accumulate = tensor_accumulates(e->a);
    run(e, add_plain_task);
}

struct tensor *op_dropout_add(struct tape *t, struct tensor *x, double probability, struct tensor *a) {
    struct elementwise *e = a ? create(t, x, a, probability) : NULL;
    if (!e) return NULL;
    run(e, add_task);
    tape_push(t, add_backward, e);
    return e->y;
}

struct tensor *op_add(struct tape *t, struct tensor *a, struct tensor *b) {
    return op_dropout_add(t, a, 0, b);
}
