/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of 8-bit products with AVX-512 BW. Included by vector_lm.h only. */

/* Vectors of the right side that share a load of the left: their sums stay in registers. */
enum { INT8_ROWS = 12, INT8_OFFSET = 0 };
#define INT8_REGISTER(v) "v"(v) /* where assembler sees a vector */

static inline vi int8_left(vi w) {
    return w;
}

/* As in int8_avx2.h; there is no sign instruction. */
static inline vi int8_dot4(vi sum, vi w, vi a) {
    const __mmask64 negative = _mm512_movepi8_mask((__m512i)w);
    const __m512i turned = _mm512_mask_sub_epi8((__m512i)a, negative, _mm512_setzero_si512(), (__m512i)a);
    const __m512i pairs = _mm512_maddubs_epi16(_mm512_abs_epi8((__m512i)w), turned);
    return sum + (vi)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}

static inline vf half_lanes(const uint16_t *p) {
    __m256i v;
    memcpy(&v, p, sizeof v);
    return (vf)_mm512_cvtph_ps(v);
}
