/* SPDX-License-Identifier: Apache-2.0 */
/* This module multiplies and adds sizes that may come from files, refusing to overflow. */
#ifndef GENAIR_BASE_SIZE_H
#define GENAIR_BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline bool mul_size(size_t a, size_t b, size_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool add_size(size_t a, size_t b, size_t *out) {
    return !__builtin_add_overflow(a, b, out);
}

static inline size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

static inline size_t max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

/* floor(share n), share >= 0; what is within rounding of a whole number is one: in binary 0.29 * 100 is a little less than 29. */
static inline size_t share_of(double share, size_t n) {
    return (size_t)(share * (double)n * (1 + 1e-12));
}

#endif
