/* SPDX-License-Identifier: Apache-2.0 */
/* Literals against what Python printed (python_literals.txt: a line of repr() or ascii(), then
 * json.dumps of the same value with its numbers as strings), and the parts of the grammar one by
 * one. */
#include "prepare/literal.h"
#include "reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void as_python_prints(void **state) {
    (void)state;
    size_t size, n = 0;
    char *data = slurp(CASES_DIR "/python_literals.txt", &size);
    if (!data) abort(); /* gcc does not see that an assertion ends the test */
    for (char *line = data; *line; n++) {
        char *second = strchr(line, '\n') + 1, *end = strchr(second, '\n');
        struct literal l = literal_start((struct text){line, (size_t)(second - 1 - line)});
        json_t *found = literal_tree(&l);
        json_t *expected = json_loadb(second, (size_t)(end - second), JSON_ALLOW_NUL, NULL);
        assert_non_null(expected);
        assert_int_equal(l.dialect, LITERAL_PYTHON);
        if (!json_equal(found, expected))
            fail_msg("%.*s: %s", (int)(second - line), line, l.error ? l.error : "another value");
        json_decref(found);
        json_decref(expected);
        line = end + 1;
    }
    free(data);
    assert_true(n > 50);
}

struct example {
    const char *text;
    const char *json; /* NULL: an error */
    const char *error;
    size_t at;
};

static void check(const struct example *e) {
    struct literal l = literal_start(text_of(e->text));
    json_t *found = literal_tree(&l);
    if (e->json) {
        json_t *expected = json_loads(e->json, JSON_ALLOW_NUL, NULL);
        if (!json_equal(found, expected))
            fail_msg("%s: %s", e->text, l.error ? l.error : "another value");
        json_decref(expected);
    } else {
        if (found || strcmp(l.error, e->error) != 0 || l.at != e->at)
            fail_msg("%s: expected %s at %zu, found %s at %zu", e->text, e->error, e->at,
                     found ? "a value" : l.error, l.at);
    }
    json_decref(found);
}

static void grammar(void **state) {
    (void)state;
    static const struct example examples[] = {
        {" { \"a\" : [ 1 , -0.5e+3 , true , false , null , \"\" ] } ",
         "{\"a\": [\"1\", \"-0.5e+3\", true, false, null, \"\"]}", NULL, 0},
        {"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}",
         "{\"a\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}", NULL, 0},
        {"{\"a\":\"\\udc00\\ud800\\ud800x\"}", "{\"a\":\"\\ufffd\\ufffd\\ufffdx\"}", NULL, 0},
        {"{\"\\u0061\":1,\"b\":{}}", "{\"a\":\"1\",\"b\":{}}", NULL, 0},
        {"{'a': u'\\xe9', 'b': '\\xc3\\xa9', 'c': '\\xe9', 'd': u'\\xc3\\xa9', 'e': "
         "'\\303\\251\\0'}",
         "{\"a\":\"\\u00e9\",\"b\":\"\\u00e9\",\"c\":\"\\u00e9\",\"d\":\"\\u00c3\\u00a9\",\"e\":"
         "\"\\u00e9\\u0000\"}",
         NULL, 0},
        {"{u'a': (1L, +2, .5, 7., 007,), 3: [nan, inf, -inf], 'q': '\\q\\'\\\"', 'U': "
         "'\\U0001F600',}",
         "{\"a\":[\"1\",\"+2\",\".5\",\"7.\",\"007\"],\"3\":[null,null,null],\"q\":\"\\\\q'\\\"\","
         "\"U\":\"\\ud83d\\ude00\"}",
         NULL, 0},
        {"{'a': ()}", "{\"a\":[]}", NULL, 0},
        {"", NULL, "the end of the line where a value should stand", 0},
        {"{", NULL, "the end of the line where a key should stand", 1},
        {"{\"a\"", NULL, "no ':' behind a key", 4},
        {"{\"a\":", NULL, "the end of the line where a value should stand", 5},
        {"{\"a\":1", NULL, "no ',' or '}' behind a value", 6},
        {"{\"a\":1,}", NULL, "no key in quotes where one should stand", 7},
        {"{\"a\":[1,]}", NULL, "something that is no value", 8},
        {"{\"a\":[1 2]}", NULL, "no ',' or end of list behind a value", 8},
        {"{\"a\":'b'}", NULL, "something that is no value", 5},
        {"{\"a\":True}", NULL, "something that is no value", 5},
        {"{'a': true}", NULL, "something that is no value", 6},
        {"{\"a\":01}", NULL, "a broken number", 5},
        {"{\"a\":1.}", NULL, "a broken number", 5},
        {"{\"a\":-}", NULL, "a broken number", 5},
        {"{\"a\":1e}", NULL, "a broken number", 5},
        {"{\"a\":\"\\x41\"}", NULL, "an unknown escape in a string", 6},
        {"{\"a\":\"\\u12\"}", NULL, "an unknown escape in a string", 6},
        {"{\"a\":\"b", NULL, "a string that is not closed", 5},
        {"{\"a\":\"b\\", NULL, "an unknown escape in a string", 7},
        {"{\"a\":1} x", NULL, "something behind the end of the record", 8},
        {"{\"a\":1,\"\\u0061\":2}", NULL, "a key that occurs twice", 8},
        {"{'a': '\\777'}", NULL, "an unknown escape in a string", 7},
        {"{'a': 'b' 'c'}", NULL, "no ',' or '}' behind a value", 10},
        {"{'a': [1)}", NULL, "no ',' or end of list behind a value", 8},
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        check(&examples[i]);
}

/* Depth 64 is read, 65 refused, and a million brackets do not exhaust the stack. */
static void depth(void **state) {
    (void)state;
    const size_t depths[] = {LITERAL_MAX_DEPTH - 1, LITERAL_MAX_DEPTH, 1000000};
    for (size_t i = 0; i < 3; i++) {
        const size_t n = depths[i];
        char *text = malloc(2 * n + 8);
        if (!text) abort(); /* gcc does not see that an assertion ends the test */
        memcpy(text, "{\"a\":", 5);
        memset(text + 5, '[', n);
        memset(text + 5 + n, ']', n);
        memcpy(text + 5 + 2 * n, "}", 2);
        struct literal l = literal_start(text_of(text));
        json_t *found = literal_tree(&l);
        assert_int_equal(found != NULL, i == 0);
        if (i) assert_string_equal(l.error, "lists nested deeper than 64");
        json_decref(found);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_python_prints),
                                       cmocka_unit_test(grammar), cmocka_unit_test(depth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
