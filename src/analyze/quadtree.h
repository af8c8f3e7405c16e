/* SPDX-License-Identifier: Apache-2.0 */
/* This module sums the repulsion between points of the plane by Barnes and Hut's tree (van der Maaten 2014,
 * section 4): a far square full of points counts as one point in its centre of mass. */
#ifndef GENAIR_ANALYZE_QUADTREE_H
#define GENAIR_ANALYZE_QUADTREE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* In the order of a walk that visits a square before its parts. */
struct cell {
    double x, y;     /* centre of mass */
    double side2;    /* squared side of the square; 0 for one point, or several in one place */
    uint32_t count;  /* points in it */
    uint32_t beyond; /* the cell after this one and its parts */
};

struct quadtree {
    struct cell *cells; /* [n_cells], at most 2 n */
    uint32_t *order;    /* [n] the points, those of a cell beside each other */
    size_t n_cells, n;
};

/* Room for n >= 1 points. Release with quadtree_free, also after a failure. */
CHECKED genair_code quadtree_create(size_t n, struct quadtree *out, genair_status *st);
void quadtree_free(struct quadtree *t); /* {0} is fine */
/* y: [n, 2] finite. */
void quadtree_build(struct quadtree *t, const double *y);
/* Adds, with q = 1 / (1 + |at - point|²): to *z the sum of q over all points, to force the sum of
 * q² (at - point). A square is taken as one point where its side is at most theta times its distance.
 * `at` may be one of the points: it then counts as q = 1 to *z, if theta is below 0.7. */
void quadtree_repulsion(const struct quadtree *t, const double at[2], double theta, double force[2], double *z);

#endif
