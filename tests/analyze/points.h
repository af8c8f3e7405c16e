/* SPDX-License-Identifier: Apache-2.0 */
/* Random points for the tests of t-SNE. */
#ifndef GENAIR_TESTS_ANALYZE_POINTS_H
#define GENAIR_TESTS_ANALYZE_POINTS_H

#include "base/alloc.h"
#include "base/context.h"
#include "base/rng.h"
#include "support/scratch.h"

#include <math.h>

static inline void assert_near(double found, double expected, double tolerance) {
    if (fabs(found - expected) <= tolerance) return; /* not for NaN */
    fail_msg("found %.17g, expected %.17g, tolerance %g", found, expected, tolerance);
}

/* [n, width] normal numbers, released with mem_free. */
static inline double *random_points(size_t n, size_t width, uint64_t seed) {
    double *x = mem_array(n * width, sizeof *x);
    struct rng r = rng_start(seed, RNG_TEST, n);
    assert_non_null(x);
    for (size_t i = 0; i < n * width; i++)
        x[i] = rng_normal(&r);
    return x;
}

static inline genair_context *context_of(int threads) {
    genair_context *ctx = NULL;
    assert_int_equal(genair_context_create(threads, NULL, NULL, &ctx, NULL), GENAIR_OK);
    return ctx;
}

#endif
