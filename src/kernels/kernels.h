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

/* What the slowest of arithmetic, that of subnormal numbers, is spared: no p above 1e-22 can tell (rate 1e-3, epsilon 1e-8). */
#define ADAM_DUST 1e-36f
/* A step of at most this share of |p| leaves p as it is: half of what half its last place may be. */
#define ADAM_STILL 0x1p-26f

/* Whether, without a gradient, the step by these constants is smaller than the one before was by those. */
bool adam_shrinks(const struct adam_step *before, const struct adam_step *now);

/* Columns of a panel: panel[k * PANEL + j] is component k of vector j. */
enum { PANEL = 16 };

/* Vectors in 8 bits. They stand in tiles of INT8_ROWS, so that a product of a tile reads one stream: with t = r / INT8_ROWS *
 * n_blocks + k / INT8_BLOCK and j = r % INT8_ROWS, component k of vector r is about
 * scales[t * INT8_ROWS + j] * codes[(t * INT8_ROWS + j) * INT8_BLOCK + k % INT8_BLOCK]; codes lie in -127 … 127.
 * sums[(2 * t + k % INT8_BLOCK / 16) * INT8_ROWS + j] is the sum of 16 codes; starts[t * INT8_ROWS + j] is INT8_START times the
 * sum of a block's: where sums of products start when the other side's codes were raised by -INT8_START, for an instruction
 * that takes them without sign. The last tile is whole. */
enum { INT8_BLOCK = 32, INT8_ROWS = 16, INT8_START = -128 };
struct int8_rows {
    int8_t *codes;
    float *scales;
    int32_t *sums, *starts;
    size_t n_blocks; /* of a vector */
};

/* The same vectors from block b on. */
static inline struct int8_rows int8_rows_from(const struct int8_rows *rows, size_t b) {
    return (struct int8_rows){rows->codes + b * INT8_ROWS * INT8_BLOCK, rows->scales + b * INT8_ROWS,
                              rows->sums + 2 * b * INT8_ROWS, rows->starts + b * INT8_ROWS, rows->n_blocks};
}

/* A panel in 8 bits: component k of vector j is scale * code - min, its code in codes[(k / 4 * PANEL + j) * 4 + k % 4],
 * its scale in scales[k / group * PANEL + j], its min in mins[k / INT8_BLOCK * PANEL + j]. */
struct int8_panel {
    const int8_t *codes; /* -128 … 127 */
    const float *scales;
    const float *mins; /* NULL: all 0; only with group 32 */
    size_t n_blocks;   /* of INT8_BLOCK components */
    size_t group;      /* 16 or 32 components have one scale */
};

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
    /* One step of Adam (Kingma and Ba, 2015) in PyTorch's form: see tensor/parameters.h. Moments below ADAM_DUST are 0. */
    void (*adam)(const struct adam_step *s, const float *g, float *p, float *m, float *v, size_t n);
    /* n_steps of it with gradient 0, to the byte, of which each but the first has to shrink (adam_shrinks): soon they no
     * longer move p, then m is 0. */
    void (*adam_rest)(const struct adam_step *steps, size_t n_steps, float *p, float *m, float *v, size_t n);
    /* how many x[i] >= threshold; *ties of them equal, *nans are not numbers */
    size_t (*count_at_least)(const float *x, size_t n, float threshold, size_t *ties, size_t *nans);
    /* sum of the x[i] >= threshold */
    double (*sum_at_least)(const float *x, size_t n, float threshold);
    /* Those x[i] that are at least low and below high, in order, to out[n], which may be x. Returns how many. */
    size_t (*keep_between)(const float *x, size_t n, float low, float high, float *out);
    /* the first i with x[i] > threshold; n when there is none */
    size_t (*first_above)(const float *x, size_t n, float threshold);
    /* out[r * out_stride + j] = start[r * start_stride + j] + sum over k < width of rows[r * row_stride + k]
     * panel[k * PANEL + j]. start: may be out, and NULL for zeros; with stride 0 it is one row for all. Terms are added in
     * the order of k whatever r and j: equal vectors have equal bits as product, which BLAS does not promise (OpenBLAS 0.3.21 rounds by place in the matrix) and ties need. */
    void (*panel_product)(const float *rows, size_t n_rows, size_t row_stride, const float *panel, size_t width,
                          const float *start, size_t start_stride, float *out, size_t out_stride);
    /* x[n] in 8 bits as vector r of rows: a block's largest magnitude is 127 scale; codes are to nearest, ties to even.
     * n a multiple of INT8_BLOCK. A block of magnitudes below 1e-30 is 0. The same bytes from every table. */
    void (*int8_quantise)(const float *x, size_t n, const struct int8_rows *rows, size_t r);
    /* What a thread calls around its int8_products of panels of one group: they may need the processor set up. */
    void (*int8_begin)(size_t group);
    void (*int8_end)(void);
    /* out[r * out_stride + j] = product of vector r with vector j of the panel, added to out if accumulate. Sums of
     * integers are exact; those of groups are added in the order of k, each a multiply-add of (sum, scale of the panel *
     * scale of the row), then of the block's min: the same bytes from every table. The panel may be part of a longer one: its n_blocks are
     * the first of the rows'. */
    void (*int8_product)(const struct int8_rows *rows, size_t n_rows, const struct int8_panel *panel, float *out,
                         size_t out_stride, bool accumulate);
    /* 2 n codes of 4 bits: out[i] = in[i] % 16 + offset, out[n + i] = in[i] / 16 + offset */
    void (*int4_unpack)(const uint8_t *in, size_t n, int offset, int8_t *out);
    /* IEEE half precision and bfloat16 to float, exactly (a signalling NaN may become a quiet one) */
    void (*half_to_float)(const uint16_t *in, size_t n, float *out);
    void (*bfloat_to_float)(const uint16_t *in, size_t n, float *out);
    /* y = x / sqrt(mean of squares + eps) * w */
    void (*rmsnorm)(const float *x, const float *w, float eps, size_t n, float *y);
    /* y = a / (1 + e^-a) * b */
    void (*silu_product)(const float *a, const float *b, float *y, size_t n);
    /* x[i], x[n + i] = x[i] c[i] - x[n + i] s[i], x[n + i] c[i] + x[i] s[i] for i < n */
    void (*rotate)(float *x, const float *c, const float *s, size_t n);
    /* As many of int8_product's multiply-adds as fit: rounds times, data in registers. Returns how many; *sink keeps
     * the compiler honest. What a machine's speed is measured against. */
    double (*int8_peak)(size_t rounds, int32_t *sink);
    /* out[k * out_stride + j] = in[j * in_stride + k] for j < n_rows, k < width */
    void (*transpose)(const float *in, size_t n_rows, size_t in_stride, size_t width, float *out, size_t out_stride);
};

/* name: "scalar", "avx2", "avx512", "vnni" (AVX-512 with VNNI), "amx" (that
 * with AMX's tiles), "neon", or NULL for the best that processor and operating system
 * support. NULL when the named one cannot run here. */
const struct kernels *kernels_select(const char *name);

extern const struct kernels kernels_scalar;

#endif
