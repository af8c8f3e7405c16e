/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "prepare/times.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

struct example {
    const char *text;
    enum time_unit unit;
    enum time_result result;
    int64_t ms;
};

static void forms(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"0", TIME_BY_MAGNITUDE, TIME_OK, 0},
        {"-1", TIME_BY_MAGNITUDE, TIME_OK, -1000},
        {" 5 ", TIME_BY_MAGNITUDE, TIME_OK, 5000},
        {"99999999999", TIME_BY_MAGNITUDE, TIME_OK, 99999999999000},
        {"100000000000", TIME_BY_MAGNITUDE, TIME_OK, 100000000000},
        {"-100000000000", TIME_BY_MAGNITUDE, TIME_OK, -100000000000},
        {"100000000000.6", TIME_BY_MAGNITUDE, TIME_OK, 100000000001},
        {"1500000000.1234", TIME_BY_MAGNITUDE, TIME_OK, 1500000000123},
        {"8.81250949E8", TIME_BY_MAGNITUDE, TIME_OK, 881250949000},
        {"5", TIME_MILLISECONDS, TIME_OK, 5},
        {"253402300799999", TIME_MILLISECONDS, TIME_OK, 253402300799999},
        {"253402300800000", TIME_MILLISECONDS, TIME_OUT_OF_RANGE, 0},
        {"-62135596800000", TIME_MILLISECONDS, TIME_OK, -62135596800000},
        {"-62135596800001", TIME_MILLISECONDS, TIME_OUT_OF_RANGE, 0},
        {"9223372036854775807", TIME_BY_MAGNITUDE, TIME_OUT_OF_RANGE, 0},
        {"-9223372036854775808", TIME_BY_MAGNITUDE, TIME_OUT_OF_RANGE, 0},
        {"9223372036854775808", TIME_BY_MAGNITUDE, TIME_OUT_OF_RANGE, 0},
        {"1e300", TIME_BY_MAGNITUDE, TIME_OUT_OF_RANGE, 0},
        {"", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"nan", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"12 May", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-03-01", TIME_BY_MAGNITUDE, TIME_OK, 1519862400000},
        {"2018-03-01 12:00", TIME_BY_MAGNITUDE, TIME_OK, 1519905600000},
        {"2018-03-01T12:00:00.123456Z", TIME_MILLISECONDS, TIME_OK, 1519905600123},
        {"2018-03-01 12:00:00 +0530", TIME_BY_MAGNITUDE, TIME_OK, 1519885800000},
        {"2018-03-01 12:00:00+02", TIME_BY_MAGNITUDE, TIME_OK, 1519898400000},
        {"2018-03-01T12:00-08", TIME_BY_MAGNITUDE, TIME_OK, 1519934400000},
        {"2018-03-01 12:00:00 UTC", TIME_BY_MAGNITUDE, TIME_OK, 1519905600000},
        {"2018-03-01 12:00:00.5UTC", TIME_BY_MAGNITUDE, TIME_OK, 1519905600500},
        {"2018-03-01 12:00:00 UTC+1", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-03-01 12:00:00+2", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-03-01 12:00:00+02:", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-03-01 12:00:00+", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-03-01 12:00:00+24", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"20210601", TIME_BY_MAGNITUDE, TIME_OK, 20210601000},
        {"20210601", TIME_DATES, TIME_WITHOUT_DASHES, 0},
        {"20211301", TIME_DATES, TIME_OK, 20211301000},
        {"202106", TIME_DATES, TIME_WITHOUT_DASHES, 0},
        {" 20210601.0 ", TIME_DATES, TIME_WITHOUT_DASHES, 0},
        {"20210601.5", TIME_DATES, TIME_OK, 20210601500},
        {"202106011230", TIME_DATES, TIME_WITHOUT_DASHES, 0},
        {"20210601123000", TIME_DATES, TIME_WITHOUT_DASHES, 0},
        {"20210601253000", TIME_DATES, TIME_OK, 20210601253000},
        {"978307200000", TIME_DATES, TIME_OK, 978307200000},
        {"970112012000", TIME_DATES, TIME_OK, 970112012000}, /* milliseconds of 2000, not a date in the year 9701 */
        {"1622550600000", TIME_DATES, TIME_OK, 1622550600000},
        {"1622550600000000", TIME_BY_MAGNITUDE, TIME_MICROSECONDS, 0},
        {"1.6225506e15", TIME_BY_MAGNITUDE, TIME_MICROSECONDS, 0},
        {"1622550600000000000", TIME_MILLISECONDS, TIME_NANOSECONDS, 0},
        {"1622550600000000000000", TIME_BY_MAGNITUDE, TIME_OUT_OF_RANGE, 0},
        {"1500000000", TIME_DATES, TIME_OK, 1500000000000},
        {"2018-03-01T12:00:00-08:00", TIME_BY_MAGNITUDE, TIME_OK, 1519934400000},
        {"2016-12-31T23:59:60Z", TIME_BY_MAGNITUDE, TIME_OK, 1483228800000}, /* a leap second */
        {"0001-01-01", TIME_BY_MAGNITUDE, TIME_OK, -62135596800000},
        {"9999-12-31 23:59:59.999", TIME_BY_MAGNITUDE, TIME_OK, 253402300799999},
        {"0001-01-01T00:00:00+01:00", TIME_BY_MAGNITUDE, TIME_OUT_OF_RANGE, 0},
        {"0000-01-01", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2024-02-29", TIME_BY_MAGNITUDE, TIME_OK, 1709164800000},
        {"2023-02-29", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"1900-02-29", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-13-01", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-00-10", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-1-1", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-03-01 25:00:00", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-03-01 12:60:00", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-03-01 12:00:61", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-03-01 12:00:00.", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-03-01 12:00:00+24:00", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-03-01 12:00:00 PM", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
        {"2018-03-01x", TIME_BY_MAGNITUDE, TIME_UNREADABLE, 0},
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const struct example *e = &examples[i];
        int64_t ms = 0;
        unsigned magnitudes = 0;
        const enum time_result result = time_parse(text_of(e->text), e->unit, &magnitudes, &ms);
        if (result != e->result || ms != e->ms)
            fail_msg("\"%s\": expected %d %lld, found %d %lld", e->text, (int)e->result,
                     (long long)e->ms, (int)result, (long long)ms);
    }
}

static void magnitudes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum time_unit unit;
        unsigned met;
    } examples[] = {
        {"0", TIME_BY_MAGNITUDE, 0},
        {"0.0", TIME_BY_MAGNITUDE, 0},
        {"99999999999", TIME_BY_MAGNITUDE, TIME_SECONDS_MET},
        {"-1.5", TIME_BY_MAGNITUDE, TIME_SECONDS_MET},
        {"100000000000", TIME_DATES, TIME_MILLISECONDS_MET},
        {"1e11", TIME_BY_MAGNITUDE, TIME_MILLISECONDS_MET},
        {"5", TIME_MILLISECONDS, 0},
        {"2018-03-01", TIME_BY_MAGNITUDE, 0},
        {"1e30", TIME_BY_MAGNITUDE, 0},
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        int64_t ms;
        unsigned met = 0;
        (void)time_parse(text_of(examples[i].text), examples[i].unit, &met, &ms);
        if (met != examples[i].met) fail_msg("\"%s\": expected %u, found %u", examples[i].text, examples[i].met, met);
    }
}

static void texts(void **state) {
    (void)state;
    static const struct example examples[] = {{"1970-01-01T00:00:00Z", TIME_MILLISECONDS, TIME_OK, 999},
                                              {"1969-12-31T23:59:59Z", TIME_MILLISECONDS, TIME_OK, -1},
                                              {"0001-01-01T00:00:00Z", TIME_MILLISECONDS, TIME_OK, -62135596800000},
                                              {"9999-12-31T23:59:59Z", TIME_MILLISECONDS, TIME_OK, 253402300799999}};
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        char text[TIME_TEXT];
        time_text(examples[i].ms, text);
        assert_string_equal(text, examples[i].text);
    }
}

/* Dates against the C library, over all years. */
static void dates_as_the_library_prints_them(void **state) {
    (void)state;
    struct rng r = rng_start(5, RNG_TEST, 0);
    for (int i = 0; i < 100000; i++) {
        const int64_t s = (int64_t)rng_below(&r, 253402300800 + 62135596800) - 62135596800;
        const time_t t = (time_t)s;
        struct tm tm;
        char text[64];
        gmtime_r(&t, &tm);
        snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        int64_t ms = 0;
        unsigned magnitudes = 0;
        if (time_parse(text_of(text), TIME_BY_MAGNITUDE, &magnitudes, &ms) != TIME_OK || ms != s * 1000)
            fail_msg("%s: expected %lld, found %lld", text, (long long)s * 1000, (long long)ms);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(magnitudes), cmocka_unit_test(texts),
                                       cmocka_unit_test(dates_as_the_library_prints_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
