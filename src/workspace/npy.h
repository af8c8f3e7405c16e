/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads and writes NumPy's .npy files (format 1.0, 2.0, 3.0), memory-mapped. */
#ifndef GENAIR_WORKSPACE_NPY_H
#define GENAIR_WORKSPACE_NPY_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum npy_type { NPY_F2, NPY_F4, NPY_F8, NPY_I4, NPY_I8, NPY_U1 };
enum { NPY_MAX_DIMS = 8 };

struct npy {
    enum npy_type type;
    bool big_endian;
    bool fortran_order;
    size_t n_dims;
    size_t shape[NPY_MAX_DIMS];
    size_t n_values;
    const unsigned char *data; /* into the mapping, unaligned, in file order */
    const char *path;
    void *private_;
};

/* Sizes are checked against the file before anything is believed. */
CHECKED genair_code npy_open(const char *path, struct npy **out, genair_status *st);
/* rows × cols values that lie in memory in C order, borrowed until npy_close. name: what messages call them. */
CHECKED genair_code npy_wrap(const char *name, const void *values, enum npy_type type, size_t rows, size_t cols,
                             struct npy **out, genair_status *st);
void npy_close(struct npy *a);
/* Row r of a two-dimensional array of floats, converted; out: [shape[1]]. */
void npy_row_f32(const struct npy *a, size_t r, float *out);
void npy_row_f64(const struct npy *a, size_t r, double *out);
/* The i-th value in C order, whatever the file's order. */
double npy_f64(const struct npy *a, size_t i);
int64_t npy_i64(const struct npy *a, size_t i);
enum npy_type npy_type_of(genair_type type); /* of a matrix in memory */
const char *npy_type_name(enum npy_type type); /* "f4" */
/* The header of rows × cols float32 in C order, 128 bytes (format 1.0); the caller puts the rows
 * after it. */
struct writer;
CHECKED genair_code npy_put_header(struct writer *w, size_t rows, size_t cols, genair_status *st);
/* Writes rows × cols float32 in C order, atomically (format 1.0). */
CHECKED genair_code npy_write_f32(const char *path, size_t rows, size_t cols, const float *data,
                                  genair_status *st);
/* The same with int32. */
CHECKED genair_code npy_write_i32(const char *path, size_t rows, size_t cols, const int32_t *data,
                                  genair_status *st);

#endif
