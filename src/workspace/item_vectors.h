/* SPDX-License-Identifier: Apache-2.0 */
/* This module puts the item vectors into a workspace and takes them out: prefill.npy and decoding.npy, a row an
 * item in id order, float32. */
#ifndef GENAIR_WORKSPACE_ITEM_VECTORS_H
#define GENAIR_WORKSPACE_ITEM_VECTORS_H

#include "base/context.h"
#include "workspace/manifest.h"
#include "workspace/npy.h"
#include "workspace/stage_input.h"
#include "workspace/item_parts.h"

/* Writes the vector of an item (from 1) to out. */
typedef genair_code item_vector(void *user, enum item_part part, uint32_t item, float *out,
                                genair_status *st);

struct item_vectors {
    genair_context *ctx;
    struct workspace *workspace;
    uint32_t n_items;
    size_t width[N_PARTS]; /* columns; 0: this part is not there, and an earlier one is removed */
    item_vector *row;
    void *user;
    const struct stage_inputs *files; /* that the rows come from; NULL: none */
};

/* Writes the matrices and records them as stage "embed", whichever command made them: inputs may
 * name that one as "made_by" (manifest.h). A failure leaves the earlier ones. */
CHECKED genair_code item_vectors_publish(const struct item_vectors *v, const json_t *inputs,
                                         const json_t *result, genair_status *st);

/* For stages that read them: fails, naming the command to run, unless vectors are recorded, are as they were then,
 * and belong to the items that prepare numbered last. */
CHECKED genair_code item_vectors_verify(struct workspace *w, genair_status *st);
/* The same of a stage that holds a row an item: embed, fuse, fuse/NAME or scft. */
CHECKED genair_code item_vectors_verify_stage(struct workspace *w, const char *stage, genair_status *st);
/* Whether the workspace's own item matrix was made of the vectors that are there now; true without one. */
bool item_vectors_fused(const struct workspace *w);
bool item_vectors_have(const struct workspace *w, enum item_part part);
/* The matrix of a part that is there, two-dimensional with a row at least; released with npy_close. */
CHECKED genair_code item_vectors_open(const struct workspace *w, enum item_part part, struct npy **out,
                                      genair_status *st);

#endif
