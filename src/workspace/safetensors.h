/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads and writes safetensors files. */
#ifndef GENAIR_WORKSPACE_SAFETENSORS_H
#define GENAIR_WORKSPACE_SAFETENSORS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct safetensor {
    const char *name;
    const char *type; /* "F32", "F16", … as the file says; NULL when writing: F32 */
    size_t n_dims;
    size_t shape[8];
    size_t n_values;
    uint64_t offset;           /* in the file, and bytes there; not looked at when writing */
    size_t n_bytes;
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
/* Without the mapping: every data is NULL, and values are read from the file. For files that others may cut short. */
CHECKED genair_code safetensors_open_unmapped(const char *path, struct safetensors **out,
                                              genair_status *st);
/* size bytes of the file from offset on. Any thread. */
CHECKED genair_code safetensors_read(const struct safetensors *f, uint64_t offset, void *out,
                                     size_t size, genair_status *st);
void safetensors_close(struct safetensors *f);
const struct safetensor *safetensors_find(const struct safetensors *f,
                                          const char *name); /* or NULL */
const char *safetensors_metadata(const struct safetensors *f, const char *key); /* borrowed; "" where there is none */

/* A float32 matrix to be written. name and data are borrowed; data: NULL where the caller puts the values. */
struct safetensor safetensor_f32(const char *name, size_t rows, size_t cols, const float *data);
struct writer;
/* The file up to the first value, for tensors that are not in memory as a whole: the caller puts their values, in the given
 * order, and commits. */
CHECKED genair_code safetensors_begin(const char *path, size_t n, const struct safetensor *tensors,
                                      size_t n_metadata, const char *const *keys,
                                      const char *const *values, struct writer **out,
                                      genair_status *st);
/* Atomic; tensors in the given order, their data as it lies in memory, names sorted by the caller or not. */
CHECKED genair_code safetensors_write(const char *path, size_t n, const struct safetensor *tensors,
                                      size_t n_metadata, const char *const *keys,
                                      const char *const *values, genair_status *st);

#endif
