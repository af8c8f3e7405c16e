/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of 8-bit products with Advanced SIMD. Included by vector_lm.h only. */

enum { INT8_OFFSET = 0, INT8_STARTS = 0 };
#define INT8_REGISTER(v) "w"(v) /* where assembler sees a vector */

struct int8_left {
    vi codes;
};

static inline struct int8_left int8_left(vi w) {
    return (struct int8_left){w};
}

/* Products of 16 bits, their pairs' sums of 32: two of 128 * 127 fit. */
static inline vi int8_dot4(vi sum, struct int8_left w, vi a) {
    const int8x16_t x = (int8x16_t)w.codes, y = (int8x16_t)a;
    const int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(y)), high = vmull_high_s8(x, y);
    return (vi)vpadalq_s16((int32x4_t)sum, vpaddq_s16(low, high));
}

static inline vi int8_dot4_of(vi sum, struct int8_left w, const int8_t *four) {
    return int8_dot4(sum, w, splat_codes(four));
}

static inline vi int8_start(vi sum, struct int8_left w) {
    (void)w;
    return sum;
}

static inline vf half_lanes(const uint16_t *p) {
    return (vf)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
