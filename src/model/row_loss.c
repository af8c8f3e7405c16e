/* SPDX-License-Identifier: Apache-2.0 */
#include "model/losses.h"

#include "base/size.h"

enum { ROWS_PER_TASK = 64 };

/* Losses that compare rows one to one, by a function of the row. */
typedef double row_loss(const struct kernels *k, float weight, const struct tensor *a, const struct tensor *b, size_t r);

struct work {
    row_loss *row;
    struct tape *tape;
    struct tensor *a, *b;
    const float *weight;
    double *value;
};

static float *gradient_row(const struct tensor *x, size_t r) {
    return x->gradient ? x->gradient + r * x->cols : NULL;
}

static double direction_row(const struct kernels *k, float weight, const struct tensor *a, const struct tensor *b,
                            size_t r) {
    const size_t d = a->cols;
    const float *x = a->value + r * d, *y = b->value + r * d;
    float *dx = gradient_row(a, r), *dy = gradient_row(b, r);
    if (dx) k->axpy(-weight, y, dx, d);
    if (dy) k->axpy(-weight, x, dy, d);
    return (double)weight * (1 - (double)k->dot(x, y, d));
}

static double square_row(const struct kernels *k, float weight, const struct tensor *a, const struct tensor *b,
                         size_t r) {
    (void)k;
    const size_t d = a->cols;
    const float *x = a->value + r * d, *y = b->value + r * d;
    float *dx = gradient_row(a, r), *dy = gradient_row(b, r);
    double sum = 0;
    for (size_t i = 0; i < d; i++) {
        const float apart = x[i] - y[i];
        sum += (double)apart * (double)apart;
        if (dx) dx[i] += 2 * weight * apart;
        if (dy) dy[i] -= 2 * weight * apart;
    }
    return (double)weight * sum;
}

static void rows_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct work *w = context;
    const size_t end = min_size(w->a->rows, (task + 1) * ROWS_PER_TASK);
    double value = 0;
    for (size_t r = task * ROWS_PER_TASK; r < end; r++)
        value += w->row(w->tape->kernels, w->weight[r], w->a, w->b, r);
    w->value[task] = value;
}

static double row_losses(struct tape *t, row_loss *row, struct tensor *a, struct tensor *b, const float *weight) {
    if (!a || !b || a->rows == 0) return 0;
    const size_t n_tasks = (a->rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK;
    struct work w = {row, t, a, b, weight, tape_array(t, n_tasks, sizeof *w.value)};
    if (!w.value) return 0;
    if (a->gradient) tensor_open_gradient(a);
    if (b->gradient) tensor_open_gradient(b);
    parallel_run(t->parallel, n_tasks, rows_task, &w);
    double sum = 0;
    for (size_t i = 0; i < n_tasks; i++) sum += w.value[i];
    return sum;
}

double direction_loss(struct tape *t, struct tensor *a, struct tensor *b, const float *weight) {
    return row_losses(t, direction_row, a, b, weight);
}

double square_loss(struct tape *t, struct tensor *a, struct tensor *b, const float *weight) {
    return row_losses(t, square_row, a, b, weight);
}
