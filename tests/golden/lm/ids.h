/* SPDX-License-Identifier: Apache-2.0 */
/* This module compares tokens with the lists of a golden JSON file. */
#ifndef GENAIR_TESTS_GOLDEN_LM_IDS_H
#define GENAIR_TESTS_GOLDEN_LM_IDS_H

#include "base/text.h"
#include "lm/tokenizer.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum { IDS_MESSAGE = 80 };

/* The text under key; p NULL when it is null or missing. */
static inline struct text ids_text(const json_t *object, const char *key) {
    const json_t *v = json_object_get(object, key);
    return (struct text){json_string_value(v), json_string_length(v)};
}

/* Whether they are the same; if not, difference says where. */
static inline bool ids_equal(const json_t *expected, const struct tokens *found,
                             char difference[IDS_MESSAGE]) {
    const size_t n = json_array_size(expected);
    size_t at = 0;
    while (at < n && at < found->n &&
           json_integer_value(json_array_get(expected, at)) == found->ids[at])
        at++;
    if (at == n && at == found->n) return true;
    char want[24] = "the end", got[24] = "the end";
    if (at < n)
        snprintf(want, sizeof want, "%lld",
                 (long long)json_integer_value(json_array_get(expected, at)));
    if (at < found->n) snprintf(got, sizeof got, "%u", (unsigned)found->ids[at]);
    snprintf(difference, IDS_MESSAGE, "[%zu] expected %s, found %s", at, want, got);
    return false;
}

#endif
