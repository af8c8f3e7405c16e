/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of 8-bit products with AVX-512 BW. Included by vector_lm.h only. */

enum { INT8_OFFSET = 0, INT8_STARTS = 1 };
#define INT8_REGISTER(v) "v"(v) /* where assembler sees a vector */

/* As in int8_avx2.h. */
struct int8_left {
    vi magnitude, negative;
};

static inline struct int8_left int8_left(vi w) {
    return (struct int8_left){(vi)_mm512_abs_epi8((__m512i)w), (vi)_mm512_movm_epi8(_mm512_movepi8_mask((__m512i)w))};
}

static inline vi int8_dot4(vi sum, struct int8_left w, vi a) {
    const __m512i pairs = _mm512_maddubs_epi16((__m512i)w.magnitude, (__m512i)(a ^ w.negative));
    return sum + (vi)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}

static inline vi int8_dot4_of(vi sum, struct int8_left w, const int8_t *four) {
    return int8_dot4(sum, w, splat_codes(four));
}

static inline vi int8_start(vi sum, struct int8_left w) {
    const __m512i pairs = _mm512_maddubs_epi16((__m512i)(w.magnitude & w.negative), _mm512_set1_epi8(1));
    return sum + (vi)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}

static inline vf half_lanes(const uint16_t *p) {
    __m256i v;
    memcpy(&v, p, sizeof v);
    return (vf)_mm512_cvtph_ps(v);
}
