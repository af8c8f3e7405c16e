/* SPDX-License-Identifier: Apache-2.0 */
/* This module finds a place in the plane for each item: that of the t-SNE of `genair analyze`, or, where there is
 * none, the two leading principal components of the run's own item vectors. */
#ifndef GENAIR_SERVE_ITEM_PLANE_H
#define GENAIR_SERVE_ITEM_PLANE_H

#include "recommend/recommender.h"

enum { PLANE_ITEMS = 20000 }; /* the most popular, where there are more */

struct item_plane {
    const char *of; /* a sentence that says what the places are */
    size_t n;
    uint32_t *item; /* [n] */
    double *x, *y;  /* [n] finite */
};

/* n is 0 where the run has no vectors and the workspace no map. Released with item_plane_free, also after a failure. */
CHECKED genair_code item_plane_make(const char *workspace, const struct recommender *r, struct item_plane *out,
                                    genair_status *st);
void item_plane_free(struct item_plane *p);

#endif
