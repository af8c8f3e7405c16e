/* SPDX-License-Identifier: Apache-2.0 */
#include "model/losses.h"

#include "base/size.h"

enum { ROWS_PER_TASK = 64 };

struct work {
    struct tape *tape;
    struct tensor *a, *b;
    const float *weight;
    double *value;
};

static void rows_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct work *w = context;
    const struct kernels *k = w->tape->kernels;
    const size_t d = w->a->cols, end = min_size(w->a->rows, (task + 1) * ROWS_PER_TASK);
    double value = 0;
    for (size_t r = task * ROWS_PER_TASK; r < end; r++) {
        const float *a = w->a->value + r * d, *b = w->b->value + r * d;
        value += (double)w->weight[r] * (1 - (double)k->dot(a, b, d));
        if (w->a->gradient) k->axpy(-w->weight[r], b, w->a->gradient + r * d, d);
        if (w->b->gradient) k->axpy(-w->weight[r], a, w->b->gradient + r * d, d);
    }
    w->value[task] = value;
}

double direction_loss(struct tape *t, struct tensor *a, struct tensor *b, const float *weight) {
    if (!a || !b || a->rows == 0) return 0;
    const size_t n_tasks = (a->rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK;
    struct work w = {t, a, b, weight, tape_array(t, n_tasks, sizeof *w.value)};
    if (!w.value) return 0;
    if (a->gradient) tensor_open_gradient(a);
    if (b->gradient) tensor_open_gradient(b);
    parallel_run(t->parallel, n_tasks, rows_task, &w);
    double sum = 0;
    for (size_t i = 0; i < n_tasks; i++) sum += w.value[i];
    return sum;
}
