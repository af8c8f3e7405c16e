/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of 8-bit products with AVX-512 VNNI. Included by vector_lm.h only. */

/* The instruction's left operand has no sign: it is raised by INT8_OFFSET, and sums start at -INT8_OFFSET times the right
 * side's sum. */
enum { INT8_OFFSET = 128, INT8_STARTS = 0 };
#define INT8_REGISTER(v) "v"(v) /* where assembler sees a vector */

struct int8_left {
    vi raised;
};

static inline struct int8_left int8_left(vi w) {
    return (struct int8_left){w ^ (int32_t)0x80808080};
}

static inline vi int8_dot4(vi sum, struct int8_left w, vi a) {
    return (vi)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w.raised, (__m512i)a);
}

/* As one instruction, which compilers make two of: where a multiplication starts every half cycle, the other one, though it
 * only loads, costs a tenth of the speed. */
static inline vi int8_dot4_of(vi sum, struct int8_left w, const int8_t *four) {
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(w.raised), "m"(*(const int32_t *)(const void *)four));
    return sum;
}

static inline vi int8_start(vi sum, struct int8_left w) {
    (void)w;
    return sum;
}

static inline vf half_lanes(const uint16_t *p) {
    __m256i v;
    memcpy(&v, p, sizeof v);
    return (vf)_mm512_cvtph_ps(v);
}
