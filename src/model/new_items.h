/* SPDX-License-Identifier: Apache-2.0 */
/* This module gives items that training has not seen a row of the item matrix that a run of method genair reads: hidden states, the
 * stored principal components (eq. 7); the trained projector (eq. 8) follows when the run is opened (learned.c). Other methods have no such way
 * from text to vector. */
#ifndef GENAIR_MODEL_NEW_ITEMS_H
#define GENAIR_MODEL_NEW_ITEMS_H

#include "algebra/pca_file.h"
#include "workspace/catalogue.h"

/* Rows of the fused matrix of items that are not in it. */
struct fused_rows {
    size_t n, width;
    float *values; /* [n, width] released with mem_free */
};

/* The components by which the run's item matrix was made. GENAIR_USAGE, with the reason and what to do, when new items
 * can have no vector in the run. Released with pca_file_free. */
CHECKED genair_code new_items_components(const char *workspace, const char *run, struct fused_components *out,
                                         genair_status *st);
/* Whether an item has the vectors that they take; GENAIR_USAGE says which it lacks, or how wide it should be. */
CHECKED genair_code new_item_fits(const struct fused_components *c, const struct added_item *a, genair_status *st);
/* Leaves those that do not fit out of what catalogue_add found: *n_left_out of them, why says what is wrong with the first. */
CHECKED genair_code new_items_sift(const struct fused_components *c, struct catalogue *from, uint32_t *n_left_out,
                                   genair_status *why, genair_status *st);
/* The rows of the items that catalogue_add found, all of which fit. */
CHECKED genair_code new_items_rows(genair_context *ctx, const struct fused_components *c, const struct catalogue *from,
                                   struct fused_rows *out, genair_status *st);

#endif
