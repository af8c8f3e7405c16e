/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tables, and the input embedding of the attention models. Their gradients are scattered by
 * destination row: each row's contributions are added in the order of the entries, whatever the threads. */
#include "tensor/ops.h"

#include "base/size.h"

#include <string.h>

enum { TOKENS_PER_TASK = 64, ROWS_PER_TASK = 32 };

struct inverse tape_inverse(struct tape *t, const uint32_t *index, size_t n, size_t n_rows) {
    uint32_t *start = tape_array(t, n_rows + 2, sizeof *start);
    uint32_t *entry = tape_array(t, n <= UINT32_MAX ? n : SIZE_MAX, sizeof *entry); /* more are counted as no memory */
    if (!start || !entry) return (struct inverse){.n_rows = n_rows};
    memset(start, 0, (n_rows + 2) * sizeof *start);
    /* Counting sort; start is kept one place ahead while filling. */
    for (size_t i = 0; i < n; i++)
        if (index[i] < n_rows) start[index[i] + 2]++;
    for (size_t r = 2; r < n_rows + 2; r++) start[r] += start[r - 1];
    for (size_t i = 0; i < n; i++)
        if (index[i] < n_rows) entry[start[index[i] + 1]++] = (uint32_t)i;
    return (struct inverse){n_rows, start, entry};
}

struct scatter {
    const struct kernels *kernels;
    const struct inverse *inverse;
    float scale;
    const float *from;
    size_t width;
    float *to;
};

static void scatter_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct scatter *s = context;
    const size_t end = min_size(s->inverse->n_rows, (task + 1) * ROWS_PER_TASK);
    for (size_t r = task * ROWS_PER_TASK; r < end; r++)
        for (uint32_t e = s->inverse->start[r]; e < s->inverse->start[r + 1]; e++)
            s->kernels->axpy(s->scale, s->from + s->inverse->entry[e] * s->width, s->to + r * s->width,
                             s->width);
}

/* to[r] += scale * the sum of from's rows in r's entries, for all r. to, from: rows of width floats. */
static void scatter_rows(struct tape *t, const struct inverse *inverse, float scale, const float *from, size_t width,
                         float *to) {
    struct scatter s = {t->kernels, inverse, scale, from, width, to};
    parallel_run(t->parallel, (inverse->n_rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK, scatter_task, &s);
}

struct gather {
    struct tape *tape;
    struct embedding e; /* position NULL for a plain gather */
    size_t n;
    uint32_t *place;    /* [n] position of each token, or NULL */
    struct dropout dropout;
    uint64_t *bits;
    struct tensor *y;
};

static void gather_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct gather *g = node;
    const struct kernels *k = g->tape->kernels;
    const size_t d = g->y->cols, first = task * TOKENS_PER_TASK;
    const size_t end = min_size(g->n, first + TOKENS_PER_TASK);
    for (size_t i = first; i < end; i++) {
        const uint32_t row = g->e.index[i];
        const float *from = row == MASK_ROW ? g->e.mask->value : g->e.table->value + row * d;
        float *y = g->y->value + i * d;
        if (!g->place) {
            memcpy(y, from, d * sizeof *y);
        } else {
            memcpy(y, g->e.position->value + g->place[i] * d, d * sizeof *y);
            k->axpy(g->e.scale, from, y, d);
        }
    }
    if (g->bits && end > first) { /* TOKENS_PER_TASK rows are whole words of bits */
        k->dropout_bits(&g->dropout, first * d, (end - first) * d, g->bits + first * d / 64);
        float *y = g->y->value + first * d;
        k->dropout(g->bits + first * d / 64, g->dropout.scale, y, y, (end - first) * d);
    }
}

static void mask_gradient_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct gather *g = node;
    const size_t d = g->y->cols, first = task * TOKENS_PER_TASK;
    const size_t n = (min_size(g->n, first + TOKENS_PER_TASK) - first) * d;
    float *dy = g->y->gradient + first * d; /* nobody else reads it: masked in place */
    g->tape->kernels->dropout(g->bits + first * d / 64, g->dropout.scale, dy, dy, n);
}

static void gather_backward(void *node) {
    struct gather *g = node;
    struct tape *t = g->tape;
    const size_t d = g->y->cols;
    if (!g->y->written) return;
    if (g->bits) parallel_run(t->parallel, (g->n + TOKENS_PER_TASK - 1) / TOKENS_PER_TASK, mask_gradient_task, g);
    if (g->e.table->gradient) {
        const struct inverse by_row = tape_inverse(t, g->e.index, g->n, g->e.table->rows);
        if (!by_row.entry) return;
        tensor_open_gradient(g->e.table);
        scatter_rows(t, &by_row, g->e.scale, g->y->gradient, d, g->e.table->gradient);
    }
    if (g->e.mask && g->e.mask->gradient) {
        tensor_open_gradient(g->e.mask);
        for (size_t i = 0; i < g->n; i++)
            if (g->e.index[i] == MASK_ROW)
                t->kernels->axpy(g->e.scale, g->y->gradient + i * d, g->e.mask->gradient, d);
    }
    if (g->place && g->e.position->gradient) {
        const struct inverse by_place = tape_inverse(t, g->place, g->n, g->e.position->rows);
        if (!by_place.entry) return;
        tensor_open_gradient(g->e.position);
        scatter_rows(t, &by_place, 1, g->y->gradient, d, g->e.position->gradient);
    }
}

static struct tensor *gather(struct tape *t, const struct embedding *e, size_t n) {
    struct gather *g = tape_array(t, 1, sizeof *g);
    struct tensor *y = tape_tensor(t, n, e->table->cols, true);
    if (!g || !y) return NULL;
    *g = (struct gather){.tape = t, .e = *e, .n = n, .y = y};
    if (e->position && !(g->place = tape_array(t, n, sizeof *g->place))) return NULL;
    if (t->training && e->dropout > 0) {
        g->bits = tape_array(t, n * y->cols / 64 + 3, sizeof *g->bits);
        if (!g->bits) return NULL;
        g->dropout = tape_dropout(t, e->dropout);
    }
    for (size_t b = 0; g->place && b < e->n_sequences; b++)
        for (uint32_t i = e->offsets[b]; i < e->offsets[b + 1]; i++) g->place[i] = i - e->offsets[b] + 1;
    parallel_run(t->parallel, (n + TOKENS_PER_TASK - 1) / TOKENS_PER_TASK, gather_task, g);
    tape_push(t, gather_backward, g);
    return y;
}

struct tensor *op_gather(struct tape *t, struct tensor *table, struct tensor *mask, const uint32_t *index,
                         size_t n) {
    if (!table) return NULL;
    return gather(t, &(struct embedding){.table = table, .mask = mask, .index = index, .scale = 1}, n);
}

struct tensor *op_gather_dropped(struct tape *t, struct tensor *table, const uint32_t *index, size_t n,
                                 double probability) {
    if (!table) return NULL;
    return gather(t, &(struct embedding){.table = table, .index = index, .scale = 1, .dropout = probability}, n);
}

struct tensor *op_embed(struct tape *t, const struct embedding *e) {
    if (!e->table || !e->position) return NULL;
    return gather(t, e, e->offsets[e->n_sequences]);
}
