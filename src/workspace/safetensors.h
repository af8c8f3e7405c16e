/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads and writes safetensors files of float32 arrays, memory-mapped. */
#ifndef GENAIR_WORKSPACE_SAFETENSORS_H
#define GENAIR_WORKSPACE_SAFETENSORS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct safetensor {
    const char *name;
    const char *type; /* "F32", "F16", … as the file says */
    size_t n_dims;
    size_t shape[8];
    size_t n_values;
    const unsigned char *data; /* borrowed: into the mapping, or the caller's when writing */
};

struct safetensors {
    size_t n;
    struct safetensor *tensors; /* in file order */
    size_t n_metadata;
    const char **metadata_keys, **metadata_values; /* "__metadata__" */
    void *private_;
};

CHECKED genair_code safetensors_open(const char *path, struct safetensors **out, genair_status *st);
void safetensors_close(struct safetensors *f);
const struct safetensor *safetensors_find(const struct safetensors *f,
                                          const char *name); /* or NULL */
/* Atomic; tensors of F32 in the given order, names sorted by the caller or not. */
CHECKED genair_code safetensors_write(const char *path, size_t n, const struct safetensor *tensors,
                                      size_t n_metadata, const char *const *keys,
                                      const char *const *values, genair_status *st);

#endif
