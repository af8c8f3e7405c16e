/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a constant table, scaled and shifted by the slot that each stands in. */
#include "tensor/ops.h"

#include "base/size.h"

#include <string.h>

enum { ROWS_PER_TASK = 64 };

struct node {
    struct tape *tape;
    struct slots s;
    struct tensor *y;
    double *share; /* [n] of each row in the gradient of its slot's gain */
};

static const float *row_of(const struct slots *s, size_t i) {
    return s->index[i] == MASK_ROW ? s->mask : s->table + s->index[i] * s->width;
}

static void forward_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct node *a = context;
    const size_t d = a->s.width, end = min_size(a->s.n, (task + 1) * ROWS_PER_TASK);
    for (size_t i = task * ROWS_PER_TASK; i < end; i++) {
        float *y = a->y->value + i * d;
        memcpy(y, a->s.shift + a->s.slot[i] * d, d * sizeof *y);
        a->tape->kernels->axpy(a->s.gain->value[a->s.slot[i]], row_of(&a->s, i), y, d);
    }
}

static void backward_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct node *a = context;
    const size_t d = a->s.width, end = min_size(a->s.n, (task + 1) * ROWS_PER_TASK);
    for (size_t i = task * ROWS_PER_TASK; i < end; i++)
        a->share[i] = (double)a->tape->kernels->dot(a->y->gradient + i * d, row_of(&a->s, i), d);
}

static void over_rows(struct node *a, parallel_task *task) {
    parallel_run(a->tape->parallel, (a->s.n + ROWS_PER_TASK - 1) / ROWS_PER_TASK, task, a);
}

static void slots_backward(void *context) {
    struct node *a = context;
    const size_t n_slots = a->s.gain->cols;
    double *sum = tape_array(a->tape, n_slots, sizeof *sum);
    if (!a->y->written || !a->s.gain->gradient || !sum) return;
    over_rows(a, backward_task);
    memset(sum, 0, n_slots * sizeof *sum);
    for (size_t i = 0; i < a->s.n; i++) sum[a->s.slot[i]] += a->share[i];
    tensor_open_gradient(a->s.gain);
    for (size_t k = 0; k < n_slots; k++) a->s.gain->gradient[k] += (float)sum[k];
}

struct tensor *op_slots(struct tape *t, const struct slots *s) {
    if (!s->gain) return NULL;
    struct node *a = tape_array(t, 1, sizeof *a);
    struct tensor *y = tape_tensor(t, s->n, s->width, true);
    double *share = tape_array(t, s->n + 1, sizeof *share);
    if (tape_failed(t)) return NULL;
    *a = (struct node){t, *s, y, share};
    over_rows(a, forward_task);
    tape_push(t, slots_backward, a);
    return y;
}
