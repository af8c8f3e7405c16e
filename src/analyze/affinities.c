/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/affinities.h"

#include "base/alloc.h"
#include "base/size.h"

#include <math.h>
#include <stdlib.h>

/* Bisection halves the interval at every step: 100 are more than a double has digits. */
enum { MAX_STEPS = 100, ROWS = 64 };
static const double entropy_tolerance = 1e-10;

/* Fills p, and returns its entropy in nats. scale: 1 over the mean distance, so that beta is near 1. */
static double row_entropy(const double *distance, size_t k, double scale, double beta, double *p) {
    double sum = 0, mean = 0;
    for (size_t j = 0; j < k; j++) {
        const double d = (distance[j] - distance[0]) * scale;
        p[j] = exp(-beta * d);
        sum += p[j];
        mean += p[j] * d;
    }
    for (size_t j = 0; j < k; j++)
        p[j] /= sum;
    return log(sum) + beta * mean / sum;
}

void affinity_row(const double *distance, size_t k, double perplexity, double *p) {
    const double target = log(perplexity);
    double mean = 0, low = 0, high = HUGE_VAL, beta = 1;
    for (size_t j = 0; j < k; j++)
        mean += (distance[j] - distance[0]) / (double)k;
    const double scale = mean > 0 && isfinite(1 / mean) ? 1 / mean : 0;
    for (int step = 0; step < MAX_STEPS; step++) {
        const double excess = row_entropy(distance, k, scale, beta, p) - target;
        if (fabs(excess) < entropy_tolerance || scale <= 0) return;
        if (excess > 0) {
            low = beta;
            beta = isinf(high) ? beta * 2 : (beta + high) / 2;
        } else {
            high = beta;
            beta = (beta + low) / 2;
        }
    }
}

/* ---- joint probabilities ---- */

struct entry {
    uint32_t column;
    double p;
};

struct joint {
    const struct neighbours *m;
    double perplexity;
    double *conditional;   /* [n, k] p_j|i */
    size_t *start;         /* [n + 1] of the entries, both directions */
    struct entry *entries; /* row i: its neighbours, then those that have it among theirs */
    size_t *length;        /* [n] of the rows after equal columns were added */
};

static void conditional_task(void *context, size_t i, int worker) {
    (void)worker;
    const struct joint *j = context;
    const size_t k = j->m->k, end = min_size(j->m->n, (i + 1) * ROWS);
    for (size_t r = i * ROWS; r < end; r++)
        affinity_row(j->m->distance + r * k, k, j->perplexity, j->conditional + r * k);
}

static int by_column(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    return (x->column > y->column) - (x->column < y->column);
}

/* A column stands at most twice in a row, so the order of its two does not matter. */
static void merge_task(void *context, size_t i, int worker) {
    (void)worker;
    struct joint *j = context;
    const size_t end = min_size(j->m->n, (i + 1) * ROWS);
    for (size_t r = i * ROWS; r < end; r++) {
        struct entry *row = j->entries + j->start[r];
        const size_t n = j->start[r + 1] - j->start[r];
        size_t length = 0;
        qsort(row, n, sizeof *row, by_column);
        for (size_t e = 0; e < n; e++)
            if (length && row[length - 1].column == row[e].column)
                row[length - 1].p += row[e].p;
            else
                row[length++] = row[e];
        j->length[r] = length;
    }
}

/* Each p_j|i into the rows of both i and j. length counts what a row has so far. */
static void distribute(struct joint *j) {
    const struct neighbours *m = j->m;
    for (size_t r = 0; r <= m->n; r++)
        j->start[r] = r * m->k;
    for (size_t e = 0; e < m->n * m->k; e++)
        j->length[m->index[e]]++;
    for (size_t r = 0, before = 0; r < m->n; r++) {
        before += j->length[r];
        j->start[r + 1] += before;
        j->length[r] = 0;
    }
    for (size_t e = 0; e < m->n * m->k; e++) {
        const uint32_t a = (uint32_t)(e / m->k), b = m->index[e];
        j->entries[j->start[a] + j->length[a]++] = (struct entry){b, j->conditional[e]};
        j->entries[j->start[b] + j->length[b]++] = (struct entry){a, j->conditional[e]};
    }
}

static genair_code gather(const struct joint *j, struct affinities *out, genair_status *st) {
    const size_t n = j->m->n;
    out->start = mem_array(n + 1, sizeof *out->start);
    if (!out->start) return fail_memory(st);
    out->start[0] = 0;
    for (size_t r = 0; r < n; r++)
        out->start[r + 1] = out->start[r] + j->length[r];
    out->column = mem_array(out->start[n], sizeof *out->column);
    out->p = mem_array(out->start[n], sizeof *out->p);
    if (!out->column || !out->p) return fail_memory(st);
    for (size_t r = 0; r < n; r++)
        for (size_t e = 0; e < j->length[r]; e++) {
            const struct entry *from = &j->entries[j->start[r] + e];
            out->column[out->start[r] + e] = from->column;
            out->p[out->start[r] + e] = from->p / (2 * (double)n);
        }
    return GENAIR_OK;
}

genair_code affinities_make(struct parallel *parallel, const struct neighbours *m, double perplexity,
                            struct affinities *out, genair_status *st) {
    *out = (struct affinities){.n = m->n};
    const size_t n_tasks = m->k ? (m->n + ROWS - 1) / ROWS : 0, cells = m->n * m->k; /* as neighbours_find had it */
    struct joint j = {.m = m, .perplexity = perplexity};
    j.conditional = mem_array(cells, sizeof *j.conditional);
    j.start = mem_array(m->n + 1, sizeof *j.start);
    j.entries = mem_array(cells, 2 * sizeof *j.entries);
    j.length = mem_zeros(m->n, sizeof *j.length);
    genair_code code = GENAIR_OK;
    if (!j.conditional || !j.start || !j.entries || !j.length) code = fail_memory(st);
    if (code == GENAIR_OK) {
        parallel_run(parallel, n_tasks, conditional_task, &j);
        distribute(&j);
        parallel_run(parallel, n_tasks, merge_task, &j);
        code = gather(&j, out, st);
    }
    mem_free(j.conditional);
    mem_free(j.start);
    mem_free(j.entries);
    mem_free(j.length);
    return code;
}

void affinities_free(struct affinities *a) {
    mem_free(a->start);
    mem_free(a->column);
    mem_free(a->p);
    *a = (struct affinities){0};
}
