/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps weight matrices in the order in which products read them, and multiplies.
 *
 * A matrix is cut into panels of PANEL rows. Weights of 8, 6 and 5 bits are held as 8-bit codes, of 4 bits as 4-bit ones,
 * with the file's own scales beside them; F16 and BF16 as they are. So memory is about the file's size: equal for Q8_0,
 * Q4_0, F16, BF16 and F32, 1.03 of it for Q4_K, 1.3 for Q6_K, 1.55 for Q5_0 and Q5_K. Types without a row in
 * pack.c's table become float32.
 *
 * An element of a product depends on its row of activations and its row of weights alone, bit for bit. */
#ifndef GENAIR_LM_MATRIX_H
#define GENAIR_LM_MATRIX_H

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "lm/weights.h"

/* n_rows rows of a tensor as they stand in its file, from row first; any thread. lm_weights_read is one. */
typedef genair_code lm_reader(const void *source, const struct lm_tensor *t, size_t first, size_t n_rows, void *out,
                              genair_status *st);

struct packing; /* pack.c */

struct matrix {
    size_t rows, cols;
    size_t n_panels;
    enum lm_type type;             /* LM_F32, LM_F16, LM_BF16 where packing is NULL */
    const struct packing *packing; /* of codes */
    size_t panel_bytes, codes_at;  /* codes_at: in a panel */
    unsigned char *data; /* [n_panels * panel_bytes] */
};

/* Reads and repacks a tensor. pairs_of 0, or a head's width: rows are then taken from (2 i, 2 i + 1) order within each head
 * to (i, i + width / 2). Errors: the reader's, GENAIR_MEMORY. */
CHECKED genair_code matrix_load(struct parallel *p, lm_reader *read, const void *source, const struct lm_tensor *t,
                                size_t pairs_of, struct matrix *out, genair_status *st);
void matrix_free(struct matrix *m);
bool matrix_is_integer(const struct matrix *m);
size_t matrix_padded_rows(const struct matrix *m); /* a whole number of panels */
size_t matrix_bytes(const struct matrix *m);
void matrix_row(const struct matrix *m, const struct kernels *k, size_t row, float *out); /* out[cols] */

/* Rows of activations. */
struct activations {
    size_t n;
    const float *values; /* [n, stride] */
    size_t stride;
    struct int8_rows codes; /* the same in 8 bits, read for matrices of integers; codes NULL: float32 arithmetic */
};

/* out[r * stride + i] = product of activation r and row i of m, i < matrix_padded_rows(m). */
struct matrix_product {
    const struct matrix *m;
    float *out;
    size_t stride;
};
/* Several matrices by the same activations, over all threads. */
void matrix_products(struct parallel *p, const struct kernels *k, const struct matrix_product *products, size_t n_products,
                     const struct activations *x);

/* silu(gate x) * (up x), the two matrices of one shape. A task makes all rows of MATRIX_GATED columns, which stay in its cache
 * until they are in 8 bits. */
enum { MATRIX_GATED = INT8_BLOCK };
struct gated_product {
    const struct matrix *gate, *up;
    float *scratch; /* [workers, scratch_stride], at least 2 MATRIX_GATED for each activation */
    size_t scratch_stride;
    float *values; /* [n, stride] */
    size_t stride;
    struct int8_rows codes; /* codes not NULL: goes here in place of values; rows a multiple of INT8_BLOCK */
};
void matrix_gated_product(struct parallel *p, const struct kernels *k, const struct gated_product *product,
                          const struct activations *x);

/* ---- between matrix.c and pack.c ---- */

struct packing {
    unsigned bits;      /* of a code: 8 or 4 */
    int lowest;         /* a code of 4 bits is stored less this */
    size_t group;       /* values under one scale */
    bool super;         /* blocks of 256: a half times small whole numbers, one a group */
    bool mins;          /* and a half times whole numbers to take off */
    size_t scales_at, n_scale_bytes; /* in a block of the file: bytes of the whole numbers */
    unsigned char one;  /* what they are when all scales are 1 and offsets 0, but for bytes that must be 0 */
};
extern const struct packing *const lm_packings[N_LM_TYPES]; /* NULL: none */

/* Byte offsets of a panel's arrays. Codes come last: what the next panel needs first follows what is read last, where a
 * product fetches ahead. */
struct panel_layout {
    size_t halfs;    /* uint16 [blocks][PANEL], or [blocks of 256][PANEL] */
    size_t scales;   /* int8 [groups][PANEL], where super */
    size_t min_halfs, mins; /* uint16 [blocks of 256][PANEL], int8 [blocks][PANEL] */
    size_t codes;    /* int8 or nibbles, INT8_BLOCK components at a time */
    size_t bytes;
};
struct panel_layout packing_layout(const struct packing *p, size_t cols);
/* Row j of the panel from a row of the file. codes: [cols * PANEL], gathered for all rows of the panel. */
void packing_put_row(enum lm_type type, size_t cols, const unsigned char *row, size_t j, unsigned char *panel, int8_t *codes);
/* Stores the codes of all rows. */
void packing_finish(enum lm_type type, size_t cols, const int8_t *codes, unsigned char *panel);
/* Scales and mins (where there are any) of n_blocks blocks from block first, as floats: [n_blocks * 32 / group][PANEL],
 * [n_blocks][PANEL]. first and n_blocks are multiples of 8 for blocks of 256. */
void packing_scales(const struct packing *p, const struct kernels *k, size_t cols, const unsigned char *panel, size_t first,
                    size_t n_blocks, float *scales, float *mins);

#endif
