/* SPDX-License-Identifier: Apache-2.0 */
/* y = x W^T + b, so dx = dy W, dW = dy^T x, db = column sums of dy. */
#include "tensor/gemm.h"
#include "tensor/ops.h"

#include "base/size.h"

enum { LINE = 16 }; /* floats of a cache line */

struct linear {
    struct tape *tape;
    struct tensor *x, *w, *b, *y;
    size_t columns; /* that a task sums */
};

/* Sums some columns over all rows. */
static void sum_columns(void *node, size_t i, int worker) {
    (void)worker;
    const struct linear *l = node;
    const size_t cols = l->y->cols, first = i * l->columns, width = min_size(l->columns, cols - first);
    for (size_t r = 0; r < l->y->rows; r++) {
        const float *dy = l->y->gradient + r * cols + first;
        l->tape->kernels->add(l->b->gradient + first, dy, l->b->gradient + first, width);
    }
}

static void linear_backward(void *node) {
    struct linear *l = node;
    const size_t n = l->x->rows, in = l->x->cols, out = l->w->rows;
    if (!l->y->written) return;
    if (l->w->gradient) {
        const struct gemm g = {.kernels = l->tape->kernels, .m = out, .n = in, .k = n, .a = l->y->gradient,
                               .lda = out, .a_transposed = true, .b = l->x->value, .ldb = in,
                               .c = l->w->gradient, .ldc = in, .alpha = 1,
                               .beta = tensor_accumulates(l->w) ? 1 : 0};
        gemm(l->tape->parallel, &g);
        l->tape->flops += 2.0 * (double)n * (double)in * (double)out;
    }
    if (l->b && l->b->gradient) {
        tensor_open_gradient(l->b);
        const size_t each = out / (size_t)parallel_threads(l->tape->parallel);
        l->columns = max_size(LINE, (each + LINE - 1) / LINE * LINE);
        parallel_run(l->tape->parallel, (out + l->columns - 1) / l->columns, sum_columns, l);
    }
    if (l->x->gradient) {
        const struct gemm g = {.kernels = l->tape->kernels, .m = n, .n = in, .k = out, .a = l->y->gradient,
                               .lda = out, .b = l->w->value, .ldb = in, .c = l->x->gradient, .ldc = in,
                               .alpha = 1, .beta = tensor_accumulates(l->x) ? 1 : 0};
        gemm(l->tape->parallel, &g);
        l->tape->flops += 2.0 * (double)n * (double)in * (double)out;
    }
}

struct tensor *op_linear(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *b) {
    if (!x || !w) return NULL;
    struct tensor *y = tape_tensor(t, x->rows, w->rows, true);
    struct linear *node = tape_array(t, 1, sizeof *node);
    if (!y || !node) return NULL;
    const struct gemm g = {.kernels = t->kernels, .m = x->rows, .n = w->rows, .k = x->cols, .a = x->value,
                           .lda = x->cols, .b = w->value, .ldb = w->cols, .b_transposed = true, .c = y->value,
                           .ldc = w->rows, .alpha = 1, .bias = b ? b->value : NULL};
    gemm(t->parallel, &g);
    t->flops += 2.0 * (double)x->rows * (double)x->cols * (double)w->rows;
    *node = (struct linear){t, x, w, b, y, 0};
    tape_push(t, linear_backward, node);
    return y;
}
