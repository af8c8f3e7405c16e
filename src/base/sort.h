/* SPDX-License-Identifier: Apache-2.0 */
/* This module sorts numbers, looks among sorted ones, and reads quantiles off them. */
#ifndef GENAIR_BASE_SORT_H
#define GENAIR_BASE_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ascending, in place; n may be 0. */
void sort_u32(uint32_t *values, size_t n);
bool sorted_u32_holds(const uint32_t *ascending, size_t n, uint32_t value);
void sort_doubles(double *values, size_t n); /* no NaN */
/* The q-quantile, 0 <= q <= 1, by linear interpolation of values, which it sorts; 0 of none. */
double quantile(double *values, size_t n, double q);
/* quantile(values, n, 0.5) */
double median(double *values, size_t n);

#endif
