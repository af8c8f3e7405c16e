/* SPDX-License-Identifier: Apache-2.0 */
/* This module records operations on matrices, to run their backwards in reverse order.
 *
 * A tensor is a row-major matrix of float. Its gradient is allocated with it when it wants one; the first
 * operation that contributes writes it, later ones add (tensor_accumulates). An operation's forward pass
 * takes its result and scratch memory from the tape's arena and pushes a node; all of it is gone at
 * tape_reset. Operations never fail by themselves: a request for memory that failed sticks, makes every
 * later operation return NULL, and tape_failed tells at the end of the step. Operations accept NULL inputs
 * for that reason.
 *
 * One tape belongs to one thread; inside, operations spread over its struct parallel. Every result is a
 * function of shapes and values alone, never of the number of threads. */
#ifndef GENAIR_TENSOR_TAPE_H
#define GENAIR_TENSOR_TAPE_H

#include "base/arena.h"
#include "base/parallel.h"
#include "kernels/kernels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tensor {
    size_t rows, cols;
    float *value;    /* [rows, cols] */
    float *gradient; /* [rows, cols], or NULL: no gradient wanted */
    bool written;    /* gradient holds something */
};

typedef void backward_function(void *node);

struct tape {
    struct arena *arena;
    struct parallel *parallel;
    const struct kernels *kernels;
    bool training;     /* record nodes and drop out */
    bool detached;     /* record nothing: what is computed are constants */
    uint64_t seed;     /* of dropout */
    uint64_t step;     /* likewise: step << 16 | number of the dropout within the step */
    uint32_t n_dropouts;
    double flops;      /* multiply-adds of matrix products times two, forward and backward, counted */
    struct tape_node *last;
};

/* Borrows everything but the arena, which it owns. false when memory is out. */
bool tape_init(struct tape *t, struct parallel *parallel, const struct kernels *kernels, uint64_t seed);
void tape_deinit(struct tape *t);
void tape_reset(struct tape *t, bool training, uint64_t step);
bool tape_failed(const struct tape *t);

/* An uninitialised tensor; its gradient exists when wanted and the tape is training. */
struct tensor *tape_tensor(struct tape *t, size_t rows, size_t cols, bool wants_gradient);
/* A tensor over the caller's arrays; gradient may be NULL. */
struct tensor *tape_view(struct tape *t, size_t rows, size_t cols, float *value, float *gradient);
/* node: from tape_array of this tape. Not recorded outside training. */
void tape_push(struct tape *t, backward_function *backward, void *node);
/* Runs the backwards, last first. The caller has written the gradients of what it differentiates. */
void tape_backward(struct tape *t);
/* Takes out what is recorded so far, for tape_backward_of; the tape goes on as if nothing were. */
struct tape_node *tape_take(struct tape *t);
void tape_backward_of(struct tape *t, struct tape_node *last);
void *tape_array(struct tape *t, size_t n, size_t size);

/* True when the gradient holds a contribution already; it counts as written from now on. */
bool tensor_accumulates(struct tensor *x);
/* Fills the gradient with zeros unless it is written: for operations that scatter into it. */
void tensor_open_gradient(struct tensor *x);

/* Parameters of the next dropout of this step. */
struct dropout tape_dropout(struct tape *t, double probability);

#endif
