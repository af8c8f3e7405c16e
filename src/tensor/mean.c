/* SPDX-License-Identifier: Apache-2.0 */
/* Means over the rows of packed sequences, summed in double from the first row on; the backward pass gives each row
 * its share. */
#include "tensor/ops.h"

#include <string.h>

struct mean {
    struct tape *tape;
    struct tensor *x, *y;
    const uint32_t *offsets;
    double *sums; /* [threads, cols] */
    bool accumulate;
};

static void forward_task(void *node, size_t b, int worker) {
    const struct mean *m = node;
    const size_t cols = m->x->cols;
    double *sums = m->sums + (size_t)worker * cols;
    memset(sums, 0, cols * sizeof *sums);
    for (size_t i = m->offsets[b]; i < m->offsets[b + 1]; i++)
        for (size_t c = 0; c < cols; c++) sums[c] += (double)m->x->value[i * cols + c];
    const double n = (double)(m->offsets[b + 1] - m->offsets[b]);
    for (size_t c = 0; c < cols; c++) m->y->value[b * cols + c] = (float)(sums[c] / n);
}

static void backward_task(void *node, size_t b, int worker) {
    (void)worker;
    const struct mean *m = node;
    const size_t cols = m->x->cols;
    const float share = 1 / (float)(m->offsets[b + 1] - m->offsets[b]);
    for (size_t i = m->offsets[b]; i < m->offsets[b + 1]; i++)
        m->tape->kernels->scale_add(share, m->y->gradient + b * cols, m->accumulate ? 1 : 0,
                                    m->x->gradient + i * cols, cols);
}

static void mean_backward(void *node) {
    struct mean *m = node;
    if (!m->y->written || !m->x->gradient) return;
    m->accumulate = tensor_accumulates(m->x);
    parallel_run(m->tape->parallel, m->y->rows, backward_task, m);
}

struct tensor *op_mean(struct tape *t, struct tensor *x, const uint32_t *offsets, size_t n_sequences) {
    if (!x) return NULL;
    struct tensor *y = tape_tensor(t, n_sequences, x->cols, true);
    struct mean *node = tape_array(t, 1, sizeof *node);
    double *sums = tape_array(t, (size_t)parallel_threads(t->parallel) * x->cols, sizeof *sums);
    if (!y || tape_failed(t)) return NULL;
    *node = (struct mean){.tape = t, .x = x, .y = y, .offsets = offsets, .sums = sums};
    parallel_run(t->parallel, n_sequences, forward_task, node);
    tape_push(t, mean_backward, node);
    return y;
}
