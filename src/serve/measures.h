/* SPDX-License-Identifier: Apache-2.0 */
/* This module counts answers by route, status and time. Any thread. */
#ifndef GENAIR_SERVE_MEASURES_H
#define GENAIR_SERVE_MEASURES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_ROUTES = 32, STATUS_CLASSES = 5, N_TIMES = 10 };
extern const double measure_times[N_TIMES]; /* seconds, the upper ends of the histogram's classes */

struct measures {
    atomic_uint_fast64_t answered[MAX_ROUTES + 1][STATUS_CLASSES]; /* 1xx .. 5xx; the last row: of no route */
    atomic_uint_fast64_t within[MAX_ROUTES][N_TIMES + 1];      /* the last: longer than all */
    atomic_uint_fast64_t nanoseconds[MAX_ROUTES];
    atomic_uint_fast64_t events, repeated, reloads, refused;
};

/* Without a time, which would tell of no work. route: MAX_ROUTES where there is none. */
void measure_refusal(struct measures *m, size_t route, int status);
void measure_request(struct measures *m, size_t route, int status, double seconds);

#endif
