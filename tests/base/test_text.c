/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers against the C library, UTF-8 against a table of borders. */
#include "base/rng.h"
#include "base/text.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void whole_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {{"0", true, 0},
                 {"-0", true, 0},
                 {"+7", true, 7},
                 {"007", true, 7},
                 {"123456789012345678", true, 123456789012345678},
                 {"9223372036854775807", true, INT64_MAX},
                 {"-9223372036854775808", true, INT64_MIN},
                 {"9223372036854775808", false, 0},
                 {"-9223372036854775809", false, 0},
                 {"99999999999999999999", false, 0},
                 {"0000000000000000000000000000001", true, 1},
                 {"", false, 0},
                 {"-", false, 0},
                 {"1 ", false, 0},
                 {" 1", false, 0},
                 {"1.0", false, 0},
                 {"12345678901234567x", false, 0},
                 {"1/", false, 0},
                 {"1:", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 0;
        const bool good = text_i64(text_of(cases[i].text), &value);
        if (good != cases[i].good || value != cases[i].value)
            print_error("\"%s\"\n", cases[i].text);
        assert_int_equal(good, cases[i].good);
        assert_int_equal(value, cases[i].value);
    }
}

static void decimals_as_the_library_reads_them(void **state) {
    (void)state;
    struct rng r = rng_start(3, RNG_TEST, 0);
    for (int i = 0; i < 300000; i++) {
        char text[64];
        const int digits = (int)rng_below(&r, 19) + 1, point = (int)rng_below(&r, 20);
        int n = 0;
        if (rng_below(&r, 3) == 0) text[n++] = '-';
        for (int d = 0; d < digits; d++) {
            if (d == point) text[n++] = '.';
            text[n++] = (char)('0' + rng_below(&r, 10));
        }
        if (rng_below(&r, 3) == 0)
            n += snprintf(text + n, sizeof text - (size_t)n, "e%d", (int)rng_below(&r, 60) - 30);
        text[n] = '\0';
        double value = -1;
        const double expected = strtod(text, NULL);
        if (!text_f64((struct text){text, (size_t)n}, &value) ||
            memcmp(&value, &expected, sizeof value) != 0)
            fail_msg("\"%s\": expected %.17g, found %.17g", text, expected, value);
    }
}

static void decimals_of_every_form(void **state) {
    (void)state;
    static const char *const good[] = {"0",
                                       "-0.0",
                                       ".5",
                                       "5.",
                                       "1e5",
                                       "1E+5",
                                       "+1.5e-3",
                                       "4.9e-324",
                                       "1.7976931348623157e308",
                                       "9007199254740993",
                                       "1e23",
                                       "1e400",
                                       "0.1000000000000000055511151231257827"};
    static const char *const bad[] = {"",      "-",    ".",   "e5",    "1e", "1e+",
                                      "1.2.3", "0x10", "inf", "nan",   " 1", "1 ",
                                      "1,5",   "1_0",  "--1", "1e5.0", "1f"};
    double value, expected;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(text_f64(text_of(good[i]), &value));
        expected = strtod(good[i], NULL);
        assert_memory_equal(&value, &expected, sizeof value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (text_f64(text_of(bad[i]), &value)) fail_msg("\"%s\" was taken for a number", bad[i]);
}

static void a_comma_locale_changes_nothing(void **state) {
    (void)state;
    double value = 0;
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "fr_FR.UTF-8")) skip();
    assert_true(text_f64(text_of("0.12345678901234567"), &value));
    setlocale(LC_ALL, "C");
    assert_true(value == 0.12345678901234567);
}

/* Every code point comes back; every border of RFC 3629 is kept. */
static void utf8(void **state) {
    (void)state;
    char out[16];
    for (uint32_t code = 0; code <= 0x110010; code++) {
        const size_t n = text_put_utf8(code, out);
        const bool exists = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
        if ((n > 0) != exists || text_utf8_prefix((struct text){out, n}) != n)
            fail_msg("U+%04X", code);
        if (n > 1) assert_int_equal(text_utf8_prefix((struct text){out, n - 1}), 0); /* cut */
    }
    static const char *const bad[] = {"\x80",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF8\x88\x80\x80\x80",
                                      "\xC3(",
                                      "\xFF"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[32];
        for (size_t before = 0; before < 12; before++) { /* on each side of a block of eight */
            snprintf(text, sizeof text, "%.*s%s", (int)before, "abcdefghijkl", bad[i]);
            assert_int_equal(text_utf8_prefix(text_of(text)), before);
        }
    }
}

static void excerpts(void **state) {
    (void)state;
    char out[TEXT_EXCERPT], text[400];
    text_excerpt((struct text){"a\0b\n\xC3\xA9\xC3", 7}, out);
    assert_string_equal(out, "a\\x00b\\x0A\xC3\xA9\\xC3");
    for (size_t n = 0; n < 200; n++) {
        for (size_t i = 0; i < n; i++)
            memcpy(text + 2 * i, "\xC3\xA9", 2);
        text_excerpt((struct text){text, 2 * n}, out);
        assert_true(strlen(out) < TEXT_EXCERPT);
        assert_int_equal(text_utf8_prefix(text_of(out)), strlen(out));
        assert_int_equal(strstr(out, "…") != NULL, 2 * n > TEXT_EXCERPT - 4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_numbers),
                                       cmocka_unit_test(decimals_as_the_library_reads_them),
                                       cmocka_unit_test(decimals_of_every_form),
                                       cmocka_unit_test(a_comma_locale_changes_nothing),
                                       cmocka_unit_test(utf8),
                                       cmocka_unit_test(excerpts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
