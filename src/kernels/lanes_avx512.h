/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen lanes: AVX-512 F. Included by vector.c only. */
#include <immintrin.h>

enum { LANES = 16 };
typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef uint32_t vu __attribute__((vector_size(64)));
typedef uint8_t vb __attribute__((vector_size(16)));

static inline vf vf_fma(vf a, vf b, vf c) {
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

static inline vf vf_sqrt(vf a) {
    return (vf)_mm512_sqrt_ps((__m512)a);
}

static inline vi vf_to_nearest(vf a) {
    return (vi)_mm512_cvtps_epi32((__m512)a);
}

/* Halves of the 64-bit products of each lane with m. */
static inline void vu_multiply(vu a, uint32_t m, vu *low, vu *high) {
    const __m512i factor = _mm512_set1_epi32((int)m);
    const __m512i even = _mm512_mul_epu32((__m512i)a, factor);
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64((__m512i)a, 32), factor);
    *low = (vu)_mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
    *high = (vu)_mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
}

/* Halves added until one lane is left: lane 0 with 8, 1 with 9, and so on. */
static inline float vf_sum(vf a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256((__m512)a),
                                       _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd((__m512)a), 1)));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* n < LANES: the first n lanes, the others 0. */
static inline vf vf_load_part(const float *p, size_t n) {
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1U << n) - 1), p);
}

static inline void vf_store_part(float *p, vf a, size_t n) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1U << n) - 1), (__m512)a);
}

static inline float vf_largest(vf a) {
    return _mm512_reduce_max_ps((__m512)a);
}

static inline int32_t vi_sum(vi a) {
    return _mm512_reduce_add_epi32((__m512i)a);
}
