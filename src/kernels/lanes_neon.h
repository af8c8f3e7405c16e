/* SPDX-License-Identifier: Apache-2.0 */
/* Four lanes: Advanced SIMD of aarch64. Included by vector.c only. */
#include <arm_neon.h>

enum { LANES = 4 };
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint32_t vu __attribute__((vector_size(16)));
typedef uint8_t vb __attribute__((vector_size(4)));

static inline vf vf_fma(vf a, vf b, vf c) {
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}

static inline vf vf_sqrt(vf a) {
    return (vf)vsqrtq_f32((float32x4_t)a);
}

static inline vi vf_to_nearest(vf a) {
    return (vi)vcvtnq_s32_f32((float32x4_t)a);
}

/* Halves of the 64-bit products of each lane with m. */
static inline void vu_multiply(vu a, uint32_t m, vu *low, vu *high) {
    const uint32x4_t first = vreinterpretq_u32_u64(vmull_n_u32(vget_low_u32((uint32x4_t)a), m));
    const uint32x4_t second = vreinterpretq_u32_u64(vmull_n_u32(vget_high_u32((uint32x4_t)a), m));
    *low = (vu)vuzp1q_u32(first, second);
    *high = (vu)vuzp2q_u32(first, second);
}

/* Halves added until one lane is left: lane 0 with 2, 1 with 3. */
static inline float vf_sum(vf a) {
    const float32x2_t s = vadd_f32(vget_low_f32((float32x4_t)a), vget_high_f32((float32x4_t)a));
    return vget_lane_f32(s, 0) + vget_lane_f32(s, 1);
}

/* n < LANES: the first n lanes, the others 0. */
static inline vf vf_load_part(const float *p, size_t n) {
    vf a = {0};
    for (size_t i = 0; i < n; i++) a[i] = p[i];
    return a;
}

static inline void vf_store_part(float *p, vf a, size_t n) {
    for (size_t i = 0; i < n; i++) p[i] = a[i];
}

static inline float vf_largest(vf a) {
    return vmaxvq_f32((float32x4_t)a);
}

static inline int32_t vi_sum(vi a) {
    return vaddvq_s32((int32x4_t)a);
}
