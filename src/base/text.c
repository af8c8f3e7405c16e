/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct text text_of(const char *s) {
    return (struct text){s, strlen(s)};
}

bool text_equal(struct text a, const char *b) {
    return a.n == strlen(b) && memcmp(a.p, b, a.n) == 0;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct text text_trim(struct text t) {
    while (t.n && is_space(t.p[0])) t.p++, t.n--;
    while (t.n && is_space(t.p[t.n - 1])) t.n--;
    return t;
}

bool text_i64(struct text t, int64_t *out) {
    size_t i = 0;
    bool negative = false;
    if (i < t.n && (t.p[i] == '-' || t.p[i] == '+')) negative = t.p[i++] == '-';
    if (i == t.n) return false;
    int64_t value = 0; /* kept negative: the range reaches one further there */
    for (; i < t.n; i++) {
        const char c = t.p[i];
        if (c < '0' || c > '9') return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, c - '0', &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value)) return false;
    *out = value;
    return true;
}

bool text_f64(struct text t, double *out) {
    /* Digits, sign, point, exponent only: strtod also takes hexadecimal, "inf" and leading space. */
    char buffer[64];
    if (t.n == 0 || t.n >= sizeof buffer) return false;
    for (size_t i = 0; i < t.n; i++)
        if (!strchr("0123456789+-.eE", t.p[i]) || t.p[i] == '\0') return false;
    memcpy(buffer, t.p, t.n);
    buffer[t.n] = '\0';
    /* A decimal point is '.' whatever the process's locale says. */
    const locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale) return false;
    char *end;
    const double value = strtod_l(buffer, &end, c_locale);
    freelocale(c_locale);
    if (end != buffer + t.n) return false;
    *out = value;
    return true;
}

/* Length of the sequence at p (n bytes left), 0 when it is not valid UTF-8. */
static size_t utf8_step(const unsigned char *p, size_t n) {
    const unsigned char c = p[0];
    if (c < 0x80) return 1;
    size_t length;
    unsigned low = 0x80, high = 0xBF; /* bounds of the second byte: no overlong forms, no surrogates */
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
        const size_t step = utf8_step(p + i, t.n - i);
        if (step == 0) break;
        i += step;
    }
    return i;
}
