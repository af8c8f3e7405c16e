/* SPDX-License-Identifier: Apache-2.0 */
/* Layer normalisation of rows (Ba et al., 2016). The gains' gradients are summed over fixed blocks of rows,
 * the blocks then in order, so that threads do not change them. */
#include "tensor/ops.h"

#include "base/size.h"

#include <string.h>

enum { ROWS_PER_TASK = 64 };

struct layernorm {
    struct tape *tape;
    struct tensor *x, *w, *b, *y;
    float eps;
    bool accumulate;
    float *mean, *rstd; /* [rows] */
    float *partial;     /* [tasks, 2, cols]: a task's share of dw and db */
};

static size_t tasks_of(size_t rows) {
    return (rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK;
}

static void forward_rows(void *node, size_t i, int worker) {
    (void)worker;
    const struct layernorm *l = node;
    const size_t n = l->x->cols, end = min_size(l->x->rows, (i + 1) * ROWS_PER_TASK);
    for (size_t r = i * ROWS_PER_TASK; r < end; r++)
        l->tape->kernels->layernorm(l->x->value + r * n, l->w->value, l->b->value, l->eps, n,
                                    l->y->value + r * n, &l->mean[r], &l->rstd[r]);
}

static void backward_rows(void *node, size_t i, int worker) {
    (void)worker;
    const struct layernorm *l = node;
    const size_t n = l->x->cols, end = min_size(l->x->rows, (i + 1) * ROWS_PER_TASK);
    float *dw = l->partial + i * 2 * n, *db = dw + n;
    memset(dw, 0, 2 * n * sizeof *dw);
    for (size_t r = i * ROWS_PER_TASK; r < end; r++)
        l->tape->kernels->layernorm_backward(l->x->value + r * n, l->w->value, l->y->gradient + r * n,
                                             l->mean[r], l->rstd[r], n, l->x->gradient + r * n,
                                             l->accumulate, dw, db);
}

static void layernorm_backward(void *node) {
    struct layernorm *l = node;
    const size_t n = l->x->cols, n_tasks = tasks_of(l->x->rows);
    if (!l->y->written) return;
    l->accumulate = tensor_accumulates(l->x);
    parallel_run(l->tape->parallel, n_tasks, backward_rows, l);
    tensor_open_gradient(l->w);
    tensor_open_gradient(l->b);
    for (size_t i = 0; i < n_tasks; i++) {
        l->tape->kernels->add(l->w->gradient, l->partial + i * 2 * n, l->w->gradient, n);
        l->tape->kernels->add(l->b->gradient, l->partial + i * 2 * n + n, l->b->gradient, n);
    }
}

struct tensor *op_layernorm(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *b, float eps) {
    if (!x || !w || !b) return NULL;
    struct tensor *y = tape_tensor(t, x->rows, x->cols, true);
    struct layernorm *node = tape_array(t, 1, sizeof *node);
    float *mean = tape_array(t, x->rows, sizeof *mean), *rstd = tape_array(t, x->rows, sizeof *rstd);
    float *partial = tape_array(t, tasks_of(x->rows) * 2 * x->cols, sizeof *partial);
    if (!y || tape_failed(t)) return NULL;
    *node = (struct layernorm){.tape = t, .x = x, .w = w, .b = b, .y = y, .eps = eps, .mean = mean,
                               .rstd = rstd, .partial = partial};
    parallel_run(t->parallel, tasks_of(x->rows), forward_rows, node);
    tape_push(t, layernorm_backward, node);
    return y;
}
