/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/size.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text text_of(const char *s) {
    return (struct text){s, strlen(s)};
}

bool text_equal(struct text a, const char *b) {
    return a.n == strlen(b) && memcmp(a.p, b, a.n) == 0;
}

bool text_ends_with(struct text a, const char *end) {
    const size_t n = strlen(end);
    return a.n >= n && memcmp(a.p + a.n - n, end, n) == 0;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct text text_trim(struct text t) {
    while (t.n && is_space(t.p[0]))
        t.p++, t.n--;
    while (t.n && is_space(t.p[t.n - 1]))
        t.n--;
    return t;
}

struct text text_characters(struct text t, size_t n) {
    size_t seen = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (((unsigned char)t.p[i] & 0xC0) != 0x80 && ++seen > n) {
            t.n = i;
            break;
        }
    }
    while (t.n && is_space(t.p[t.n - 1]))
        t.n--;
    return t;
}

int text_hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool text_i64(struct text t, int64_t *out) {
    size_t i = 0;
    bool negative = false;
    if (i < t.n && (t.p[i] == '-' || t.p[i] == '+')) negative = t.p[i++] == '-';
    if (i == t.n) return false;
    int64_t value = 0; /* kept negative: the range reaches one further there */
    const size_t sure = t.n - i > 18 ? i : t.n; /* 18 digits cannot overflow */
    for (; i < sure; i++) {
        const unsigned digit = (unsigned char)t.p[i] - (unsigned)'0';
        if (digit > 9) return false;
        value = value * 10 - (int64_t)digit;
    }
    for (; i < t.n; i++) {
        const char c = t.p[i];
        if (c < '0' || c > '9') return false;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, c - '0', &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value)) return false;
    *out = value;
    return true;
}

/* A decimal as digits * 10^exponent. */
struct decimal {
    uint64_t digits; /* meaningful while n_digits <= 19 */
    int n_digits;    /* from the first that is not 0 */
    int exponent;
    bool negative;
};

static bool read_exponent(struct text t, int *exponent) {
    int64_t value;
    if (!text_i64(t, &value)) return false;
    *exponent += (int)(value > 9999 ? 9999 : value < -9999 ? -9999 : value);
    return true;
}

/* Sign, digits, point, exponent only: strtod also takes hexadecimal, "inf" and leading space. */
static bool read_decimal(struct text t, struct decimal *out) {
    struct decimal d = {0};
    size_t i = 0;
    bool point = false, any = false;
    if (i < t.n && (t.p[i] == '-' || t.p[i] == '+')) d.negative = t.p[i++] == '-';
    for (; i < t.n; i++) {
        const char c = t.p[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9') break;
        any = true;
        if (point) d.exponent--;
        if (!d.n_digits && c == '0') continue;
        if (++d.n_digits <= 19) d.digits = d.digits * 10 + (uint64_t)(c - '0');
    }
    if (!any) return false;
    if (i < t.n) {
        if (t.p[i] != 'e' && t.p[i] != 'E') return false;
        if (!read_exponent((struct text){t.p + i + 1, t.n - i - 1}, &d.exponent)) return false;
    }
    *out = d;
    return true;
}

/* The general case. A decimal point is '.' whatever the process's locale says; glibc's newlocale
 * returns its static "C" object for this request, so that nothing is built. */
static bool decimal_by_library(struct text t, double *out) {
    char buffer[64];
    if (t.n >= sizeof buffer) return false;
    memcpy(buffer, t.p, t.n);
    buffer[t.n] = '\0';
    const locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale) return false;
    char *end;
    const double value = strtod_l(buffer, &end, c_locale);
    freelocale(c_locale);
    if (end != buffer + t.n) return false;
    *out = value;
    return true;
}

bool text_f64(struct text t, double *out) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal d;
    if (!read_decimal(t, &d)) return false;
    /* Digits below 2^53 and powers to 10^22 are doubles exactly, so one multiplication or division
     * rounds once, as the definition asks (Clinger, "How to read floating point numbers
     * accurately", 1990). */
    if (d.n_digits > 15 || d.exponent < -22 || d.exponent > 22) return decimal_by_library(t, out);
    double value = (double)d.digits;
    value = d.exponent < 0 ? value / powers[-d.exponent] : value * powers[d.exponent];
    *out = d.negative ? -value : value;
    return true;
}

size_t text_distance(struct text a, struct text b) {
    enum { LIMIT = 64 };
    if (a.n >= LIMIT || b.n >= LIMIT) return LIMIT;
    size_t row[LIMIT];
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            const size_t replaced = diagonal + (a.p[i - 1] != b.p[j - 1]);
            diagonal = row[j];
            row[j] = min_size(replaced, min_size(row[j], row[j - 1]) + 1);
        }
    }
    return row[b.n];
}

bool text_is_near(size_t distance, struct text name) {
    return distance <= max_size(2, name.n / 3);
}

/* Length of the sequence at p (n bytes left), 0 when it is not valid UTF-8. */
static size_t utf8_step(const unsigned char *p, size_t n) {
    const unsigned char c = p[0];
    if (c < 0x80) return 1;
    size_t length;
    unsigned low = 0x80,
             high = 0xBF; /* bounds of the second byte: no overlong forms, no surrogates */
    if (c >= 0xC2 && c <= 0xDF) {
        length = 2;
    } else if (c >= 0xE0 && c <= 0xEF) {
        length = 3;
        if (c == 0xE0) low = 0xA0;
        if (c == 0xED) high = 0x9F;
    } else if (c >= 0xF0 && c <= 0xF4) {
        length = 4;
        if (c == 0xF0) low = 0x90;
        if (c == 0xF4) high = 0x8F;
    } else {
        return 0;
    }
    if (n < length || p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if (p[i] < 0x80 || p[i] > 0xBF) return 0;
    return length;
}

size_t text_utf8_prefix(struct text t) {
    const unsigned char *p = (const unsigned char *)t.p;
    size_t i = 0;
    while (i < t.n) {
        uint64_t eight;
        if (t.n - i >= sizeof eight) { /* most text is ASCII: eight bytes at a time */
            memcpy(&eight, p + i, sizeof eight);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                i += sizeof eight;
                continue;
            }
        }
        const size_t step = p[i] < 0x80 ? 1 : utf8_step(p + i, t.n - i);
        if (step == 0) break;
        i += step;
    }
    return i;
}

static size_t count_characters(struct text t) {
    size_t n = 0;
    for (size_t i = 0; i < t.n; i++) n += ((unsigned char)t.p[i] & 0xC0) != 0x80;
    return n;
}

bool text_is_name(struct text t, size_t max) {
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.p[i] < 0x20 || t.p[i] == 0x7f) return false;
    return t.n > 0 && text_utf8_prefix(t) == t.n && count_characters(t) <= max;
}

size_t text_put_utf8(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        if (code >= 0xD800 && code <= 0xDFFF) return 0;
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    if (code > 0x10FFFF) return 0;
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

void text_excerpt(struct text t, char out[TEXT_EXCERPT]) {
    static const char cut[] = "…";
    size_t used = 0, i = 0;
    while (i < t.n) {
        const unsigned char c = (unsigned char)t.p[i];
        size_t step = utf8_step((const unsigned char *)t.p + i, t.n - i);
        const bool plain = step > 0 && c >= 0x20 && c != 0x7F;
        if (!plain) step = 1;
        if (used + (plain ? step : 4) + sizeof cut > TEXT_EXCERPT) {
            memcpy(out + used, cut, sizeof cut);
            return;
        }
        if (plain)
            memcpy(out + used, t.p + i, step);
        else
            snprintf(out + used, 5, "\\x%02X", c);
        used += plain ? step : 4;
        i += step;
    }
    out[used] = '\0';
}
