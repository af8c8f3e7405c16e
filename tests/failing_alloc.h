/* SPDX-License-Identifier: Apache-2.0 */
/* This module replaces base/alloc.c at link time by one that refuses the n-th request, for tests:
 *
 *     for (long n = 1;; n++) {
 *         failing_alloc_start(n);
 *         code = operation();
 *         if (!failing_alloc_stop()) break;      // fewer than n requests: the operation went through
 *         assert_int_equal(code, GENAIR_MEMORY);
 *     }
 *
 * Link it with `dependencies: [failing_alloc, test_base]`. */
#ifndef GENAIR_TESTS_FAILING_ALLOC_H
#define GENAIR_TESTS_FAILING_ALLOC_H

#include <stdbool.h>

/* The n to try after n where an operation asks for thousands of pieces: each of the first fifty, then about each fiftieth of what went
 * before. */
long failing_alloc_next(long n);
void failing_alloc_start(long n); /* the n-th request from now on fails, n >= 1, in any thread */
bool failing_alloc_stop(void);    /* no more failures; whether there was one */

#endif
