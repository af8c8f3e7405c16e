/* SPDX-License-Identifier: Apache-2.0 */
#include "lm/unicode.h"

#include "base/alloc.h"
#include "base/size.h"

#include <stdbool.h>
#include <string.h>
#include <utf8proc.h>

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */
enum { REPLACEMENT_BYTES = 3 };

/* Bytes of the ill-formed part that begins at p: the longest beginning of a well-formed sequence,
 * or one byte. */
static size_t ill_formed(const unsigned char *p, size_t n) {
    const unsigned char c = p[0];
    if (c < 0xE0 || c > 0xF4 || n < 2) return 1;
    const unsigned low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    const unsigned high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high) return 1;
    if (c < 0xF0 || n < 3 || p[2] < 0x80 || p[2] > 0xBF) return 2;
    return 3;
}

genair_code unicode_repair(struct text text, char **owned, struct text *out, genair_status *st) {
    size_t good = text_utf8_prefix(text), capacity;
    *owned = NULL;
    *out = text;
    if (good == text.n) return GENAIR_OK;
    if (!mul_size(text.n, REPLACEMENT_BYTES, &capacity)) return fail_memory(st);
    char *copy = mem_array(capacity, 1);
    if (!copy) return fail_memory(st);
    size_t n = 0;
    for (;;) {
        memcpy(copy + n, text.p, good);
        n += good;
        text = (struct text){text.p + good, text.n - good};
        if (!text.n) break;
        const size_t bad = ill_formed((const unsigned char *)text.p, text.n);
        memcpy(copy + n, replacement, REPLACEMENT_BYTES);
        n += REPLACEMENT_BYTES;
        text = (struct text){text.p + bad, text.n - bad};
        good = text_utf8_prefix(text);
    }
    *owned = copy;
    *out = (struct text){copy, n};
    return GENAIR_OK;
}

/* What lies below U+0300 is in NFC: no byte of it is 0xCC or more but the leads C2 to CB. */
static bool surely_nfc(struct text text) {
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] >= 0xCC) return false;
    return true;
}

static utf8proc_propval_t combining_class(utf8proc_int32_t code) {
    return utf8proc_get_property(code)->combining_class;
}

/* Canonical ordering of one run of marks, by counting: utf8proc's own is quadratic in the run's
 * length. */
static void order_run(utf8proc_int32_t *run, size_t n, utf8proc_int32_t *spare) {
    size_t start[257] = {0};
    for (size_t i = 0; i < n; i++)
        start[(combining_class(run[i]) & 255) + 1]++;
    for (size_t i = 1; i < COUNT(start); i++)
        start[i] += start[i - 1];
    for (size_t i = 0; i < n; i++)
        spare[start[combining_class(run[i]) & 255]++] = run[i];
    memcpy(run, spare, n * sizeof *run);
}

static void order_marks(utf8proc_int32_t *codes, size_t n, utf8proc_int32_t *spare) {
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && combining_class(codes[end]) != 0)
            end++;
        if (end - i > 1) order_run(codes + i, end - i, spare);
        i = end + (end == i);
    }
}

/* Canonical decomposition, code point by code point. */
static bool decompose(struct text text, utf8proc_int32_t **codes, size_t *n) {
    const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)text.p;
    enum { LONGEST = 8 }; /* canonical decompositions have at most 4 code points */
    size_t capacity = 0;
    *n = 0;
    for (size_t i = 0; i < text.n;) {
        utf8proc_int32_t code;
        int boundary = 0;
        const utf8proc_ssize_t step =
            utf8proc_iterate(p + i, (utf8proc_ssize_t)(text.n - i), &code);
        if (step <= 0 || !mem_grow(codes, &capacity, *n + LONGEST, sizeof **codes)) return false;
        const utf8proc_ssize_t made = utf8proc_decompose_char(
            code, *codes + *n, LONGEST, UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, &boundary);
        if (made < 0 || made > LONGEST) return false;
        *n += (size_t)made;
        i += (size_t)step;
    }
    return true;
}

static size_t compose_stretch(utf8proc_int32_t *codes, size_t n, char *out) {
    const utf8proc_ssize_t left = utf8proc_normalize_utf32(codes, (utf8proc_ssize_t)n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    size_t n_bytes = 0;
    for (utf8proc_ssize_t i = 0; i < left; i++)
        n_bytes += (size_t)utf8proc_encode_char(codes[i], (utf8proc_uint8_t *)out + n_bytes);
    return n_bytes;
}

/* Nothing is composed with or across U+11A7, which utf8proc drops behind a syllable (2.8: as if it were a trailing consonant). */
static size_t compose(utf8proc_int32_t *codes, size_t n, char *out) {
    enum { BEFORE_TRAILING = 0x11A7 };
    size_t n_bytes = 0;
    for (size_t from = 0, to; from < n; from = to + 1) {
        for (to = from; to < n && codes[to] != BEFORE_TRAILING;)
            to++;
        n_bytes += compose_stretch(codes + from, to - from, out + n_bytes);
        if (to < n) n_bytes += (size_t)utf8proc_encode_char(BEFORE_TRAILING, (utf8proc_uint8_t *)out + n_bytes);
    }
    return n_bytes;
}

genair_code unicode_nfc(struct text text, char **owned, struct text *out, genair_status *st) {
    utf8proc_int32_t *codes = NULL, *spare = NULL;
    size_t n = 0;
    char *composed = NULL;
    *owned = NULL;
    *out = text;
    if (surely_nfc(text)) return GENAIR_OK;
    genair_code code = GENAIR_OK;
    if (!decompose(text, &codes, &n) || !(spare = mem_array(n, sizeof *spare)) ||
        !(composed = mem_array(n, 4))) {
        code = fail_memory(st);
        goto done;
    }
    order_marks(codes, n, spare);
    *owned = composed;
    *out = (struct text){composed, compose(codes, n, composed)};
done:
    mem_free(codes);
    mem_free(spare);
    return code;
}

static bool is_space(utf8proc_int32_t c) {
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

struct text unicode_trim(struct text text) {
    utf8proc_int32_t c;
    while (text.n) {
        const utf8proc_ssize_t step =
            utf8proc_iterate((const utf8proc_uint8_t *)text.p, (utf8proc_ssize_t)text.n, &c);
        if (step <= 0 || !is_space(c)) break;
        text = (struct text){text.p + step, text.n - (size_t)step};
    }
    while (text.n) {
        size_t at = text.n - 1;
        while (at && text.n - at < 4 && ((unsigned char)text.p[at] & 0xC0) == 0x80)
            at--;
        const size_t n = text.n - at;
        if (utf8proc_iterate((const utf8proc_uint8_t *)text.p + at, (utf8proc_ssize_t)n, &c) !=
                (utf8proc_ssize_t)n ||
            !is_space(c))
            break;
        text.n = at;
    }
    return text;
}
