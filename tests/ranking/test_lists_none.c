/* SPDX-License-Identifier: Apache-2.0 */
/* A program that was built without FAISS says what is missing, and only when it is asked for. (Made with lists_none.c, whatever
 * the library was made with.) */
#include "ranking/index.h"
#include "ranking/lists.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void it_is_told(void **state) {
    (void)state;
    genair_options *o;
    struct index_setting setting;
    genair_status st = {0};
    assert_int_equal(genair_options_create("serve", &o, NULL), GENAIR_OK);
    assert_int_equal(index_asked(o, &setting, &st), GENAIR_OK);
    assert_false(setting.approximate);
    assert_int_equal(genair_options_set(o, "index", "approximate", NULL), GENAIR_OK);
    assert_int_equal(index_asked(o, &setting, &st), GENAIR_USAGE);
    assert_string_equal(st.message, "--index approximate: this program was built without FAISS; install libfaiss-dev and g++ and "
                                    "build it again (-Dfaiss=enabled), or go without: every item is looked at then");
    genair_options_free(o);
}

static void nothing_is_made(void **state) {
    (void)state;
    const float x[2] = {1, 0};
    float centres[2];
    uint32_t list;
    genair_status st = {0};
    assert_int_equal(lists_train(x, 1, 2, 1, 1, centres, &st), GENAIR_USAGE);
    assert_int_equal(lists_assign(x, 1, 2, x, 1, &list, &st), GENAIR_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_told), cmocka_unit_test(nothing_is_made)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
