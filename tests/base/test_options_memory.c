/* SPDX-License-Identifier: Apache-2.0 */
/* Options when memory is out: each request refused in turn, reported, nothing leaked (under a sanitizer),
 * nothing changed. */
#include "base/options.h"
#include "failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void creation_reports_each_refusal(void **state) {
    (void)state;
    long n = 1;
    for (;; n++) {
        genair_options *o = NULL;
        genair_status st = {0};
        failing_alloc_start(n);
        const genair_code code = genair_options_create("train", &o, &st);
        if (!failing_alloc_stop()) {
            assert_int_equal(code, GENAIR_OK);
            genair_options_free(o);
            break;
        }
        assert_int_equal(code, GENAIR_MEMORY);
        assert_int_equal(st.code, GENAIR_MEMORY);
        assert_null(o);
    }
    assert_true(n > 20); /* a request for the handle and for each default */
}

static void setting_reports_each_refusal(void **state) {
    (void)state;
    genair_options *o = NULL;
    assert_int_equal(genair_options_create("recommend", &o, NULL), GENAIR_OK);
    long n = 1;
    for (;; n++) {
        failing_alloc_start(n);
        const genair_code code = genair_options_set(o, "history", "i5", NULL);
        if (!failing_alloc_stop()) {
            assert_int_equal(code, GENAIR_OK);
            break;
        }
        assert_int_equal(code, GENAIR_MEMORY);
        const char *const *list;
        assert_int_equal(option_list(o, "history", &list), 0);
        assert_false(option_given(o, "history"));
    }
    assert_int_equal(n, 3); /* the copy, the list */
    failing_alloc_start(1);
    assert_int_equal(genair_options_set(o, "run", "g1", NULL), GENAIR_MEMORY);
    assert_true(failing_alloc_stop());
    assert_null(option_text(o, "run"));
    genair_options_free(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creation_reports_each_refusal),
        cmocka_unit_test(setting_reports_each_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
