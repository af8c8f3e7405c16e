/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads numbers from spans of text: the whole span, in range, in no locale. */
#ifndef GENAIR_BASE_TEXT_H
#define GENAIR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed piece of text, not terminated. */
struct text {
    const char *p;
    size_t n;
};

struct text text_of(const char *s);
bool text_equal(struct text a, const char *b);
struct text text_trim(struct text t); /* without ASCII white space at both ends */
bool text_i64(struct text t, int64_t *out);
bool text_f64(struct text t, double *out); /* finite or not: the caller checks */
/* Length of the valid UTF-8 prefix: t.n when all of it is valid (RFC 3629). */
size_t text_utf8_prefix(struct text t);

#endif
