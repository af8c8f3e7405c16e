/* SPDX-License-Identifier: Apache-2.0 */
/* Every row has one owner and one place there, in order and without gaps. */
#include "base/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void check(size_t n, size_t rows) {
    size_t all = 0;
    for (size_t rank = 0; rank < n; rank++) {
        const struct shard s = {rank, n};
        size_t place = 1;
        for (size_t row = 1; row < rows; row++) {
            if (!shard_owns(&s, row)) continue;
            assert_int_equal(shard_place(&s, row), place);
            assert_int_equal(shard_row(&s, place), row);
            place++;
        }
        assert_int_equal(shard_rows(&s, rows), rows ? place : 0);
        all += place - 1;
    }
    assert_int_equal(all, rows ? rows - 1 : 0);
}

static void rows_have_one_place(void **state) {
    (void)state;
    for (size_t n = 1; n <= 8; n++)
        for (size_t rows = 0; rows <= 3 * 8 * SHARD_BLOCK; rows++) check(n, rows);
}

static void one_process_has_all(void **state) {
    (void)state;
    const struct shard alone = {0};
    for (size_t row = 1; row < 1000; row++) {
        assert_true(shard_owns(&alone, row));
        assert_int_equal(shard_place(&alone, row), row);
        assert_int_equal(shard_row(&alone, row), row);
    }
    assert_int_equal(shard_rows(&alone, 1000), 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_have_one_place), cmocka_unit_test(one_process_has_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
