/* SPDX-License-Identifier: Apache-2.0 */
/* Distribution and test against closed forms, printed tables and Student's own data. */
#include "ranking/statistics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect(double want, double got, double relative) {
    if (!(fabs(want - got) <= relative * fabs(want)))
        fail_msg("expected %.17g, found %.17g", want, got);
}

static void beta_has_closed_forms(void **state) {
    (void)state;
    for (double x = 0.01; x < 1; x += 0.07) {
        expect(x, incomplete_beta(1, 1, x), 1e-13);
        expect(pow(x, 3.5), incomplete_beta(3.5, 1, x), 1e-12);
        expect(2 / acos(-1) * asin(sqrt(x)), incomplete_beta(0.5, 0.5, x), 1e-12);
        expect(6 * x * x - 8 * x * x * x + 3 * x * x * x * x, incomplete_beta(2, 3, x), 1e-12);
    }
    expect(0.5, incomplete_beta(11000, 11000, 0.5), 1e-9);
    assert_true(incomplete_beta(2, 3, 0) == 0 && incomplete_beta(2, 3, 1) == 1);
}

static void student_has_closed_forms(void **state) {
    (void)state;
    for (double t = 0.001; t < 1e4; t *= 3) {
        expect(1 - 2 / acos(-1) * atan(t), student_two_sided(t, 1), 1e-9);
        /* the tail of two degrees of freedom without cancellation: 2 / (r (r + t)), r = sqrt(2 +
         * t²) */
        const double r = sqrt(2 + t * t);
        expect(2 / (r * (r + t)), student_two_sided(t, 2), 1e-11);
        expect(student_two_sided(t, 7), student_two_sided(-t, 7), 1e-15);
    }
    /* large df: the normal tail, erfc(t / sqrt 2); the relative difference is about t^4 / (4 df) */
    expect(erfc(1.5 / sqrt(2)), student_two_sided(1.5, 1e6), 5e-6);
    expect(erfc(6 / sqrt(2)), student_two_sided(6, 1e6), 4e-4);
    assert_true(student_two_sided(0, 5) == 1);
    /* two-sided 5 % points of the printed tables */
    expect(12.706204736, student_quantile(0.05, 1), 1e-9);
    expect(2.228138852, student_quantile(0.05, 10), 1e-9);
    expect(2.042272456, student_quantile(0.05, 30), 1e-9);
    expect(1.9600, student_quantile(0.05, 22362), 1e-4);
}

/* Student (1908), "The probable error of a mean": hours of sleep gained by two drugs, ten patients.
 */
static void sleep_data(void **state) {
    (void)state;
    const double a[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
    const double b[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
    struct t_test t;
    paired_t_test(a, b, 10, &t);
    expect(-1.58, t.difference, 1e-12);
    expect(-4.0621, t.t, 1e-5);
    expect(0.002833, t.p, 1e-4);
    expect(-2.4598858, t.low, 1e-7);
    expect(-0.7001142, t.high, 1e-7);
    struct t_test swapped;
    paired_t_test(b, a, 10, &swapped);
    assert_true(swapped.t == -t.t && swapped.p == t.p && swapped.low == -t.high);
}

static void degenerate_pairs(void **state) {
    (void)state;
    const double a[] = {1, 2, 3}, b[] = {0, 1, 2};
    struct t_test t;
    paired_t_test(a, a, 3, &t);
    assert_true(t.difference == 0 && t.t == 0 && t.p == 1 && t.low == 0 && t.high == 0);
    paired_t_test(a, b, 3, &t);
    assert_true(t.difference == 1 && isinf(t.t) && t.p == 0 && t.low == 1);
    paired_t_test(a, b, 1, &t);
    assert_true(t.difference == 1 && isnan(t.p) && isnan(t.low));
    paired_t_test(a, b, 0, &t);
    assert_true(isnan(t.difference));
    double mean, sd;
    mean_and_sd(a, 3, &mean, &sd);
    assert_true(mean == 2 && sd == 1);
    mean_and_sd(a, 1, &mean, &sd);
    assert_true(mean == 1 && sd == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beta_has_closed_forms), cmocka_unit_test(student_has_closed_forms),
        cmocka_unit_test(sleep_data), cmocka_unit_test(degenerate_pairs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
