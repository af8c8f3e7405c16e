/* SPDX-License-Identifier: Apache-2.0 */
/* Rows brought to one length, laid over the columns of others, averaged in groups. Tasks are fixed ranges of rows. */
#include "tensor/ops.h"

#include "base/size.h"

#include <math.h>
#include <string.h>

enum { ROWS_PER_TASK = 64 };
#define NORM_FLOOR 1e-12f

static void over_rows(struct tape *t, size_t n, parallel_task *task, void *context) {
    parallel_run(t->parallel, (n + ROWS_PER_TASK - 1) / ROWS_PER_TASK, task, context);
}

struct unit {
    struct tape *tape;
    struct tensor *x, *y;
    float length, *norm; /* [rows] of x; 0: too short to have a direction */
    bool accumulate;
};

static void unit_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct unit *u = node;
    const struct kernels *k = u->tape->kernels;
    const size_t d = u->x->cols, end = min_size(u->x->rows, (task + 1) * ROWS_PER_TASK);
    for (size_t r = task * ROWS_PER_TASK; r < end; r++) {
        const float *x = u->x->value + r * d, norm = sqrtf(k->dot(x, x, d));
        u->norm[r] = norm > NORM_FLOOR ? norm : 0;
        k->scale_add(u->norm[r] > 0 ? u->length / norm : 0, x, 0, u->y->value + r * d, d);
    }
}

/* dx = (length dy - y (y . dy) / length) / |x| */
static void unit_backward_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct unit *u = node;
    const struct kernels *k = u->tape->kernels;
    const size_t d = u->x->cols, end = min_size(u->x->rows, (task + 1) * ROWS_PER_TASK);
    for (size_t r = task * ROWS_PER_TASK; r < end; r++) {
        const float *y = u->y->value + r * d, *dy = u->y->gradient + r * d;
        float *dx = u->x->gradient + r * d;
        if (!u->accumulate) memset(dx, 0, d * sizeof *dx);
        if (u->norm[r] == 0) continue;
        k->axpy(u->length / u->norm[r], dy, dx, d);
        k->axpy(-k->dot(y, dy, d) / (u->length * u->norm[r]), y, dx, d);
    }
}

static void unit_backward(void *node) {
    struct unit *u = node;
    if (!u->y->written || !u->x->gradient) return;
    u->accumulate = tensor_accumulates(u->x);
    over_rows(u->tape, u->x->rows, unit_backward_task, u);
}

struct tensor *op_unit_rows(struct tape *t, struct tensor *x, float length) {
    if (!x) return NULL;
    struct unit *u = tape_array(t, 1, sizeof *u);
    float *norm = tape_array(t, x->rows, sizeof *norm);
    struct tensor *y = tape_tensor(t, x->rows, x->cols, true);
    if (tape_failed(t)) return NULL;
    *u = (struct unit){.tape = t, .x = x, .y = y, .length = length, .norm = norm};
    over_rows(t, x->rows, unit_task, u);
    tape_push(t, unit_backward, u);
    return y;
}

struct overlay {
    struct tape *tape;
    const float *ground;
    const uint32_t *index;
    struct tensor *x, *y;
    bool add, accumulate;
};

static void overlay_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct overlay *o = node;
    const size_t d = o->y->cols, n = o->x->cols, end = min_size(o->y->rows, (task + 1) * ROWS_PER_TASK);
    for (size_t r = task * ROWS_PER_TASK; r < end; r++) {
        const float *x = o->x->value + r * n;
        float *y = o->y->value + r * d;
        memcpy(y, o->ground + o->index[r] * d, d * sizeof *y);
        if (o->add)
            o->tape->kernels->add(y + d - n, x, y + d - n, n);
        else
            memcpy(y + d - n, x, n * sizeof *y);
    }
}

static void overlay_backward_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct overlay *o = node;
    const size_t d = o->y->cols, n = o->x->cols, end = min_size(o->y->rows, (task + 1) * ROWS_PER_TASK);
    for (size_t r = task * ROWS_PER_TASK; r < end; r++) {
        const float *dy = o->y->gradient + r * d + d - n;
        float *dx = o->x->gradient + r * n;
        if (o->accumulate)
            o->tape->kernels->add(dx, dy, dx, n);
        else
            memcpy(dx, dy, n * sizeof *dx);
    }
}

static void overlay_backward(void *node) {
    struct overlay *o = node;
    if (!o->y->written || !o->x->gradient) return;
    o->accumulate = tensor_accumulates(o->x);
    over_rows(o->tape, o->y->rows, overlay_backward_task, o);
}

struct tensor *op_overlay(struct tape *t, const float *ground, size_t width, const uint32_t *index, struct tensor *x,
                          bool add) {
    if (!x) return NULL;
    struct overlay *o = tape_array(t, 1, sizeof *o);
    struct tensor *y = tape_tensor(t, x->rows, width, true);
    if (tape_failed(t)) return NULL;
    *o = (struct overlay){.tape = t, .ground = ground, .index = index, .x = x, .y = y, .add = add};
    over_rows(t, x->rows, overlay_task, o);
    tape_push(t, overlay_backward, o);
    return y;
}

struct group {
    struct tape *tape;
    const uint32_t *start;
    struct tensor *x, *y;
    float scale;
    bool accumulate;
};

static void group_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct group *g = node;
    const size_t d = g->x->cols, end = min_size(g->y->rows, (task + 1) * ROWS_PER_TASK);
    for (size_t r = task * ROWS_PER_TASK; r < end; r++) {
        float *y = g->y->value + r * d;
        memset(y, 0, d * sizeof *y);
        for (uint32_t i = g->start[r]; i < g->start[r + 1]; i++)
            g->tape->kernels->axpy(g->scale / (float)(g->start[r + 1] - g->start[r]), g->x->value + i * d, y, d);
    }
}

static void group_backward_task(void *node, size_t task, int worker) {
    (void)worker;
    const struct group *g = node;
    const size_t d = g->x->cols, end = min_size(g->y->rows, (task + 1) * ROWS_PER_TASK);
    for (size_t r = task * ROWS_PER_TASK; r < end; r++)
        for (uint32_t i = g->start[r]; i < g->start[r + 1]; i++)
            g->tape->kernels->scale_add(g->scale / (float)(g->start[r + 1] - g->start[r]), g->y->gradient + r * d,
                                        g->accumulate ? 1 : 0, g->x->gradient + i * d, d);
}

static void group_backward(void *node) {
    struct group *g = node;
    if (!g->y->written || !g->x->gradient) return;
    g->accumulate = tensor_accumulates(g->x);
    over_rows(g->tape, g->y->rows, group_backward_task, g);
}

struct tensor *op_group_mean(struct tape *t, struct tensor *x, const uint32_t *start, size_t n_groups, float scale) {
    if (!x) return NULL;
    struct group *g = tape_array(t, 1, sizeof *g);
    struct tensor *y = tape_tensor(t, n_groups, x->cols, true);
    if (tape_failed(t)) return NULL;
    *g = (struct group){.tape = t, .start = start, .x = x, .y = y, .scale = scale};
    over_rows(t, n_groups, group_task, g);
    tape_push(t, group_backward, g);
    return y;
}
