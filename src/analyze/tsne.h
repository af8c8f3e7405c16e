/* SPDX-License-Identifier: Apache-2.0 */
/* This module places vectors in the plane so that near ones stay near: t-SNE (van der Maaten and Hinton 2008),
 * with Barnes and Hut's approximation for many points (van der Maaten 2014). */
#ifndef GENAIR_ANALYZE_TSNE_H
#define GENAIR_ANALYZE_TSNE_H

#include "analyze/affinities.h"
#include "analyze/quadtree.h"

/* From here on neighbours and forces are approximated. */
enum { TSNE_EXACT_BELOW = 2000 };

struct tsne_options {
    double perplexity; /* about how many neighbours count; less where there are not three times as many points */
    double theta;      /* 0: exact; below 0.7 */
    int iterations;
};

struct tsne {
    size_t n;
    double *y;          /* [n, 2] */
    double perplexity;  /* that was used */
    double divergence;  /* KL(P || Q) in nats at the end, P over the neighbours that were taken, Q over all pairs */
};

/* The usual options for n points. */
struct tsne_options tsne_defaults(size_t n);

/* x: [n, width], n >= 1, is centred in place. Starts from the plane of the leading components, scaled to a deviation
 * of 1e-4, so nothing is drawn: the same vectors give the same bytes, for any number of threads. Vectors
 * that are equal begin in one place. Release with tsne_free, also after a failure. */
CHECKED genair_code tsne_make(genair_context *ctx, double *x, size_t n, size_t width, struct tsne_options options,
                              struct tsne *out, genair_status *st);
void tsne_free(struct tsne *t); /* {0} is fine */

/* ---- the objective and its gradient ---- */

struct tsne_forces {
    struct parallel *parallel;
    const struct affinities *p;
    double theta;
    struct quadtree tree; /* with theta above 0 */
    double *repulsion;    /* [n, 2] */
    double *z;            /* a part for each block of points */
};
CHECKED genair_code tsne_forces_create(struct parallel *parallel, const struct affinities *p, double theta,
                                       struct tsne_forces *out, genair_status *st);
void tsne_forces_free(struct tsne_forces *f); /* {0} is fine */
/* dKL/dy with p times exaggeration; y, gradient: [n, 2]. */
void tsne_gradient(struct tsne_forces *f, const double *y, double exaggeration, double *gradient);
/* KL(P || Q), exact: O(n²). */
double tsne_divergence(struct tsne_forces *f, const double *y);

#endif
