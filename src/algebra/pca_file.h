/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps the principal components that `fuse` found, so that items that come later can be given a row of
 * the same matrix: a safetensors file with, for each part, "PART.mean" [width], "PART.components" [k, width] and
 * "PART.variances" [k], float64, and "whiten" (yes, no) among its metadata. */
#ifndef GENAIR_ALGEBRA_PCA_FILE_H
#define GENAIR_ALGEBRA_PCA_FILE_H

#include "algebra/pca.h"
#include "workspace/item_parts.h"

struct fused_components {
    struct pca part[N_PARTS]; /* those with width 0 do not go into the matrix; n, rank and the other variances are not kept */
    bool whiten;
    size_t width; /* of a row: the components of all parts */
};

CHECKED genair_code pca_file_write(const char *path, const struct pca parts[N_PARTS], bool whiten, genair_status *st);
/* Released with pca_file_free, also after a failure. GENAIR_FORMAT when it is not what `fuse` writes. */
CHECKED genair_code pca_file_read(const char *path, struct fused_components *out, genair_status *st);
void pca_file_free(struct fused_components *c);

/* Rows of the fused matrix, the same bytes that fuse would give: part: [n, width of the part] float32, NULL where it is
 * not needed. out: [n, c->width]. */
CHECKED genair_code pca_file_project(genair_context *ctx, const struct fused_components *c, size_t n,
                                     const float *const part[N_PARTS], float *out, genair_status *st);

#endif
