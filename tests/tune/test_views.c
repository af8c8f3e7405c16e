/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of an item: what stands in them, what is left out, how many attributes a part has. */
#include "tune/views.h"

#include "base/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct view_style style = {"beauty item", 12, 0.4, 7};

static json_t *record_of(size_t n) {
    json_t *record = json_pack("{s:s, s:s, s:s}", "item_id", "i1", "also_bought", "i2, i3", "imUrl", "x");
    for (size_t i = 0; i < n; i++) {
        char name[24], value[24];
        snprintf(name, sizeof name, "a_%zu", i);
        snprintf(value, sizeof value, "v%zu", i);
        json_object_set_new(record, name, json_string(value));
    }
    return record;
}

static void whole_text(void **state) {
    (void)state;
    struct view v = {0};
    json_t *record = json_pack("{s:s, s:s, s:s, s:s, s:s}", "item_id", "i1", "name", "Soap; two\nbars", "skin_type", "",
                               "fit", "wide", "long", "\xC3\xA4" "bcdefghijklmnop");
    assert_int_equal(view_whole(&v, record, &style, NULL), GENAIR_OK);
    assert_string_equal(v.text, "This beauty item has the following attributes:\n"
                                "name is Soap. two ba;skin type is none;long is \xC3\xA4" "bcdefghijkl");
    json_decref(record);
    assert_int_equal(view_whole(&v, NULL, &style, NULL), GENAIR_OK);
    assert_string_equal(v.text, "This beauty item has the following attributes:\n");
    view_deinit(&v);
}

static void parts(void **state) {
    (void)state;
    static const struct {
        size_t n, kept;
        double drop;
    } cases[] = {{5, 3, 0.4}, {5, 5, 0}, {1, 0, 0.4}, {1, 1, 0}, {2, 2, 0.4}, {3, 2, 0.4}, {10, 0, 1}, {0, 0, 0.4}};
    struct view v = {0};
    for (size_t c = 0; c < COUNT(cases); c++) {
        json_t *record = record_of(cases[c].n);
        struct view_style s = style;
        s.drop = cases[c].drop;
        size_t moved = 0, first[10];
        for (uint64_t visit = 0; visit < 20; visit++) {
            unsigned seen = 0;
            assert_int_equal(view_part(&v, record, &s, visit, NULL), GENAIR_OK);
            assert_int_equal(v.n_kept, cases[c].kept);
            assert_int_equal(v.n_attributes, cases[c].n);
            const char *at = strchr(v.text, '\n') + 1;
            for (size_t i = 0; i < v.n_kept; i++) { /* what order says stands there */
                char want[32];
                const int n = snprintf(want, sizeof want, "%sa %zu is v%zu", i ? ";" : "", v.order[i], v.order[i]);
                assert_memory_equal(at, want, (size_t)n);
                at += n;
            }
            assert_int_equal(*at, '\0');
            for (size_t i = 0; i < v.n_attributes; i++) seen |= 1u << v.order[i];
            assert_int_equal(seen, (1u << cases[c].n) - 1); /* a permutation */
            if (visit == 0) memcpy(first, v.order, v.n_attributes * sizeof *first);
            moved += memcmp(first, v.order, v.n_attributes * sizeof *first) != 0;
        }
        assert_true(cases[c].n < 3 || moved > 5);
        json_decref(record);
    }
    view_deinit(&v);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_text), cmocka_unit_test(parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
