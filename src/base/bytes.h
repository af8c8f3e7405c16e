/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads and writes little-endian integers at any address. */
#ifndef GENAIR_BASE_BYTES_H
#define GENAIR_BASE_BYTES_H

#include <stdint.h>

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

#endif
