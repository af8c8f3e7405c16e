/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, dates, entities, excerpts of any text. */
#include "fuzz.h"

#include "base/text.h"
#include "prepare/entities.h"
#include "prepare/times.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_numbers(struct text t) {
    char copy[64];
    double value;
    int64_t whole;
    if (text_i64(t, &whole)) must(t.n > 0);
    if (!text_f64(t, &value) || t.n >= sizeof copy) return;
    memcpy(copy, t.p, t.n);
    copy[t.n] = '\0';
    const double expected = strtod(copy, NULL); /* the process is in the C locale */
    must(memcmp(&value, &expected, sizeof value) == 0);
}

static void check_times(struct text t) {
    int64_t ms = 0;
    unsigned magnitudes = 0;
    for (int unit = TIME_BY_MAGNITUDE; unit <= TIME_MILLISECONDS; unit++)
        if (time_parse(t, (enum time_unit)unit, &magnitudes, &ms) == TIME_OK)
            must(ms >= -62135596800000 && ms <= 253402300799999);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char out[4096], excerpt[TEXT_EXCERPT];
    const struct text text = {(const char *)data, size};
    if (size > sizeof out) return 0;
    check_numbers(text);
    check_times(text);
    text_excerpt(text, excerpt);
    must(strlen(excerpt) < sizeof excerpt && text_utf8_prefix(text_of(excerpt)) == strlen(excerpt));
    const size_t n = entities_resolve(text.p, size, out);
    must(n <= size);
    if (text_utf8_prefix(text) == size) must(text_utf8_prefix((struct text){out, n}) == n);
    return 0;
}
