/* SPDX-License-Identifier: Apache-2.0 */
/* This module names what `fuse` leaves in a workspace: its own item matrix, and others beside it under names of their own
 * (without one part, of another language model). */
#ifndef GENAIR_WORKSPACE_ITEM_MATRIX_H
#define GENAIR_WORKSPACE_ITEM_MATRIX_H

struct item_matrix {
    char file[96];        /* fused.npy, fused-NAME.npy: I × D float32, row i - 1 is item i */
    char description[96]; /* fuse.json, fuse-NAME.json */
    char components[96];  /* fuse.safetensors, fuse-NAME.safetensors: what brings further items into it (algebra/pca_file.h) */
    char stage[96];       /* in the manifest: fuse, fuse/NAME */
};

/* name: at most 64 characters (RULE_NAME); NULL for the workspace's own. */
struct item_matrix item_matrix_named(const char *name);

#endif
