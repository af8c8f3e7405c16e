/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the table of the types that a weight may have in a file. */
#ifndef GENAIR_LM_TYPES_H
#define GENAIR_LM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values are ours; the numbers in GGUF files stand in the table. */
enum lm_type {
    LM_F32, LM_F16, LM_BF16, LM_Q8_0, LM_Q4_0, LM_Q4_1, LM_Q5_0, LM_Q5_1, LM_Q2_K, LM_Q3_K, LM_Q4_K, LM_Q5_K, LM_Q6_K,
    LM_IQ4_NL, N_LM_TYPES
};

struct lm_type_traits {
    const char *name;    /* "Q8_0" */
    uint32_t gguf;       /* its number in GGUF */
    size_t block_values; /* values in a block: 1, 32 or 256 */
    size_t block_bytes;
    int scales[2];       /* where in a block of integers its halfs stand, -1 for none */
    /* values of n_blocks blocks, to out[n_blocks * block_values] */
    void (*decode)(const unsigned char *blocks, size_t n_blocks, float *out);
};

extern const struct lm_type_traits lm_types[N_LM_TYPES];

bool lm_type_of_gguf(uint32_t number, enum lm_type *out);
/* Bytes of a row of n values; false when n is no whole number of blocks or the product overflows. */
bool lm_row_bytes(enum lm_type type, size_t n, size_t *bytes);

/* Scale and offset, whole numbers of 6 bits, of group i of 8 of a block of Q4_K or Q5_K; p: its 12 bytes of them. */
void lm_scales_of_group(const unsigned char *p, size_t i, float *s, float *m);

/* Whether all values are finite. Of a block of integers only the scales are looked at. */
bool lm_finite(enum lm_type type, const unsigned char *blocks, size_t n_blocks);

#endif
