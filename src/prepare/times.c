/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/times.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const int64_t FIRST_MS = INT64_C(-62135596800000); /* 0001-01-01 00:00:00 */
static const int64_t LAST_MS = INT64_C(253402300799999);  /* 9999-12-31 23:59:59.999 */
static const int64_t MILLISECONDS_FROM = INT64_C(100000000000);

bool time_is_in_range(int64_t ms) {
    return ms >= FIRST_MS && ms <= LAST_MS;
}

static enum time_result checked(int64_t ms, int64_t *out) {
    if (!time_is_in_range(ms)) return TIME_OUT_OF_RANGE;
    *out = ms;
    return TIME_OK;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* ---- dates ---- */

/* n digits at *t, taken off it. */
static bool take_number(struct text *t, size_t n, int *out) {
    int value = 0;
    if (t->n < n) return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(t->p[i])) return false;
        value = value * 10 + (t->p[i] - '0');
    }
    t->p += n;
    t->n -= n;
    *out = value;
    return true;
}

static bool take(struct text *t, char c) {
    if (!t->n || t->p[0] != c) return false;
    t->p++;
    t->n--;
    return true;
}

/* Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap
 * day is their last; 719468 days lie between 0000-03-01 and 1970-01-01. */
static int64_t days_of(int year, int month, int day) {
    const int y = month > 2 ? year : year - 1;
    const int m = month > 2 ? month - 3 : month + 9;
    const int64_t before_year = (int64_t)y * 365 + y / 4 - y / 100 + y / 400;
    return before_year + (153 * m + 2) / 5 + day - 1 - 719468;
}

static bool day_exists(int year, int month, int day) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || month < 1 || month > 12 || day < 1) return false;
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= lengths[month - 1] + (month == 2 && leap);
}

/* ".123456": any number of digits, rounded down to milliseconds. */
static bool take_fraction(struct text *t, int *ms) {
    int unit = 100;
    if (!t->n || !is_digit(t->p[0])) return false;
    for (; t->n && is_digit(t->p[0]); t->p++, t->n--) {
        *ms += (t->p[0] - '0') * unit;
        unit /= 10;
    }
    return true;
}

static bool take_zone(struct text *t, int *minutes) {
    if (take(t, 'Z')) return true;
    if (t->n == 3 && memcmp(t->p, "UTC", 3) == 0) {
        *t = (struct text){0};
        return true;
    }
    const bool east = t->n && t->p[0] == '+';
    if (!east && !(t->n && t->p[0] == '-')) return true;
    t->p++, t->n--;
    int hours, rest = 0;
    if (!take_number(t, 2, &hours) || hours > 23) return false;
    if (t->n) {
        take(t, ':');
        if (!take_number(t, 2, &rest) || rest > 59) return false;
    }
    *minutes = (hours * 60 + rest) * (east ? 1 : -1);
    return true;
}

/* "202106", "20210601", "202106011230", "20210601123000", and ".0" behind them: as numbers days of 1970, or years far off. Beyond
 * 2999 twelve digits may be milliseconds of the nineties. */
static bool is_date_without_dashes(struct text t) {
    int year, month, day = 1, hour = 0, minute = 0, second = 0;
    const char *point = t.n ? memchr(t.p, '.', t.n) : NULL;
    if (point) {
        while (t.n && t.p[t.n - 1] == '0') t.n--;
        if (t.p + t.n != point + 1) return false;
        t.n--;
    }
    if (t.n != 6 && t.n != 8 && t.n != 12 && t.n != 14) return false;
    if (!take_number(&t, 4, &year) || !take_number(&t, 2, &month)) return false;
    if (t.n && !take_number(&t, 2, &day)) return false;
    if (t.n && (!take_number(&t, 2, &hour) || !take_number(&t, 2, &minute))) return false;
    if (t.n && !take_number(&t, 2, &second)) return false;
    return year < 3000 && day_exists(year, month, day) && hour < 24 && minute < 60 && second <= 60;
}

static enum time_result parse_date(struct text t, int64_t *out) {
    int year, month, day, hour = 0, minute = 0, second = 0, ms = 0, zone = 0;
    if (!take_number(&t, 4, &year) || !take(&t, '-') || !take_number(&t, 2, &month) ||
        !take(&t, '-') || !take_number(&t, 2, &day) || !day_exists(year, month, day))
        return TIME_UNREADABLE;
    if (take(&t, ' ') || take(&t, 'T')) {
        if (!take_number(&t, 2, &hour) || !take(&t, ':') || !take_number(&t, 2, &minute))
            return TIME_UNREADABLE;
        if (take(&t, ':') && !take_number(&t, 2, &second)) return TIME_UNREADABLE;
        if (take(&t, '.') && !take_fraction(&t, &ms)) return TIME_UNREADABLE;
        while (take(&t, ' '))
            continue;
        if (!take_zone(&t, &zone)) return TIME_UNREADABLE;
    }
    if (t.n || hour > 23 || minute > 59 || second > 60) return TIME_UNREADABLE;
    const int64_t minutes = (days_of(year, month, day) * 24 + hour) * 60 + minute - zone;
    return checked((minutes * 60 + second) * 1000 + ms, out);
}

/* ---- numbers ---- */

/* A time that is out of range as milliseconds. */
static enum time_result of_other_unit(int64_t value) {
    static const int64_t first = INT64_C(1000000000000), end = INT64_C(4000000000000); /* 2001 to 2096 */
    if (value / 1000 >= first && value / 1000 < end) return TIME_MICROSECONDS;
    if (value / 1000000 >= first && value / 1000000 < end) return TIME_NANOSECONDS;
    return TIME_OUT_OF_RANGE;
}

static enum time_result from_whole(int64_t value, enum time_unit unit, unsigned *magnitudes, int64_t *out) {
    const bool milliseconds =
        unit == TIME_MILLISECONDS || value >= MILLISECONDS_FROM || value <= -MILLISECONDS_FROM;
    if (checked(milliseconds ? value : value * 1000, out) != TIME_OK) return of_other_unit(value);
    if (unit != TIME_MILLISECONDS && value) /* 0 is the same in both */
        *magnitudes |= milliseconds ? TIME_MILLISECONDS_MET : TIME_SECONDS_MET;
    return TIME_OK;
}

static enum time_result from_decimal(double value, enum time_unit unit, unsigned *magnitudes, int64_t *out) {
    if (!(fabs(value) < 9e18)) return TIME_OUT_OF_RANGE;
    if (unit == TIME_MILLISECONDS || fabs(value) >= (double)MILLISECONDS_FROM)
        return from_whole(llround(value), unit, magnitudes, out);
    const enum time_result result = checked(llround(value * 1000), out);
    if (result == TIME_OK && fabs(value) > 0) *magnitudes |= TIME_SECONDS_MET;
    return result;
}

void time_text(int64_t ms, char out[TIME_TEXT]) {
    const time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    struct tm utc;
    out[0] = '\0';
    if (gmtime_r(&seconds, &utc))
        snprintf(out, TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02dZ", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                 utc.tm_min, utc.tm_sec);
}

enum time_result time_parse(struct text t, enum time_unit unit, unsigned *magnitudes, int64_t *out) {
    int64_t whole;
    double decimal;
    if (unit == TIME_DATES && is_date_without_dashes(text_trim(t))) return TIME_WITHOUT_DASHES;
    if (text_i64(t, &whole)) return from_whole(whole, unit, magnitudes, out);
    t = text_trim(t);
    if (text_i64(t, &whole)) return from_whole(whole, unit, magnitudes, out);
    if (t.n > 4 && t.p[4] == '-' && is_digit(t.p[0])) return parse_date(t, out);
    if (text_f64(t, &decimal)) return from_decimal(decimal, unit, magnitudes, out);
    return TIME_UNREADABLE;
}
