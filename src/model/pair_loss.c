/* SPDX-License-Identifier: Apache-2.0 */
/* Losses over one positive and K negatives a target. Scores are dot products of gathered rows; with
 * g = d loss / d score, du = sum g e, and each item's gradient collects g u over the places it stands in. */
#include "model/losses.h"

#include "base/size.h"
#include "tensor/ops.h"

#include <math.h>
#include <string.h>

enum { TARGETS_PER_TASK = 32, ITEMS_PER_TASK = 32 };

struct work {
    struct tape *tape;
    struct tensor *u, *table;
    const struct pair_loss *loss;
    size_t width;       /* 1 + K scores a target */
    uint32_t *index;    /* [R, 1 + K] rows of table: the positive, then the negatives */
    float *slope;       /* [R, 1 + K] scores, then d loss / d score */
    double *value;      /* [tasks] partial sums */
    bool accumulate_u;
    struct inverse by_item;
};

static double softplus(double x) {
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double sigmoid(double x) {
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

double gbce_beta(size_t n_negatives, size_t n_items, double t) {
    const double alpha = n_items > 1 ? fmin(1, (double)n_negatives / (double)(n_items - 1)) : 1;
    return alpha * (t * (1 - 1 / alpha) + 1 / alpha);
}

/* Value of one target's loss, before the mean over targets; s: scores in, slopes out. */
static double slopes(const struct pair_loss *loss, float *s) {
    const size_t n = loss->n_negatives;
    const double positive = (double)s[0], share = 1 / (double)n;
    double value = 0, slope = 0;
    switch (loss->form) {
    case PAIR_BCE:
        value = softplus(-positive);
        slope = -sigmoid(-positive);
        for (size_t k = 1; k <= n; k++) {
            value += share * softplus((double)s[k]);
            s[k] = (float)(share * sigmoid((double)s[k]));
        }
        break;
    case PAIR_BPR:
    case PAIR_BPR_SUM:
        for (size_t k = 1; k <= n; k++) {
            const double margin = (double)s[k] - positive;
            const double scale = loss->form == PAIR_BPR ? share : 1;
            value += scale * softplus(margin);
            s[k] = (float)(scale * sigmoid(margin));
            slope -= scale * sigmoid(margin);
        }
        break;
    case PAIR_SAMPLED_SOFTMAX: {
        double max = positive, sum = 0;
        for (size_t k = 1; k <= n; k++) max = fmax(max, (double)s[k]);
        for (size_t k = 0; k <= n; k++) sum += exp((double)s[k] - max);
        value = max + log(sum) - positive;
        slope = exp(positive - max) / sum - 1;
        for (size_t k = 1; k <= n; k++) s[k] = (float)(exp((double)s[k] - max) / sum);
        break;
    }
    case PAIR_GBCE: {
        const double all = 1 / (double)(n + 1);
        value = all * loss->beta * softplus(-positive);
        slope = -all * loss->beta * sigmoid(-positive);
        for (size_t k = 1; k <= n; k++) {
            value += all * softplus((double)s[k]);
            s[k] = (float)(all * sigmoid((double)s[k]));
        }
        break;
    }
    }
    s[0] = (float)slope;
    return value;
}

static void forward_task(void *context, size_t task, int worker) {
    (void)worker;
    struct work *w = context;
    const struct kernels *k = w->tape->kernels;
    const size_t d = w->u->cols, end = min_size(w->u->rows, (task + 1) * TARGETS_PER_TASK);
    const float scale = w->loss->form == PAIR_BPR_SUM ? 1 : 1 / (float)(w->loss->n_all ? w->loss->n_all : w->u->rows);
    double value = 0;
    for (size_t r = task * TARGETS_PER_TASK; r < end; r++) {
        const float *u = w->u->value + r * d;
        float *s = w->slope + r * w->width, *du = w->u->gradient + r * d;
        const uint32_t *index = w->index + r * w->width;
        for (size_t j = 0; j < w->width; j++) s[j] = k->dot(u, w->table->value + index[j] * d, d);
        if (w->loss->scores) memcpy(w->loss->scores + r * w->width, s, w->width * sizeof *s);
        value += slopes(w->loss, s);
        k->scale(scale, s, w->width);
        if (!w->accumulate_u) memset(du, 0, d * sizeof *du);
        for (size_t j = 0; j < w->width; j++) k->axpy(s[j], w->table->value + index[j] * d, du, d);
    }
    w->value[task] = value * (double)scale;
}

static void item_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct work *w = context;
    const size_t d = w->u->cols, end = min_size(w->table->rows, (task + 1) * ITEMS_PER_TASK);
    for (size_t row = task * ITEMS_PER_TASK; row < end; row++)
        for (uint32_t e = w->by_item.start[row]; e < w->by_item.start[row + 1]; e++) {
            const uint32_t place = w->by_item.entry[e];
            w->tape->kernels->axpy(w->slope[place], w->u->value + place / w->width * d,
                                   w->table->gradient + row * d, d);
        }
}

double pair_loss(struct tape *t, struct tensor *u, struct tensor *table, const struct pair_loss *loss) {
    if (!u || !table || u->rows == 0) return 0;
    const size_t n = u->rows, width = 1 + loss->n_negatives;
    const size_t n_tasks = (n + TARGETS_PER_TASK - 1) / TARGETS_PER_TASK;
    struct work w = {.tape = t, .u = u, .table = table, .loss = loss, .width = width};
    w.index = tape_array(t, n * width, sizeof *w.index);
    w.slope = tape_array(t, n * width, sizeof *w.slope);
    w.value = tape_array(t, n_tasks, sizeof *w.value);
    if (tape_failed(t)) return 0;
    for (size_t r = 0; r < n; r++) {
        w.index[r * width] = loss->positive[r];
        memcpy(w.index + r * width + 1, loss->negatives + r * loss->n_negatives,
               loss->n_negatives * sizeof *w.index);
    }
    w.accumulate_u = tensor_accumulates(u);
    parallel_run(t->parallel, n_tasks, forward_task, &w);
    w.by_item = tape_inverse(t, w.index, n * width, table->rows);
    if (tape_failed(t)) return 0;
    tensor_open_gradient(table);
    parallel_run(t->parallel, (table->rows + ITEMS_PER_TASK - 1) / ITEMS_PER_TASK, item_task, &w);
    t->flops += 6.0 * (double)n * (double)width * (double)u->cols;
    double sum = 0;
    for (size_t i = 0; i < n_tasks; i++) sum += w.value[i];
    return sum;
}
