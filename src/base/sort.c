/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sort.h"

#include "base/size.h"

#include <stdlib.h>

static int compare_u32(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void sort_u32(uint32_t *values, size_t n) {
    if (n > 1) qsort(values, n, sizeof *values, compare_u32);
}

bool sorted_u32_holds(const uint32_t *ascending, size_t n, uint32_t value) {
    size_t from = 0, to = n;
    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        if (ascending[middle] < value)
            from = middle + 1;
        else
            to = middle;
    }
    return from < n && ascending[from] == value;
}

void sort_doubles(double *values, size_t n) {
    if (n > 1) qsort(values, n, sizeof *values, compare_doubles);
}

double quantile(double *values, size_t n, double q) {
    if (n == 0) return 0;
    sort_doubles(values, n);
    const double at = q * (double)(n - 1);
    const size_t below = (size_t)at, above = min_size(below + 1, n - 1);
    return values[below] + (at - (double)below) * (values[above] - values[below]);
}

double median(double *values, size_t n) {
    return quantile(values, n, 0.5);
}
