/* SPDX-License-Identifier: Apache-2.0 */
/* This module computes ranking losses and the calibration loss with their gradients.
 *
 * A loss is the end of a step: it returns its value and adds its gradient to the tensors it was given at
 * once, so it pushes no node. u: [R, d] user states, one row a target; table: [n, d] item vectors; index
 * arrays hold rows of table. Means run over all R targets of the batch (spec §5). R = 0 gives 0. */
#ifndef GENAIR_MODEL_LOSSES_H
#define GENAIR_MODEL_LOSSES_H

#include "tensor/tape.h"
#include "workspace/dataset.h"

enum pair_form {
    PAIR_BCE,             /* mean softplus(-s+) + mean softplus(s-) */
    PAIR_BPR,             /* mean over negatives of softplus(s- - s+) (eq. 17) */
    PAIR_BPR_SUM,         /* the same, summed */
    PAIR_SAMPLED_SOFTMAX, /* mean of log(e^s+ + sum e^s-) - s+; uniform negatives need no correction */
    PAIR_GBCE             /* gSASRec (Petrov and Macdonald, 2023): (beta softplus(-s+) + sum softplus(s-)) / (K + 1) */
};

struct pair_loss {
    enum pair_form form;
    size_t n_negatives;        /* K */
    const uint32_t *positive;  /* [R] */
    const uint32_t *negatives; /* [R, K] */
    double beta;               /* of PAIR_GBCE: see gbce_beta */
    float *scores;             /* [R, 1 + K] receives the scores, or NULL */
    size_t n_all;              /* targets that the mean is over, where these are a part of them; 0: R */
};
double pair_loss(struct tape *t, struct tensor *u, struct tensor *table, const struct pair_loss *loss);

/* alpha (t (1 - 1 / alpha) + 1 / alpha) with alpha = K / (n_items - 1), the paper's sampling rate. */
double gbce_beta(size_t n_negatives, size_t n_items, double t);

/* Cross-entropy over every row of table: mean of logsumexp_j(u . e_j) - u . e_positive. Works on blocks of
 * targets; holds at most about 64 MiB of logits at a time. */
double softmax_loss(struct tape *t, struct tensor *u, struct tensor *table, const uint32_t *positive);
/* The same with a weight for each target, weight[R] >= 0: sum of weight (ce + z logsumexp^2). z > 0 holds the
 * logsumexp near 0 (Chowdhery et al., 2022, section 5): logits are then logarithms of probabilities. */
double weighted_softmax_loss(struct tape *t, struct tensor *u, struct tensor *table, const uint32_t *positive,
                             const float *weight, double z);

/* Sum over rows of weight |a - b|^2, [n] weights. */
double square_loss(struct tape *t, struct tensor *a, struct tensor *b, const float *weight);
/* Sum over rows of weight (1 - a . b), [n] weights, a and b of unit length: 1 - cosine. */
double direction_loss(struct tape *t, struct tensor *a, struct tensor *b, const float *weight);

enum calibration_form { CALIBRATION_NONE, CALIBRATION_KERNEL, CALIBRATION_DOT, CALIBRATION_LINEAR };

/* Mean over ordered pairs of places i != j, e the unit vectors (eqs. 9-14):
 *     kernel  w exp(-t |e_i - e_j|^2)     dot  w exp(2 t e_i . e_j)     linear  -w |e_i - e_j|^2
 * with w = exp(-gamma S(i, j)). Places that hold the same item are summed once with their multiplicity. */
struct calibration {
    enum calibration_form form;
    double weight;                /* alpha: scales the gradient, not the value returned */
    double gamma, t;
    size_t n_distinct;            /* m distinct items among the places */
    const uint32_t *row;          /* [m] their rows in table */
    const uint32_t *item;         /* [m] their catalogue ids, for S */
    const uint32_t *multiplicity; /* [m] places that hold each */
    const struct cooccurrence *cooccurrence;
    size_t part, n_parts;         /* the pairs of that part of the items i alone; n_parts 0: all */
};
double calibration_loss(struct tape *t, struct tensor *table, const struct calibration *c);

enum contrast_form { CONTRAST_SOFT, CONTRAST_INFONCE };

/* Two lists of vectors that describe the same things are to agree: of thing i x holds row i, y holds row i, and the lists
 * hold it multiplicity[i] times. LLMEmb's soft-label loss (Liu et al., 2025), or InfoNCE (van den Oord et al., 2018)
 * with cosines; both directions, means over places. */
struct contrast {
    enum contrast_form form;
    double weight;                /* scales the gradients, not the value returned */
    struct tensor *tau;           /* [1, 1] temperature, above 0 */
    const uint32_t *multiplicity; /* [m], or NULL: 1 each */
};
/* x, y: [m, n]; gradients go to those of x, y and tau that want one. Memory: up to six matrices of 64 x m a thread, or
 * three of m x m while these are small; time m^2 n. m = 0 gives 0. */
double contrastive_loss(struct tape *t, struct tensor *x, struct tensor *y, const struct contrast *c);

#endif
