/* SPDX-License-Identifier: Apache-2.0 */
/* This module tells a difference from chance: the paired two-sided t-test (Student 1908). */
#ifndef GENAIR_RANKING_STATISTICS_H
#define GENAIR_RANKING_STATISTICS_H

#include <stddef.h>

struct t_test {
    size_t n;          /* pairs; with fewer than 2 only difference is defined, the rest is NaN */
    double difference; /* mean of a - b */
    double sd;         /* standard deviation of a - b (n - 1) */
    double t; /* difference / (sd / sqrt(n)); infinite when every pair differs by the same amount */
    double p; /* two-sided; 1 when all pairs are equal, 0 when t is infinite */
    double low, high; /* 95 % confidence interval of the difference */
};

/* a, b: [n], finite. The variance is taken about the mean, in a second pass. O(n). */
void paired_t_test(const double *a, const double *b, size_t n, struct t_test *out);
/* P(|T| >= |t|) with df > 0 degrees of freedom; relative error below 1e-9 up to df = 10^5. */
double student_two_sided(double t, double df);
/* The t >= 0 with P(|T| >= t) = p, 0 < p <= 1. */
double student_quantile(double p, double df);
/* Regularised incomplete beta function I_x(a, b), a, b > 0, 0 <= x <= 1. */
double incomplete_beta(double a, double b, double x);

/* Mean and standard deviation (n - 1; 0 for n < 2). */
void mean_and_sd(const double *values, size_t n, double *mean, double *sd);

#endif
