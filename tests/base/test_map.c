/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static struct text name_at(uint32_t i, char *buffer, size_t size) {
    snprintf(buffer, size, "name-%u-%u", i * 2654435761u, i);
    return text_of(buffer);
}

static void test_numbers_follow_first_appearance(void **state) {
    (void)state;
    enum { N = 20000, DRAWS = 100000 };
    struct map *m = map_create();
    uint32_t *expected = mem_zeros(N, sizeof *expected), seen = 0, id;
    struct rng r = rng_start(1, RNG_TEST, 1);
    char buffer[64];
    for (int k = 0; k < DRAWS; k++) {
        const uint32_t i = (uint32_t)rng_below(&r, N);
        if (!expected[i]) {
            assert_false(map_find(m, name_at(i, buffer, sizeof buffer), &id));
            expected[i] = ++seen;
        }
        assert_int_equal(map_add(m, name_at(i, buffer, sizeof buffer), &id, NULL), GENAIR_OK);
        assert_int_equal(id, expected[i] - 1);
        assert_int_equal(map_count(m), seen);
    }
    for (uint32_t i = 0; i < N; i++) {
        const struct text name = name_at(i, buffer, sizeof buffer);
        assert_int_equal(map_find(m, name, &id), expected[i] != 0);
        if (!expected[i]) continue;
        assert_int_equal(id, expected[i] - 1);
        assert_true(text_equal(map_name(m, id), buffer));
    }
    map_free(m);
    mem_free(expected);
}

static void test_odd_names(void **state) {
    (void)state;
    static char large[64 * 1024];
    memset(large, 'x', sizeof large);
    const struct text names[] = {{"", 0},
                                 {"\0", 1},
                                 {"a\0b", 3},
                                 {"a\0c", 3},
                                 {"a", 1},
                                 {large, sizeof large},
                                 {large, sizeof large - 1}};
    struct map *m = map_create();
    uint32_t id;
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            assert_int_equal(map_add(m, names[i], &id, NULL), GENAIR_OK);
            assert_int_equal(id, i);
            assert_int_equal(map_name(m, id).n, names[i].n);
            assert_memory_equal(map_name(m, id).p, names[i].p, names[i].n);
        }
    map_free(m);
    map_free(NULL);
}

static void test_table_in_arrays(void **state) {
    (void)state;
    static const char text[] = "annbobbycy";
    static const uint64_t start[] = {0, 3, 8, 10};
    for (uint32_t n = 0; n <= 3; n++) {
        const size_t n_slots = map_slots_for(n);
        uint32_t *slots = mem_zeros(n_slots, sizeof *slots), id = 9;
        for (uint32_t i = 0; i < n; i++)
            map_place(slots, n_slots,
                      (struct text){text + start[i], (size_t)(start[i + 1] - start[i])}, i);
        assert_int_equal(map_lookup(slots, n_slots, text, start, text_of("ann"), &id), n > 0);
        assert_int_equal(map_lookup(slots, n_slots, text, start, text_of("bobby"), &id), n > 1);
        if (n > 1) assert_int_equal(id, 1);
        assert_false(map_lookup(slots, n_slots, text, start, text_of("bob"), &id));
        assert_false(map_lookup(slots, n_slots, text, start, text_of(""), &id));
        mem_free(slots);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_follow_first_appearance),
        cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_table_in_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
