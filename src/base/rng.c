/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <math.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

struct rng4 rng_at(uint64_t seed, enum rng_purpose purpose, uint64_t a, uint32_t b) {
    const philox4x32_ctr_t counter = {{(uint32_t)a, (uint32_t)(a >> 32), b, (uint32_t)purpose}};
    const philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    const philox4x32_ctr_t bits = philox4x32(counter, key);
    return (struct rng4){{bits.v[0], bits.v[1], bits.v[2], bits.v[3]}};
}

struct rng rng_start(uint64_t seed, enum rng_purpose purpose, uint64_t a) {
    return (struct rng){.seed = seed, .a = a, .purpose = purpose, .used = 4};
}

uint32_t rng_u32(struct rng *r) {
    if (r->used == 4) {
        r->block = rng_at(r->seed, r->purpose, r->a, r->b++);
        r->used = 0;
    }
    return r->block.v[r->used++];
}

uint64_t rng_u64(struct rng *r) {
    const uint64_t high = rng_u32(r);
    return high << 32 | rng_u32(r);
}

uint64_t rng_below(struct rng *r, uint64_t n) {
    /* Values past the largest multiple of n would favour small results: draw again. */
    const uint64_t limit = n * (UINT64_MAX / n);
    uint64_t x;
    do x = rng_u64(r);
    while (x >= limit);
    return x % n;
}

double rng_unit(struct rng *r) {
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

double rng_normal(struct rng *r) {
    const double u = 1 - rng_unit(r), v = rng_unit(r); /* u in (0, 1]: its logarithm is finite */
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}
