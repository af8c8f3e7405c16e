/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sort.h"

#include "base/size.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void numbers_ascend(void **state) {
    (void)state;
    uint32_t whole[] = {3, UINT32_MAX, 0, 3, UINT32_C(1) << 31};
    static const uint32_t expected[] = {0, 3, 3, UINT32_C(1) << 31, UINT32_MAX};
    sort_u32(whole, COUNT(whole));
    assert_memory_equal(whole, expected, sizeof expected);
    for (size_t i = 0; i < COUNT(expected); i++) assert_true(sorted_u32_holds(expected, COUNT(expected), expected[i]));
    assert_false(sorted_u32_holds(expected, COUNT(expected), 2));
    assert_false(sorted_u32_holds(expected, 4, UINT32_MAX));
    assert_false(sorted_u32_holds(NULL, 0, 0));
    double real[] = {2, -1e300, 1e-300, 0, -2};
    static const double sorted[] = {-1e300, -2, 0, 1e-300, 2};
    sort_doubles(real, COUNT(real));
    assert_memory_equal(real, sorted, sizeof sorted);
    sort_u32(NULL, 0);
    sort_doubles(NULL, 0);
}

static void quantiles_lie_between_two(void **state) {
    (void)state;
    double values[] = {4, 1, 3, 2};
    assert_true(median(values, 4) == 2.5);
    assert_true(median(values, 3) == 2); /* sorted by now */
    assert_true(quantile(values, 4, 0) == 1);
    assert_true(quantile(values, 4, 0.25) == 1.75);
    assert_true(quantile(values, 4, 1) == 4);
    assert_true(quantile(values, 1, 0.3) == 1);
    assert_true(median(NULL, 0) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_ascend), cmocka_unit_test(quantiles_lie_between_two)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
