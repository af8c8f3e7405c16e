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
bool text_ends_with(struct text a, const char *end);
struct text text_trim(struct text t); /* without ASCII white space at both ends */
int text_hex_digit(char c);           /* 0-15; -1 when it is none */
bool text_i64(struct text t, int64_t *out);
bool text_f64(struct text t, double *out); /* finite or not: the caller checks */
/* Bytes of the code point written to out: 1-4; 0 for a surrogate or what is above U+10FFFF. */
size_t text_put_utf8(uint32_t code, char out[4]);
/* The text as it may stand in a message: control characters and bytes that are no UTF-8 as \xHH,
 * cut with "…" where it is long. */
enum { TEXT_EXCERPT = 80 };
void text_excerpt(struct text t, char out[TEXT_EXCERPT]);
/* Edit distance (Levenshtein, in bytes); texts of 64 bytes and more are 64 from everything. */
size_t text_distance(struct text a, struct text b);
/* Whether a name at that distance is worth suggesting for it. */
bool text_is_near(size_t distance, struct text name);
/* At most so many characters of valid UTF-8, no white space left at the end. */
struct text text_characters(struct text t, size_t n);
/* Whether it can be the name of something: valid UTF-8 of 1 to max characters, no control characters. */
bool text_is_name(struct text t, size_t max);
enum { NAME_CHARACTERS = 256 }; /* of users, items and events: what prepare takes can be asked for */
/* Length of the valid UTF-8 prefix: t.n when all of it is valid (RFC 3629). */
size_t text_utf8_prefix(struct text t);

#endif
