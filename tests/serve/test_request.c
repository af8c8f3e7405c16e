/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct request with(const char *key, const char *value) {
    return (struct request){.method = "GET", .parameters = {{text_of(key), text_of(value)}}, .n_parameters = 1};
}

static void counts_are_bounded(void **state) {
    (void)state;
    static const struct {
        const char *value;
        size_t expected; /* 0: refused */
    } cases[] = {{"1", 1}, {"50", 50}, {"0", 0}, {"51", 0}, {"-1", 0}, {"1e1", 0}, {"", 0}, {" 1", 0},
                 {"99999999999999999999", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct request r = with("k", cases[i].value);
        size_t n = 0;
        genair_status st = {0};
        const genair_code code = request_count(&r, "k", 10, 50, &n, &st);
        assert_int_equal(code, cases[i].expected ? GENAIR_OK : GENAIR_USAGE);
        if (code == GENAIR_OK) assert_int_equal(n, cases[i].expected);
    }
    size_t n = 0;
    assert_int_equal(request_count(&(struct request){0}, "k", 10, 50, &n, NULL), GENAIR_OK);
    assert_int_equal(n, 10);
}

static void parameters_are_known_and_given_once(void **state) {
    (void)state;
    struct request r = with("user", "a");
    assert_int_equal(request_check(&r, "user|k", NULL), GENAIR_OK);
    assert_int_equal(request_check(&r, "users|k", NULL), GENAIR_USAGE);
    assert_int_equal(request_check(&r, "use|k", NULL), GENAIR_USAGE);
    assert_int_equal(request_check(&r, "", NULL), GENAIR_USAGE);
    r.parameters[r.n_parameters++] = r.parameters[0];
    assert_int_equal(request_check(&r, "user|k", NULL), GENAIR_USAGE);
    r = with("user", "\xff");
    assert_int_equal(request_check(&r, "user", NULL), GENAIR_USAGE);
}

static genair_code parse(const char *text, genair_status *st) {
    json_t *o = NULL;
    const genair_code code = body_object(text_of(text), "a|b", &o, st);
    assert_true((code == GENAIR_OK) == (o != NULL));
    json_decref(o);
    return code;
}

static void bodies_are_flat_objects_of_known_keys(void **state) {
    (void)state;
    static const char *const good[] = {"{}", " {\"a\": 1}\n", "{\"a\": \"[[[[[[[[[[[[[[[[[[[[[[\", \"b\": [[]]}",
                                       "{\"a\": \"\\\"[[[[[[[[[[[[[[[[[[[[[[[\"}"};
    static const char *const bad[] = {"", " ", "[]", "1", "{", "{\"c\": 1}", "{\"a\": 1, \"a\": 2}", "{} {}",
                                      "{\"a\": [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}", "{\"a\": \"\xc3\"}"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(parse(good[i], NULL), GENAIR_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        genair_status st = {0};
        assert_int_equal(parse(bad[i], &st), GENAIR_USAGE);
        assert_true(st.message[0]);
    }
}

static void names_are_bounded(void **state) {
    (void)state;
    char longest[MAX_NAME + 2];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(check_name((struct text){longest, MAX_NAME}, "user", NULL), GENAIR_OK);
    assert_int_equal(check_name((struct text){longest, MAX_NAME + 1}, "user", NULL), GENAIR_USAGE);
    assert_int_equal(check_name(text_of(""), "user", NULL), GENAIR_USAGE);
    assert_int_equal(check_name(text_of("a\nb"), "user", NULL), GENAIR_USAGE);
    assert_int_equal(check_name((struct text){"a\0b", 3}, "user", NULL), GENAIR_USAGE);
    assert_int_equal(check_name(text_of("\xc3\xa4 <b>"), "user", NULL), GENAIR_OK);
}

static void whole_numbers_are_whole(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool whole;
        int64_t value;
    } cases[] = {{"10", true, 10}, {"10.0", true, 10}, {"1e1", true, 10}, {"-3.0", true, -3}, {"9223372036854775807", true, INT64_MAX},
                 {"10.5", false, 0}, {"1e300", false, 0}, {"\"10\"", false, 0}, {"null", false, 0}, {"true", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t n = 0;
        json_t *value = json_loads(cases[i].text, JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        assert_int_equal(json_whole(value, &n), cases[i].whole);
        if (cases[i].whole) assert_true(n == cases[i].value);
        json_decref(value);
    }
    assert_false(json_whole(NULL, &(int64_t){0}));
}

static void bodies_fall_into_values(void **state) {
    (void)state;
    static const struct {
        const char *body, *values; /* those between the bars */
    } cases[] = {{"", ""}, {"\n \n", ""}, {"{}", "{}|"}, {"{}\n\n {} \r\n", "{}|{}|"},
                 {"{\n \"a\": [1,\n2]\n}\n{}", "{\n \"a\": [1,\n2]\n}|{}|"},
                 {"{\"a\": \"}\\\"{\"}\n{}", "{\"a\": \"}\\\"{\"}|{}|"}, {"{'a': '{\"'}\n{}", "{'a': '{\"'}|{}|"},
                 {"{\"a\n{}\n", "{\"a|{}|"}, {"{\"a\\\n{}", "{\"a\\|{}|"}, {"}\n{}", "}|{}|"}, {"{\n{}", "{\n{}|"}, {"a\nb", "a|b|"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text body = text_of(cases[i].body), value;
        char found[100] = "";
        while (body_value(&body, &value)) {
            strncat(found, value.p, value.n);
            strcat(found, "|");
        }
        assert_string_equal(found, cases[i].values);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_bounded),
        cmocka_unit_test(parameters_are_known_and_given_once),
        cmocka_unit_test(bodies_are_flat_objects_of_known_keys),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(bodies_fall_into_values),
        cmocka_unit_test(whole_numbers_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
