/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the table of elementwise and reducing kernels, one table an instruction set.
 *
 * scalar.c is the definition. vector.c is compiled once for each instruction set; its sums have another
 * order, so tables agree within rounding, and one table always gives the same bytes. Pointers need the
 * alignment of float only; n may be 0; in and out may be the same array, not overlap otherwise. */
#ifndef GENAIR_KERNELS_KERNELS_H
#define GENAIR_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Counter-based mask of dropout: element i of a tensor is kept when the 16-bit number i of the Philox
 * stream rng_at(seed, purpose, a, b = i / 8) is at least threshold = round(p * 65536). */
struct dropout {
    uint64_t seed, a;
    uint32_t purpose, threshold;
    float scale; /* 1 / (1 - p) */
};

struct adam_step {
    float beta1, beta2;
    float gain1, gain2; /* 1 - beta1, 1 - beta2, rounded once from double */
    float rate;      /* lr / (1 - beta1^step) */
    float root_bias; /* sqrt(1 - beta2^step) */
    float epsilon;
    float decay; /* L2 penalty: g + decay p takes g's place */
};

/* Columns of a panel: panel[k * PANEL + j] is component k of vector j. */
enum { PANEL = 16 };

struct kernels {
    const char *name;
    /* sum of a[i] b[i] */
    float (*dot)(const float *a, const float *b, size_t n);
    /* y += s x */
    void (*axpy)(float s, const float *x, float *y, size_t n);
    /* y = s x + c y, with c 0 not reading y */
    void (*scale_add)(float s, const float *x, float c, float *y, size_t n);
    /* y = a + b */
    void (*add)(const float *a, const float *b, float *y, size_t n);
    /* y = e^x; below -87 is 0 */
    void (*exp)(const float *x, float *y, size_t n);
    /* y = 1 / (1 + e^-x) */
    void (*sigmoid)(const float *x, float *y, size_t n);
    void (*tanh)(const float *x, float *y, size_t n);
    /* y = x Phi(x), the erf form (Hendrycks and Gimpel, 2016) */
    void (*gelu)(const float *x, float *y, size_t n);
    /* dx = dy (Phi(x) + x phi(x)), added to dx if accumulate */
    void (*gelu_backward)(const float *x, const float *dy, float *dx, size_t n, bool accumulate);
    /* x[i] = e^(x[i] - max); returns the sum and leaves max in *max. n >= 1. */
    float (*softmax_terms)(float *x, size_t n, float *max);
    /* x *= s */
    void (*scale)(float s, float *x, size_t n);
    /* y = (x - mean) / sqrt(var + eps) * w + b, biased variance; keeps mean and 1 / sqrt(var + eps) */
    void (*layernorm)(const float *x, const float *w, const float *b, float eps, size_t n, float *y,
                      float *mean, float *rstd);
    /* dx of one row (added if accumulate); dw += dy xhat, db += dy */
    void (*layernorm_backward)(const float *x, const float *w, const float *dy, float mean, float rstd,
                               size_t n, float *dx, bool accumulate, float *dw, float *db);
    /* Bits of elements first .. first + n - 1, first a multiple of 64: bit j of bits[i / 64] is element
     * first + i's. Writes ceil(n / 64) words; bits past n are unspecified. */
    void (*dropout_bits)(const struct dropout *d, uint64_t first, size_t n, uint64_t *bits);
    /* y = kept ? scale x : 0 */
    void (*dropout)(const uint64_t *bits, float scale, const float *x, float *y, size_t n);
    /* y = a + (kept ? scale x : 0) */
    void (*dropout_add)(const uint64_t *bits, float scale, const float *x, const float *a, float *y, size_t n);
    /* y = kept and x > 0 ? scale x : 0; bits becomes that condition, which is all its backward needs */
    void (*dropout_relu)(uint64_t *bits, float scale, const float *x, float *y, size_t n);
    /* One step of Adam (Kingma and Ba, 2015) in PyTorch's form: see tensor/parameters.h. */
    void (*adam)(const struct adam_step *s, const float *g, float *p, float *m, float *v, size_t n);
    /* how many x[i] >= threshold; *ties of them equal, *nans are not numbers */
    size_t (*count_at_least)(const float *x, size_t n, float threshold, size_t *ties, size_t *nans);
    /* the first i with x[i] > threshold; n when there is none */
    size_t (*first_above)(const float *x, size_t n, float threshold);
    /* out[r * out_stride + j] = sum over k < width of rows[r * row_stride + k] panel[k * PANEL + j], added to out
     * if accumulate. Terms are added in the order of k whatever r and j: equal vectors have equal bits as
     * product, which BLAS does not promise (OpenBLAS 0.3.21 rounds by place in the matrix) and ties need. */
    void (*panel_product)(const float *rows, size_t n_rows, size_t row_stride, const float *panel, size_t width,
                          float *out, size_t out_stride, bool accumulate);
    /* out[k * out_stride + j] = in[j * in_stride + k] for j < n_rows, k < width */
    void (*transpose)(const float *in, size_t n_rows, size_t in_stride, size_t width, float *out, size_t out_stride);
};

/* name: "scalar", "avx2", "avx512", "neon", or NULL for the best that processor and operating system
 * support. NULL when the named one cannot run here. */
const struct kernels *kernels_select(const char *name);

extern const struct kernels kernels_scalar;

#endif
