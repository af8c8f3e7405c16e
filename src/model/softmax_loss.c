/* SPDX-License-Identifier: Apache-2.0 */
/* Cross-entropy over the whole catalogue. With the logits L = U V^T of a block of targets and
 * G = w ((1 + 2 z l) softmax(L) - onehot), w a target's weight, l its logsumexp:   dU = G V,   dV += G^T U.
 *
 * Three products, all useful: a block's logits stay where they are (tens of MiB, near the last cache) until
 * both gradients are taken, so nothing is computed twice, and memory does not grow with the targets. */
#include "model/losses.h"

#include "base/size.h"
#include "tensor/gemm.h"

#include <math.h>
#include <string.h>

enum { LOGITS_BYTES = 64 << 20, MOST_TARGETS = 512, FEWEST_TARGETS = 16, ROWS_PER_TASK = 8 };

struct work {
    struct tape *tape;
    struct tensor *u, *table;
    const uint32_t *positive;
    const float *weight; /* [u->rows] or NULL: 1 / u->rows */
    double z;
    float *logits;     /* [n_block, table->rows] */
    double *value;     /* [n_block] */
    size_t first, n_block;
    bool accumulate_u, accumulate_table;
    size_t n_parts;    /* of the table's rows */
};

static void logits_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct work *w = context;
    const size_t d = w->u->cols, n = w->table->rows;
    const size_t first = gemm_split(n, w->n_parts, task), end = gemm_split(n, w->n_parts, task + 1);
    gemm_single(&(struct gemm){.kernels = w->tape->kernels, .m = w->n_block, .n = end - first, .k = d,
                               .a = w->u->value + w->first * d, .lda = d, .b = w->table->value + first * d,
                               .ldb = d, .b_transposed = true, .c = w->logits + first, .ldc = n, .alpha = 1});
}

static void softmax_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct work *w = context;
    const size_t n = w->table->rows, end = min_size(w->n_block, (task + 1) * ROWS_PER_TASK);
    for (size_t r = task * ROWS_PER_TASK; r < end; r++) {
        float *row = w->logits + r * n, max;
        const uint32_t positive = w->positive[w->first + r];
        const float share = w->weight ? w->weight[w->first + r] : 1 / (float)w->u->rows;
        const float target = row[positive];
        const float sum = w->tape->kernels->softmax_terms(row, n, &max);
        const double total = (double)max + log((double)sum);
        w->value[r] = (w->weight ? (double)share : 1) * (total - (double)target + w->z * total * total);
        w->tape->kernels->scale(share * (float)(1 + 2 * w->z * total) / sum, row, n);
        row[positive] -= share;
    }
}

static void table_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct work *w = context;
    const size_t d = w->u->cols, n = w->table->rows;
    const size_t first = gemm_split(n, w->n_parts, task), end = gemm_split(n, w->n_parts, task + 1);
    gemm_single(&(struct gemm){.kernels = w->tape->kernels, .m = end - first, .n = d, .k = w->n_block,
                               .a = w->logits + first, .lda = n, .a_transposed = true,
                               .b = w->u->value + w->first * d, .ldb = d, .c = w->table->gradient + first * d,
                               .ldc = d, .alpha = 1, .beta = w->accumulate_table ? 1 : 0});
}

static double block_loss(struct work *w) {
    const size_t d = w->u->cols, n = w->table->rows;
    struct parallel *p = w->tape->parallel;
    parallel_run(p, w->n_parts, logits_task, w);
    parallel_run(p, (w->n_block + ROWS_PER_TASK - 1) / ROWS_PER_TASK, softmax_task, w);
    gemm(p, &(struct gemm){.kernels = w->tape->kernels, .m = w->n_block, .n = d, .k = n, .a = w->logits,
                           .lda = n, .b = w->table->value, .ldb = d, .c = w->u->gradient + w->first * d,
                           .ldc = d, .alpha = 1, .beta = w->accumulate_u ? 1 : 0});
    parallel_run(p, w->n_parts, table_task, w);
    w->accumulate_table = true;
    double sum = 0;
    for (size_t r = 0; r < w->n_block; r++) sum += w->value[r];
    return sum;
}

double softmax_loss(struct tape *t, struct tensor *u, struct tensor *table, const uint32_t *positive) {
    return weighted_softmax_loss(t, u, table, positive, NULL, 0);
}

double weighted_softmax_loss(struct tape *t, struct tensor *u, struct tensor *table, const uint32_t *positive,
                             const float *weight, double z) {
    if (!u || !table || u->rows == 0) return 0;
    const size_t n = table->rows;
    size_t block = LOGITS_BYTES / sizeof(float) / n;
    block = min_size(max_size(block, FEWEST_TARGETS), MOST_TARGETS);
    block = min_size(block, u->rows);
    struct work w = {.tape = t, .u = u, .table = table, .positive = positive, .weight = weight, .z = z,
                     .n_parts = gemm_tasks(n)};
    w.logits = tape_array(t, block * n, sizeof *w.logits);
    w.value = tape_array(t, block, sizeof *w.value);
    if (tape_failed(t)) return 0;
    w.accumulate_u = tensor_accumulates(u);
    w.accumulate_table = tensor_accumulates(table);
    double sum = 0;
    for (w.first = 0; w.first < u->rows; w.first += block) {
        w.n_block = min_size(block, u->rows - w.first);
        sum += block_loss(&w);
    }
    t->flops += 6.0 * (double)u->rows * (double)n * (double)u->cols;
    return weight ? sum : sum / (double)u->rows;
}
