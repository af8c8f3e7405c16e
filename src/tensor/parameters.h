/* SPDX-License-Identifier: Apache-2.0 */
/* This module owns a model's named parameters with what Adam remembers of them.
 *
 * A dense parameter has a gradient of its own shape. A table (item vectors) gets gradients for the rows of
 * a step only; the other rows still move by their momentum, as in PyTorch's dense Adam, but lazily: before
 * a row is read, the steps that it missed are replayed with gradient 0. The numbers are the same, to the
 * byte, as touching every row at every step. Most of these steps are too small to change a value, and cost a multiplication of
 * each moment (kernels' adam_rest): else an epoch would cost items x steps, the square of a shop's size.
 *
 * The rows of a table may be shared out among processes (base/shard.h): each then has memory for its own, and what is said
 * below of a table's rows is said of their places there. */
#ifndef GENAIR_TENSOR_PARAMETERS_H
#define GENAIR_TENSOR_PARAMETERS_H

#include "base/mapping.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/shard.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "tensor/tape.h"

#include <stdint.h>

struct parameter {
    char name[64];
    size_t rows, cols;
    struct shard shard;              /* of a table */
    size_t held;                     /* rows that are here: all, or those of the shard */
    float *value, *gradient, *m, *v; /* [held, cols]; gradient NULL for a table */
    struct overlay file;             /* the values are in it: parameter_map */
    bool summed;                     /* the gradient is a sum from the beginning, see parameters_sum_parts */
    uint32_t *done;                  /* [held] of a table: steps applied to the row; 0: never had a gradient */
    struct tensor *tensor;           /* dense: this step's view, NULL outside a step */
    struct tensor *part[2];          /* likewise of its parts, where it is a joint one */
    /* of a table, set by parameters_touch for one step: */
    const uint32_t *touched;         /* [n_touched] distinct rows */
    size_t n_touched;
    const float *touched_gradient;   /* [n_touched, cols] */
};

struct adam_options {
    double rate, beta1, beta2, epsilon; /* 1e-3, 0.9, 0.999, 1e-8 */
    double decay;                       /* L2 penalty inside the gradient, PyTorch's weight_decay */
};

struct parameters;

/* options NULL: parameters that only are read, without gradients and what Adam remembers. */
CHECKED genair_code parameters_create(const struct adam_options *options, struct parallel *parallel,
                                      const struct kernels *kernels, struct parameters **out,
                                      genair_status *st);
void parameters_free(struct parameters *p);

/* Tables that are added from now on are shared out. */
void parameters_share(struct parameters *p, struct shard shard);
/* Adds one of zeros. Pointers stay valid. */
CHECKED genair_code parameters_add(struct parameters *p, const char *name, size_t rows, size_t cols, bool table,
                                   struct parameter **out, genair_status *st);
size_t parameters_count(const struct parameters *p);
struct parameter *parameters_at(const struct parameters *p, size_t i);
struct parameter *parameters_find(const struct parameters *p, const char *name); /* or NULL */
uint64_t parameters_values(const struct parameters *p); /* how many numbers in all, wherever they are */
uint64_t parameters_step(const struct parameters *p);   /* Adam steps taken */
CHECKED genair_code parameters_set_step(struct parameters *p, uint64_t step, genair_status *st);

/* Drawn are parameters that are trained; those that only are read stay zero until their values are set.
 * Uniform between -bound and bound, a function of seed and name. */
void parameter_uniform(struct parameter *p, double bound, uint64_t seed);
/* Normal around 0, a function of seed, name and the value's place in the whole table. */
void parameter_normal(struct parameter *p, double deviation, uint64_t seed);
/* The same with deviation gain sqrt(2 / (rows + cols)) (Glorot and Bengio, 2010). */
void parameter_xavier_normal(struct parameter *p, double gain, uint64_t seed);
void parameter_fill(struct parameter *p, float value);
/* The values from row first on are those of a file's part from now on, others zero; value moves. Only of parameters that are read
 * alone. Errors as overlay_open. */
CHECKED genair_code parameter_map(struct parameter *p, size_t first, const struct file_part *part, genair_status *st);

/* A dense parameter as a tensor of this step; the same one when asked again. */
struct tensor *parameter_tensor(struct tape *t, struct parameter *p);
/* Other settings of Adam from the next step on. */
void parameters_set_adam(struct parameters *p, const struct adam_options *options);
/* Adam's rate from the next step on: for schedules. */
void parameters_set_rate(struct parameters *p, double rate);
/* Scales all gradients of dense parameters so that their norm together is at most that; after the backward pass. */
void parameters_clip(const struct parameters *p, double most);
/* A parameter of which Adam's means of squares, as far as they are here, are not all finite; NULL: there is none. */
const struct parameter *parameters_overflown(const struct parameters *p);
void parameters_begin_step(struct parameters *p);
/* Brings rows of a table up to date so that they may be read. rows NULL: all that are here. */
void parameters_catch_up(struct parameters *p, struct parameter *table, const uint32_t *rows, size_t n);
/* This step's gradient of a table, borrowed until parameters_adam. */
void parameters_touch(struct parameter *table, const uint32_t *rows, size_t n, const float *gradient);
/* One Adam step over all parameters (dense ones without a gradient count as gradient 0). */
CHECKED genair_code parameters_adam(struct parameters *p, genair_status *st);

/* ---- a step whose gradients are made in parts (model/parts.h) ----
 * The dense parameters count as one array, in their order. */
enum parameter_array { PARAMETER_VALUE, PARAMETER_M, PARAMETER_V };
/* From now on gradients of dense parameters are added up until parameters_take. */
void parameters_sum_parts(struct parameters *p);
size_t parameters_dense(const struct parameters *p); /* values in that array */
/* Where each of n owners' share begins, [n + 1]: about equal ones, of whole tasks of Adam. */
void parameters_divide(const struct parameters *p, size_t n, size_t *start);
/* The gradients go to out, or are added to it, and are zero again. */
void parameters_take(struct parameters *p, float *out, bool add);
/* Of places first to end: between the parameters and an array of all places. */
void parameters_copy(struct parameters *p, enum parameter_array which, float *all, size_t first, size_t end, bool to_all);
/* As parameters_adam, for places first to end, with the gradient of all places, and the rows that were touched. */
CHECKED genair_code parameters_adam_share(struct parameters *p, float *gradient, size_t first, size_t end,
                                          genair_status *st);

#endif
