/* SPDX-License-Identifier: Apache-2.0 */
/* The calibration loss over m distinct items with multiplicities c. With E the unit vectors, G = E E^T and
 * N = n (n - 1) ordered pairs of places, n = sum c:
 *
 *     L = 1/N sum_ab c_a (c_b - [a = b]) w_ab f(G_ab),   f: exp(-2t (1 - G)),  exp(2t G),  -2 (1 - G)
 *
 * The derivative M_ab = c_a c_b w_ab f'(G_ab) / N is symmetric, so dE = 2 M E, and M's diagonal drops out:
 * a unit vector's product with itself does not move. Rows go in blocks: M is never whole in memory. */
#include "model/losses.h"

#include "base/size.h"
#include "tensor/gemm.h"

#include <math.h>
#include <string.h>

enum { ROWS_PER_TASK = 64, MOST_WEIGHTS = 1 << 14 };
#define NORM_FLOOR 1e-12f

struct work {
    struct tape *tape;
    struct tensor *table;
    const struct calibration *c;
    size_t m, d;
    double pairs;
    float *unit;       /* [m, d] */
    float *norm;       /* [m] */
    float *count;      /* [m] multiplicities */
    float *weight;     /* [n_weights] of pairs, by count: the larger ones are few, and counts have no bound */
    size_t n_weights;
    double most;       /* log(1 + max_count) */
    uint32_t *local;   /* [n_items + 1] item -> 1 + its place among the m, 0: not in the batch */
    float *slopes;     /* [threads, ROWS_PER_TASK, m] */
    float *gradient;   /* [m, d] of the unit vectors */
    double *value;     /* [tasks] */
    size_t first_task; /* of those that are ours */
};

/* exp(-gamma S) of items chosen together so often. */
static float weight_of(const struct work *w, uint32_t count) {
    return (float)exp(count ? -w->c->gamma * log1p((double)count) / w->most : 0);
}

static float weight_at(const struct work *w, uint64_t entry) {
    const uint32_t count = w->c->cooccurrence->count[entry];
    return count < w->n_weights ? w->weight[count] : weight_of(w, count);
}

static void normalise_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct work *w = context;
    const size_t end = min_size(w->m, (task + 1) * ROWS_PER_TASK);
    for (size_t a = task * ROWS_PER_TASK; a < end; a++) {
        const float *x = w->table->value + w->c->row[a] * w->d;
        const float norm = sqrtf(w->tape->kernels->dot(x, x, w->d));
        w->norm[a] = norm > NORM_FLOOR ? norm : NORM_FLOOR;
        w->tape->kernels->scale_add(1 / w->norm[a], x, 0, w->unit + a * w->d, w->d);
        w->count[a] = (float)w->c->multiplicity[a];
    }
}

/* Weight of a's pair with itself, 1 unless the table holds it. */
static float self_weight(const struct work *w, size_t a) {
    const struct cooccurrence *s = w->c->cooccurrence;
    const uint32_t item = w->c->item[a];
    for (uint64_t e = s->start[item]; e < s->start[item + 1]; e++)
        if (s->item[e] == item) return weight_at(w, e);
    return 1;
}

/* Turns a row of products G_ab, b < m, into M_ab N / (c_a slope of f), weights included, and returns the
 * row's sum of c_b w_ab f(G_ab) without b = a. */
static double transform_row(const struct work *w, size_t a, float *row) {
    const struct kernels *k = w->tape->kernels;
    const struct cooccurrence *s = w->c->cooccurrence;
    const float t2 = (float)(2 * w->c->t);
    double value = 0;
    switch (w->c->form) {
    case CALIBRATION_KERNEL:
    case CALIBRATION_DOT: {
        const float shift = w->c->form == CALIBRATION_KERNEL ? -t2 : 0;
        for (size_t b = 0; b < w->m; b++) row[b] = t2 * row[b] + shift;
        k->exp(row, row, w->m);
        for (size_t b = 0; b < w->m; b++) row[b] *= w->count[b];
        break;
    }
    case CALIBRATION_LINEAR:
        for (size_t b = 0; b < w->m; b++) row[b] = -2 * w->count[b] * (1 - row[b]);
        break;
    case CALIBRATION_NONE:
        break;
    }
    row[a] = 0;
    const uint32_t item = w->c->item[a];
    for (uint64_t e = s->start[item]; e < s->start[item + 1]; e++)
        if (w->local[s->item[e]]) row[w->local[s->item[e]] - 1] *= weight_at(w, e);
    for (size_t b = 0; b < w->m; b++) value += (double)row[b];
    if (w->c->form != CALIBRATION_LINEAR) return value;
    /* The slope is constant: rebuild the row from multiplicities and weights. */
    memcpy(row, w->count, w->m * sizeof *row);
    row[a] = 0;
    for (uint64_t e = s->start[item]; e < s->start[item + 1]; e++)
        if (w->local[s->item[e]]) row[w->local[s->item[e]] - 1] *= weight_at(w, e);
    return value;
}

/* f(1): a place against another one that holds the same item. */
static double value_at_self(const struct calibration *c) {
    return c->form == CALIBRATION_KERNEL ? 1 : c->form == CALIBRATION_DOT ? exp(2 * c->t) : 0;
}

static void pairs_task(void *context, size_t nth, int worker) {
    const struct work *w = context;
    const size_t task = w->first_task + nth, m = w->m, d = w->d, first = task * ROWS_PER_TASK;
    const size_t n = min_size(m, first + ROWS_PER_TASK) - first;
    float *block = w->slopes + (size_t)worker * ROWS_PER_TASK * m;
    gemm_single(&(struct gemm){.kernels = w->tape->kernels, .m = n, .n = m, .k = d, .a = w->unit + first * d,
                               .lda = d, .b = w->unit, .ldb = d, .b_transposed = true, .c = block, .ldc = m,
                               .alpha = 1});
    const double slope = w->c->form == CALIBRATION_LINEAR ? 2 : 2 * w->c->t; /* f' = slope f, or slope */
    double value = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t a = first + i;
        const double c = (double)w->count[a];
        value += c * transform_row(w, a, block + i * m);
        if (c > 1) value += c * (c - 1) * (double)self_weight(w, a) * value_at_self(w->c);
        w->tape->kernels->scale((float)(2 * slope * c / w->pairs), block + i * m, m);
    }
    w->value[task] = value / w->pairs;
    gemm_single(&(struct gemm){.kernels = w->tape->kernels, .m = n, .n = d, .k = m, .a = block, .lda = m,
                               .b = w->unit, .ldb = d, .c = w->gradient + first * d, .ldc = d, .alpha = 1});
}

/* dx = (de - e (e . de)) / |x|, into the table's rows. */
static void table_task(void *context, size_t nth, int worker) {
    (void)worker;
    const struct work *w = context;
    const struct kernels *k = w->tape->kernels;
    const size_t task = w->first_task + nth, end = min_size(w->m, (task + 1) * ROWS_PER_TASK);
    for (size_t a = task * ROWS_PER_TASK; a < end; a++) {
        const float *e = w->unit + a * w->d;
        float *de = w->gradient + a * w->d;
        if (w->norm[a] > NORM_FLOOR) k->axpy(-k->dot(e, de, w->d), e, de, w->d);
        k->axpy((float)w->c->weight / w->norm[a], de, w->table->gradient + w->c->row[a] * w->d, w->d);
    }
}

static bool prepare(struct work *w) {
    struct tape *t = w->tape;
    const struct cooccurrence *s = w->c->cooccurrence;
    const size_t threads = (size_t)parallel_threads(t->parallel);
    w->unit = tape_array(t, w->m * w->d, sizeof *w->unit);
    w->gradient = tape_array(t, w->m * w->d, sizeof *w->gradient);
    w->norm = tape_array(t, w->m, sizeof *w->norm);
    w->count = tape_array(t, w->m, sizeof *w->count);
    w->n_weights = min_size(MOST_WEIGHTS, (size_t)s->max_count + 1);
    w->weight = tape_array(t, w->n_weights, sizeof *w->weight);
    w->local = tape_array(t, (size_t)s->n_items + 2, sizeof *w->local);
    w->slopes = tape_array(t, threads * ROWS_PER_TASK * w->m, sizeof *w->slopes);
    w->value = tape_array(t, (w->m + ROWS_PER_TASK - 1) / ROWS_PER_TASK, sizeof *w->value);
    if (tape_failed(t)) return false;
    w->most = log1p((double)s->max_count);
    for (uint32_t c = 0; c < w->n_weights; c++) w->weight[c] = weight_of(w, c);
    memset(w->local, 0, ((size_t)s->n_items + 2) * sizeof *w->local);
    for (size_t a = 0; a < w->m; a++) w->local[w->c->item[a]] = (uint32_t)a + 1;
    return true;
}

double calibration_loss(struct tape *t, struct tensor *table, const struct calibration *c) {
    double places = 0;
    for (size_t a = 0; a < c->n_distinct; a++) places += c->multiplicity[a];
    if (!table || c->form == CALIBRATION_NONE || places < 2) return 0;
    struct work w = {.tape = t, .table = table, .c = c, .m = c->n_distinct, .d = table->cols,
                     .pairs = places * (places - 1)};
    if (!prepare(&w)) return 0;
    const size_t n_tasks = (w.m + ROWS_PER_TASK - 1) / ROWS_PER_TASK, n_parts = max_size(1, c->n_parts);
    const size_t end = n_tasks * (c->part + 1) / n_parts;
    w.first_task = n_tasks * c->part / n_parts;
    parallel_run(t->parallel, n_tasks, normalise_task, &w);
    parallel_run(t->parallel, end - w.first_task, pairs_task, &w);
    if (table->gradient) {
        tensor_open_gradient(table);
        parallel_run(t->parallel, end - w.first_task, table_task, &w);
    }
    const size_t n_rows = min_size(w.m, end * ROWS_PER_TASK) - min_size(w.m, w.first_task * ROWS_PER_TASK);
    t->flops += 4.0 * (double)n_rows * (double)w.m * (double)w.d;
    double sum = 0;
    for (size_t i = w.first_task; i < end; i++) sum += w.value[i];
    return sum;
}
