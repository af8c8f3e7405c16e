/* SPDX-License-Identifier: Apache-2.0 */
/* JSON is read whole or not at all, whichever request for memory is refused, and all after it. */
#include "base/json_text.h"
#include "failing_alloc.h"
#include "support/scratch.h"

#include "base/alloc.h"
#include "base/files.h"

#include <stdlib.h>
#include <string.h>

/* Their tokens grow the parser's buffer (16 bytes, doubled) at letters, escapes, closing quotes, two- to four-byte characters. */
static const char *const texts[] = {
    "{\"a\": \"0123456789abcd\", \"b\": [1, 2.5, true, null]}",
    "{\"a\": \"0123456789abcde\", \"list\": [[], {}, [[\"x\"]]]}",
    "[\"0123456789abc\\n\", \"0123456789abcd\\n\", \"0123456789ab\\\\\", \"0123456789\\u00e9 0123456789abcdef\\ud83d\\ude00\"]",
    "[\"0123456789abc\303\251\", \"0123456789abcd\303\251\", \"0123456789abc\342\202\254\", \"0123456789abcd\360\237\230\200\"]",
    "{\"0123456789abcdefghijklmnopqrst\": \"0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz\"}",
    "[12345678901234567, -1234567890.123456, 0.12345678901234567e-10]",
    "{\"k0\":0,\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,\"k5\":5,\"k6\":6,\"k7\":7,\"k8\":8,\"k9\":9,\"k10\":10,\"k11\":11,\"k12\":12}",
};

static void each_refusal_is_reported(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *expected, *value;
        assert_int_equal(json_read(text_of(texts[i]), 0, &expected, NULL, NULL), GENAIR_OK);
        long n = 1;
        for (;; n++) {
            genair_status st = {0};
            failing_alloc_start(n);
            const genair_code code = json_read(text_of(texts[i]), JSON_REJECT_DUPLICATES, &value, NULL, &st);
            if (!failing_alloc_stop()) {
                assert_int_equal(code, GENAIR_OK);
                assert_true(json_equal(value, expected));
                json_decref(value);
                break;
            }
            assert_int_equal(code, GENAIR_MEMORY);
            assert_int_equal(st.code, GENAIR_MEMORY);
            assert_null(value);
            assert_false(json_lost()); /* it has been told */
        }
        assert_true(n > 5);
        json_decref(expected);
    }
}

/* What was lost before is still to be told by json_text. */
static void an_earlier_loss_is_kept(void **state) {
    (void)state;
    failing_alloc_start(1);
    json_t *lost = json_string("made without memory"), *value;
    assert_true(failing_alloc_stop());
    assert_null(lost);
    assert_int_equal(json_read(text_of("[1]"), 0, &value, NULL, NULL), GENAIR_OK);
    assert_null(json_text(value, 0));
    char *text = json_text(value, 0);
    assert_string_equal(text, "[1]");
    free(text);
    json_decref(value);
}

static void wrong_text_is_located(void **state) {
    (void)state;
    json_t *value;
    json_error_t error;
    assert_int_equal(json_read(text_of("{\"a\": 1,\n \"a\": 2}"), JSON_REJECT_DUPLICATES, &value, &error, NULL), GENAIR_FORMAT);
    assert_int_equal(error.line, 2);
    assert_null(value);
    const struct text two = text_of("[1] [2]");
    assert_int_equal(json_read(two, 0, &value, &error, NULL), GENAIR_FORMAT);
    assert_int_equal(json_read(two, JSON_DISABLE_EOF_CHECK, &value, &error, NULL), GENAIR_OK);
    assert_int_equal(error.position, 3);
    json_decref(value);
    assert_int_equal(json_read((struct text){NULL, 0}, 0, &value, &error, NULL), GENAIR_FORMAT);
}

static void files(void **state) {
    (void)state;
    json_t *value;
    genair_status st = {0};
    char *path = scratch_path("one.json");
    assert_int_equal(file_replace(path, "{\"a\": 1}\n", 9, NULL), GENAIR_OK);
    assert_int_equal(json_file_read(path, 9, &value, &st), GENAIR_OK);
    assert_int_equal(json_integer_value(json_object_get(value, "a")), 1);
    json_decref(value);
    assert_int_equal(json_file_read(path, 8, &value, &st), GENAIR_FORMAT);
    st = (genair_status){0};
    assert_int_equal(file_replace(path, "{\"a\":\n 1,}\n", 11, NULL), GENAIR_OK);
    assert_int_equal(json_file_read(path, 100, &value, &st), GENAIR_FORMAT);
    assert_int_equal(st.line, 2);
    assert_int_equal(json_file_try(path, 100, &value, NULL), GENAIR_OK);
    assert_null(value);
    assert_int_equal(json_file_try("/nowhere/one.json", 100, &value, NULL), GENAIR_OK);
    assert_null(value);
    long n = 1;
    for (;; n++) { /* memory is no damage */
        failing_alloc_start(n);
        const genair_code code = json_file_try(path, 100, &value, NULL);
        if (!failing_alloc_stop()) break;
        assert_int_equal(code, GENAIR_MEMORY);
    }
    assert_true(n > 3);
    mem_free(path);
}

/* The bytes stand in workspaces: a manifest's checksum, what a data set was made from. */
static void a_hash_is_that_of_the_text(void **state) {
    (void)state;
    static const char text[] = "1.0{\"a\":[1,2],\"b\":\"x\"}";
    char expected[33], digits[33];
    json_t *value = json_pack("{s:s, s:[i, i]}", "b", "x", "a", 1, 2);
    hash_bytes(text, strlen(text), expected);
    assert_true(json_hash("1.0", value, digits));
    assert_string_equal(digits, expected);
    hash_bytes(text + 3, strlen(text) - 3, expected);
    assert_true(json_hash("", value, digits));
    assert_string_equal(digits, expected);
    assert_false(json_hash("", NULL, digits));
    json_decref(value);
}

static int watch(void **state) {
    json_watch();
    return scratch_open(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_refusal_is_reported),
        cmocka_unit_test(an_earlier_loss_is_kept),
        cmocka_unit_test(wrong_text_is_located),
        cmocka_unit_test(files),
        cmocka_unit_test(a_hash_is_that_of_the_text),
    };
    return cmocka_run_group_tests(tests, watch, scratch_close);
}
