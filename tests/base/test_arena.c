/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Requests of another size in every phase: what is held stays near the largest phase. */
static void test_memory_is_that_of_the_largest_phase(void **state) {
    (void)state;
    struct arena *a = arena_create();
    assert_non_null(a);
    size_t largest = 0;
    for (size_t phase = 0; phase < 200; phase++) {
        size_t sum = 0;
        for (size_t i = 0; i < 40; i++) {
            const size_t n = 50000 + phase * 7919 % 100000 + i * 104729 % 200000;
            unsigned char *p = arena_array(a, n, 1);
            assert_non_null(p);
            assert_int_equal((size_t)p % 64, 0);
            p[0] = p[n - 1] = 1;
            sum += n;
        }
        if (sum > largest) largest = sum;
        arena_reset(a);
    }
    assert_true(arena_bytes(a) < largest + largest / 4);
    assert_false(arena_failed(a));
    arena_free(a);
}

static void test_failure_sticks_until_reset(void **state) {
    (void)state;
    struct arena *a = arena_create();
    assert_non_null(a);
    assert_null(arena_array(a, SIZE_MAX / 2, 4));
    assert_true(arena_failed(a));
    assert_non_null(arena_array(a, 10, 4));
    assert_true(arena_failed(a));
    arena_reset(a);
    assert_false(arena_failed(a));
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_that_of_the_largest_phase),
        cmocka_unit_test(test_failure_sticks_until_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
