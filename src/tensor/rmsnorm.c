/* SPDX-License-Identifier: Apache-2.0 */
/* Root-mean-square normalisation of rows (Zhang and Sennrich, 2019):
 *
 *     y_i = r x_i w_i,  r = 1 / sqrt(mean of x^2 + eps)
 *     dw_i = sum over rows of dy_i r x_i      dx_i = r (w_i dy_i - x_i r^2 mean_j(w_j dy_j x_j))
 *
 * The gains' gradient is summed over fixed blocks of rows, the blocks then in order, as in layernorm.c. */
#include "tensor/ops.h"

#include "base/size.h"

#include <math.h>
#include <string.h>

enum { ROWS_PER_TASK = 64 };

struct rmsnorm {
    struct tape *tape;
    struct tensor *x, *w, *y;
    float eps;
    bool accumulate;
    float *r;       /* [rows] */
    float *partial; /* [tasks, 2, cols]: a task's share of dw; scratch for w dy */
};

static size_t tasks_of(size_t rows) {
    return (rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK;
}

static void forward_rows(void *node, size_t i, int worker) {
    (void)worker;
    const struct rmsnorm *l = node;
    const size_t n = l->x->cols, end = min_size(l->x->rows, (i + 1) * ROWS_PER_TASK);
    for (size_t row = i * ROWS_PER_TASK; row < end; row++) {
        const float *x = l->x->value + row * n;
        float *y = l->y->value + row * n;
        const float r = 1 / sqrtf(l->tape->kernels->dot(x, x, n) / (float)n + l->eps);
        for (size_t k = 0; k < n; k++) y[k] = r * x[k] * l->w->value[k];
        l->r[row] = r;
    }
}

static void backward_rows(void *node, size_t i, int worker) {
    (void)worker;
    const struct rmsnorm *l = node;
    const struct kernels *kernels = l->tape->kernels;
    const size_t n = l->x->cols, end = min_size(l->x->rows, (i + 1) * ROWS_PER_TASK);
    float *dw = l->partial + i * 2 * n, *scaled = dw + n;
    memset(dw, 0, n * sizeof *dw);
    for (size_t row = i * ROWS_PER_TASK; row < end; row++) {
        const float *x = l->x->value + row * n, *dy = l->y->gradient + row * n;
        const float r = l->r[row];
        for (size_t k = 0; k < n; k++) {
            scaled[k] = l->w->value[k] * dy[k];
            dw[k] += dy[k] * (r * x[k]);
        }
        const float pull = r * r * kernels->dot(scaled, x, n) / (float)n;
        float *dx = l->x->gradient + row * n;
        if (!l->accumulate) memset(dx, 0, n * sizeof *dx);
        kernels->axpy(r, scaled, dx, n);
        kernels->axpy(-r * pull, x, dx, n);
    }
}

static void rmsnorm_backward(void *node) {
    struct rmsnorm *l = node;
    const size_t n = l->x->cols, n_tasks = tasks_of(l->x->rows);
    if (!l->y->written) return;
    l->accumulate = tensor_accumulates(l->x);
    parallel_run(l->tape->parallel, n_tasks, backward_rows, l);
    if (!l->w->gradient) return;
    tensor_open_gradient(l->w);
    for (size_t i = 0; i < n_tasks; i++)
        l->tape->kernels->add(l->w->gradient, l->partial + i * 2 * n, l->w->gradient, n);
}

struct tensor *op_rmsnorm(struct tape *t, struct tensor *x, struct tensor *w, float eps) {
    if (!x || !w) return NULL;
    struct tensor *y = tape_tensor(t, x->rows, x->cols, true);
    struct rmsnorm *node = tape_array(t, 1, sizeof *node);
    float *r = tape_array(t, x->rows, sizeof *r);
    float *partial = tape_array(t, tasks_of(x->rows) * 2 * x->cols, sizeof *partial);
    if (!y || tape_failed(t)) return NULL;
    *node = (struct rmsnorm){.tape = t, .x = x, .w = w, .y = y, .eps = eps, .r = r, .partial = partial};
    parallel_run(t->parallel, tasks_of(x->rows), forward_rows, node);
    tape_push(t, rmsnorm_backward, node);
    return y;
}
