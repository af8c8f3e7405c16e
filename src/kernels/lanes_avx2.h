/* SPDX-License-Identifier: Apache-2.0 */
/* Eight lanes: AVX2 with FMA. Included by vector.c only. */
#include <immintrin.h>

enum { LANES = 8 };
typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));
typedef uint32_t vu __attribute__((vector_size(32)));
typedef uint8_t vb __attribute__((vector_size(8)));

static inline vf vf_fma(vf a, vf b, vf c) {
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

static inline vf vf_sqrt(vf a) {
    return (vf)_mm256_sqrt_ps((__m256)a);
}

static inline vi vf_to_nearest(vf a) {
    return (vi)_mm256_cvtps_epi32((__m256)a);
}

/* Halves of the 64-bit products of each lane with m. */
static inline void vu_multiply(vu a, uint32_t m, vu *low, vu *high) {
    const __m256i factor = _mm256_set1_epi32((int)m);
    const __m256i even = _mm256_mul_epu32((__m256i)a, factor);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64((__m256i)a, 32), factor);
    *low = (vu)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
    *high = (vu)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}

/* Halves added until one lane is left: lane 0 with 4, 1 with 5, and so on. */
static inline float vf_sum(vf a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128((__m256)a), _mm256_extractf128_ps((__m256)a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline __m256i first_lanes(size_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* n < LANES: the first n lanes, the others 0. */
static inline vf vf_load_part(const float *p, size_t n) {
    return (vf)_mm256_maskload_ps(p, first_lanes(n));
}

static inline void vf_store_part(float *p, vf a, size_t n) {
    _mm256_maskstore_ps(p, first_lanes(n), (__m256)a);
}

static inline float vf_largest(vf a) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128((__m256)a), _mm256_extractf128_ps((__m256)a, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

static inline int32_t vi_sum(vi a) {
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128((__m256i)a), _mm256_extracti128_si256((__m256i)a, 1));
    s = _mm_add_epi32(s, _mm_unpackhi_epi64(s, s));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 1)));
}
