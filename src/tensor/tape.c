/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/tape.h"

#include "base/rng.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

struct tape_node {
    struct tape_node *previous;
    backward_function *backward;
    void *node;
};

bool tape_init(struct tape *t, struct parallel *parallel, const struct kernels *kernels, uint64_t seed) {
    *t = (struct tape){.parallel = parallel, .kernels = kernels, .seed = seed, .arena = arena_create()};
    return t->arena != NULL;
}

void tape_deinit(struct tape *t) {
    arena_free(t->arena);
    t->arena = NULL;
}

void tape_reset(struct tape *t, bool training, uint64_t step) {
    arena_reset(t->arena);
    t->training = training;
    t->step = step;
    t->n_dropouts = 0;
    t->last = NULL;
}

bool tape_failed(const struct tape *t) {
    return arena_failed(t->arena);
}

void *tape_array(struct tape *t, size_t n, size_t size) {
    return arena_array(t->arena, n, size);
}

struct tensor *tape_view(struct tape *t, size_t rows, size_t cols, float *value, float *gradient) {
    struct tensor *x = tape_array(t, 1, sizeof *x);
    if (!x || !value) return NULL;
    *x = (struct tensor){.rows = rows, .cols = cols, .value = value, .gradient = gradient};
    return x;
}

struct tensor *tape_tensor(struct tape *t, size_t rows, size_t cols, bool wants_gradient) {
    size_t n;
    if (!mul_size(rows, cols, &n)) n = SIZE_MAX; /* refused by the arena, which remembers */
    float *value = tape_array(t, n, sizeof *value);
    float *gradient = wants_gradient && t->training && !t->detached ? tape_array(t, n, sizeof *gradient) : NULL;
    if (tape_failed(t)) return NULL;
    return tape_view(t, rows, cols, value, gradient);
}

void tape_push(struct tape *t, backward_function *backward, void *node) {
    if (!t->training || t->detached) return;
    struct tape_node *entry = tape_array(t, 1, sizeof *entry);
    if (!entry) return;
    *entry = (struct tape_node){t->last, backward, node};
    t->last = entry;
}

struct tape_node *tape_take(struct tape *t) {
    struct tape_node *last = t->last;
    t->last = NULL;
    return last;
}

void tape_backward_of(struct tape *t, struct tape_node *last) {
    if (tape_failed(t)) return;
    for (struct tape_node *entry = last; entry; entry = entry->previous) entry->backward(entry->node);
}

void tape_backward(struct tape *t) {
    tape_backward_of(t, t->last);
}

bool tensor_accumulates(struct tensor *x) {
    const bool accumulates = x->written;
    x->written = true;
    return accumulates;
}

void tensor_open_gradient(struct tensor *x) {
    if (!tensor_accumulates(x)) memset(x->gradient, 0, x->rows * x->cols * sizeof *x->gradient);
}

struct dropout tape_dropout(struct tape *t, double probability) {
    const double kept = 1 - probability;
    return (struct dropout){.seed = t->seed,
                            .a = t->step << 16 | t->n_dropouts++,
                            .purpose = RNG_DROPOUT,
                            .threshold = (uint32_t)lround(probability * 65536),
                            .scale = (float)(1 / kept)};
}
