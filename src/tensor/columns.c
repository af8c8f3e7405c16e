/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of a matrix for themselves, and matrices side by side: copies, and gradients the other way. */
#include "tensor/ops.h"

#include "base/size.h"

#include <string.h>

enum { ROWS_PER_TASK = 64 };

/* part stands in the columns of whole from first on. */
struct columns {
    struct tape *tape;
    struct tensor *whole, *part;
    size_t first;
};

struct block {
    const struct kernels *kernels;
    size_t rows, cols, ld_from, ld_to;
    const float *from;
    float *to;
    bool add;
};

static void block_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct block *b = context;
    const size_t end = min_size(b->rows, (task + 1) * ROWS_PER_TASK);
    for (size_t r = task * ROWS_PER_TASK; r < end; r++) {
        const float *from = b->from + r * b->ld_from;
        float *to = b->to + r * b->ld_to;
        if (b->add)
            b->kernels->add(to, from, to, b->cols);
        else
            memcpy(to, from, b->cols * sizeof *to);
    }
}

static void move(const struct columns *c, const float *from, const struct tensor *of, float *to, const struct tensor *into,
                 bool add) {
    struct block b = {c->tape->kernels, c->part->rows, c->part->cols, of->cols, into->cols, from, to, add};
    parallel_run(c->tape->parallel, (b.rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK, block_task, &b);
}

static void part_backward(void *node) {
    const struct columns *c = node;
    if (!c->part->written || !c->whole->gradient) return;
    tensor_open_gradient(c->whole);
    move(c, c->part->gradient, c->part, c->whole->gradient + c->first, c->whole, true);
}

static void whole_backward(void *node) {
    const struct columns *c = node;
    if (!c->whole->written || !c->part->gradient) return;
    move(c, c->whole->gradient + c->first, c->whole, c->part->gradient, c->part, tensor_accumulates(c->part));
}

static struct columns *link(struct tape *t, struct tensor *whole, struct tensor *part, size_t first,
                            backward_function *backward) {
    struct columns *c = tape_array(t, 1, sizeof *c);
    if (!whole || !part || !c) return NULL;
    *c = (struct columns){t, whole, part, first};
    tape_push(t, backward, c);
    return c;
}

struct tensor *op_columns(struct tape *t, struct tensor *x, size_t first, size_t n) {
    struct tensor *y = x ? tape_tensor(t, x->rows, n, true) : NULL;
    const struct columns *c = link(t, x, y, first, part_backward);
    if (c) move(c, x->value + first, x, y->value, y, false);
    return c ? y : NULL;
}

struct tensor *op_beside(struct tape *t, struct tensor *a, struct tensor *b) {
    struct tensor *y = a && b ? tape_tensor(t, a->rows, a->cols + b->cols, true) : NULL;
    const struct columns *left = link(t, y, a, 0, whole_backward);
    const struct columns *right = left ? link(t, y, b, a->cols, whole_backward) : NULL;
    if (!right) return NULL;
    move(left, a->value, a, y->value, y, false);
    move(right, b->value, b, y->value + a->cols, y, false);
    return y;
}
