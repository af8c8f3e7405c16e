/* SPDX-License-Identifier: Apache-2.0 */
/* This module draws random numbers as a function of (seed, purpose, position): Philox4x32-10 (Salmon et
 * al., "Parallel random numbers: as easy as 1, 2, 3", 2011), from Random123. No state, so no order. */
#ifndef GENAIR_BASE_RNG_H
#define GENAIR_BASE_RNG_H

#include <stdint.h>

/* One stream for each use, so that no two uses share numbers. Append only: results depend on the values. */
enum rng_purpose {
    RNG_INIT = 1,
    RNG_SHUFFLE,
    RNG_DROPOUT,
    RNG_NEGATIVE,
    RNG_MASK,
    RNG_CANDIDATE,
    RNG_COLD,
    RNG_SAMPLE,
    RNG_TEST,
    RNG_SHOP,
    RNG_GENERATE,
    RNG_ANALYZE,
    RNG_VIEW,
    RNG_MELT,
    RNG_ALPHAFUSE,
    RNG_CITIES,
    RNG_LISTS,
    RNG_HELD_OUT
};

struct rng4 {
    uint32_t v[4];
};

/* The 128 random bits at (seed, purpose, a, b). */
struct rng4 rng_at(uint64_t seed, enum rng_purpose purpose, uint64_t a, uint32_t b);
/* A sequence of numbers at (seed, purpose, a); a value on the stack. */
struct rng {
    uint64_t seed, a;
    enum rng_purpose purpose;
    uint32_t b;
    unsigned used;
    struct rng4 block;
};
struct rng rng_start(uint64_t seed, enum rng_purpose purpose, uint64_t a);
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* uniform in [0, n), n >= 1, without bias */
double rng_unit(struct rng *r);                /* [0, 1), 53 bits */
double rng_normal(struct rng *r);              /* mean 0, variance 1 (Box-Muller, one of the pair) */

#endif
