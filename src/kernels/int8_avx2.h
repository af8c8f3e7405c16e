/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of 8-bit products with AVX2. Included by vector_lm.h only. */

enum { INT8_OFFSET = 0, INT8_STARTS = 1 };
#define INT8_REGISTER(v) "x"(v) /* where assembler sees a vector */

/* The instruction wants a left side without sign: |w| a = w a where w is positive; where it is negative |w| ~a =
 * w a - |w|, so sums start at those |w|, the same for every a. (Turning a's sign would take one instruction too, but of those
 * that share the multipliers' ports.) Pairs of at most 128 * 128 are at least -32768: nothing saturates. */
struct int8_left {
    vi magnitude, negative;
};

static inline struct int8_left int8_left(vi w) {
    return (struct int8_left){(vi)_mm256_abs_epi8((__m256i)w),
                              (vi)_mm256_cmpgt_epi8(_mm256_setzero_si256(), (__m256i)w)};
}

static inline vi int8_dot4(vi sum, struct int8_left w, vi a) {
    const __m256i pairs = _mm256_maddubs_epi16((__m256i)w.magnitude, (__m256i)(a ^ w.negative));
    return sum + (vi)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

static inline vi int8_dot4_of(vi sum, struct int8_left w, const int8_t *four) {
    return int8_dot4(sum, w, splat_codes(four));
}

static inline vi int8_start(vi sum, struct int8_left w) {
    const __m256i pairs = _mm256_maddubs_epi16((__m256i)(w.magnitude & w.negative), _mm256_set1_epi8(1));
    return sum + (vi)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

static inline vf half_lanes(const uint16_t *p) {
    __m128i v;
    memcpy(&v, p, sizeof v);
    return (vf)_mm256_cvtph_ps(v);
}
