/* SPDX-License-Identifier: Apache-2.0 */
#include "ranking/statistics.h"

#include <math.h>
#include <stdbool.h>

static double log_gamma(double x) {
    int sign; /* lgamma writes a global instead */
    return lgamma_r(x, &sign);
}

static double away_from_zero(double x) {
    return fabs(x) < 1e-300 ? 1e-300 : x;
}

/* DLMF 8.17.22 by the modified Lentz method; converges in O(sqrt(max(a, b))) steps for
 * x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x) {
    enum { MAX_STEPS = 100000 };
    double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), value = d;
    for (int m = 1; m < MAX_STEPS; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 / away_from_zero(1 + even * d);
        c = away_from_zero(1 + even / c);
        value *= c * d;
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / away_from_zero(1 + odd * d);
        c = away_from_zero(1 + odd / c);
        value *= c * d;
        if (fabs(c * d - 1) < 1e-15) break;
    }
    return value;
}

/* x and its complement y = 1 - x apart, so that neither loses its digits near 0. */
static double beta_ratio(double a, double b, double x, double y) {
    if (x <= 0) return 0;
    if (y <= 0) return 1;
    const double front =
        exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log(y));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, y) / b;
}

double incomplete_beta(double a, double b, double x) {
    return beta_ratio(a, b, x, 1 - x);
}

double student_two_sided(double t, double df) {
    if (isinf(t)) return 0;
    /* P(|T| >= |t|) = I_{df / (df + t²)}(df / 2, 1 / 2); DLMF 8.17 and Abramowitz-Stegun 26.7.1 */
    const double square = t * t;
    return beta_ratio(df / 2, 0.5, df / (df + square), square / (df + square));
}

double student_quantile(double p, double df) {
    double low = 0, high = 1;
    while (student_two_sided(high, df) > p && high < 1e15)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-15 * high; i++) {
        const double middle = low + (high - low) / 2;
        if (student_two_sided(middle, df) > p)
            low = middle;
        else
            high = middle;
    }
    return high;
}

void mean_and_sd(const double *values, size_t n, double *mean, double *sd) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    *mean = n ? sum / (double)n : 0;
    for (size_t i = 0; i < n; i++)
        squares += (values[i] - *mean) * (values[i] - *mean);
    *sd = n < 2 ? 0 : sqrt(squares / (double)(n - 1));
}

void paired_t_test(const double *a, const double *b, size_t n, struct t_test *out) {
    const double none = (double)NAN;
    *out = (struct t_test){n, none, none, none, none, none, none};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] - b[i];
    if (n > 0) out->difference = sum / (double)n;
    if (n < 2) return;
    for (size_t i = 0; i < n; i++) {
        const double from_mean = a[i] - b[i] - out->difference;
        squares += from_mean * from_mean;
    }
    out->sd = sqrt(squares / (double)(n - 1));
    const double error = out->sd / sqrt((double)n), df = (double)(n - 1);
    /* Equal differences leave rounding noise in sd: such a t is as good as infinite. */
    const bool constant = error <= 1e-15 * fabs(out->difference);
    out->t = constant ? (out->difference == 0 ? 0 : copysign((double)INFINITY, out->difference))
                      : out->difference / error;
    out->p = out->t == 0 ? 1 : student_two_sided(out->t, df);
    const double reach = constant ? 0 : student_quantile(0.05, df) * error;
    out->low = out->difference - reach;
    out->high = out->difference + reach;
}
