/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads and writes little-endian numbers at any address. */
#ifndef GENAIR_BASE_BYTES_H
#define GENAIR_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t bytes_u16(const unsigned char *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t bytes_u32(const unsigned char *p) {
    return (uint32_t)bytes_u16(p) | (uint32_t)bytes_u16(p + 2) << 16;
}

static inline uint64_t bytes_u64(const unsigned char *p) {
    return (uint64_t)bytes_u32(p) | (uint64_t)bytes_u32(p + 4) << 32;
}

static inline void bytes_put_u32(unsigned char *p, uint32_t x) {
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(x >> 8 * i);
}

static inline void bytes_put_u64(unsigned char *p, uint64_t x) {
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(x >> 8 * i);
}

/* ---- IEEE 754 binary64, 32 and 16, and the upper half of a binary32 (bfloat16) ---- */

static inline float bytes_f32(const unsigned char *p) {
    const uint32_t bits = bytes_u32(p);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline double bytes_f64(const unsigned char *p) {
    const uint64_t bits = bytes_u64(p);
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float bytes_bf16(const unsigned char *p) {
    const uint32_t bits = (uint32_t)bytes_u16(p) << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float float_of_half(uint16_t half) {
    const uint32_t h = half, exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 0) /* zero or subnormal: whole 2^-24ths */
        return (float)fraction * (h >> 15 ? -0x1p-24F : 0x1p-24F);
    const uint32_t bits =
        h >> 15 << 31 | (exponent == 31 ? 255U : exponent + 112) << 23 | fraction << 13;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float bytes_f16(const unsigned char *p) {
    return float_of_half(bytes_u16(p));
}

#endif
