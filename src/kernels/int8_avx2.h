/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of 8-bit products with AVX2. Included by vector_lm.h only. */

/* Vectors of the right side that share a load of the left: their sums stay in registers. */
enum { INT8_ROWS = 8, INT8_OFFSET = 0 };
#define INT8_REGISTER(v) "x"(v) /* where assembler sees a vector */

static inline vi int8_left(vi w) {
    return w;
}

/* sum + the four products of each lane. |w| <= 128 has no sign, so the products take it from a instead; two of at most
 * 128 * 127 fit 16 bits, so nothing saturates. */
static inline vi int8_dot4(vi sum, vi w, vi a) {
    const __m256i magnitude = _mm256_abs_epi8((__m256i)w), turned = _mm256_sign_epi8((__m256i)a, (__m256i)w);
    const __m256i pairs = _mm256_maddubs_epi16(magnitude, turned);
    return sum + (vi)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

static inline vf half_lanes(const uint16_t *p) {
    __m128i v;
    memcpy(&v, p, sizeof v);
    return (vf)_mm256_cvtph_ps(v);
}
