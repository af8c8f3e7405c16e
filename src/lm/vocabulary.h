/* SPDX-License-Identifier: Apache-2.0 */
/* This module holds the tokens of a tokenizer: their bytes, their kinds, the way from bytes to a
 * token. */
#ifndef GENAIR_LM_VOCABULARY_H
#define GENAIR_LM_VOCABULARY_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum token_kind {
    TOKEN_ABSENT,  /* a number between others that no token has */
    TOKEN_NORMAL,  /* found in text */
    TOKEN_BYTE,    /* SentencePiece's <0xHH>: stands in for what has no token */
    TOKEN_UNUSED,  /* has a text that never becomes this token */
    TOKEN_ADDED,   /* found in text only where special tokens are looked for */
    TOKEN_SPECIAL, /* the same; left out when decoding */
};

enum { MAX_TOKENS = 1 << 22 };
static const uint32_t NO_TOKEN = UINT32_MAX;

/* Where in which file something was read, for messages: line > 0, else offset >= 0, else the file
 * as a whole. */
struct place {
    const char *path;
    int64_t line, offset;
};
genair_code fail_place(struct place place, genair_status *st, const char *format, ...) PRINTF(3, 4);

struct entry {
    size_t at, n; /* its bytes in text */
    float score;
    unsigned char kind;
};

/* Filled by vocabulary_put, then closed by vocabulary_finish, from where on it is read only. */
struct vocabulary {
    size_t n;     /* tokens are numbered 0 .. n - 1 */
    size_t limit; /* numbers at or above are refused */
    struct entry *entries;
    size_t capacity;
    char *text;
    size_t n_text, text_capacity;
    /* from here on made by vocabulary_finish */
    uint64_t *start; /* [n + 1] into text */
    uint32_t *slots; /* normal tokens by their bytes */
    size_t n_slots, longest;
    uint32_t *added; /* [n_added] added and special tokens, sorted by their bytes */
    size_t n_added;
};

void vocabulary_deinit(struct vocabulary *v); /* {0} is fine */
/* Errors: GENAIR_FORMAT for a number at or above the limit, one given twice, a token without bytes.
 */
CHECKED genair_code vocabulary_put(struct vocabulary *v, uint64_t id, struct text bytes,
                                   enum token_kind kind, float score, struct place place,
                                   genair_status *st);
/* An added or special token; one of that number and text may be there already and changes its kind.
 */
CHECKED genair_code vocabulary_add(struct vocabulary *v, uint64_t id, struct text text,
                                   bool special, struct place place, genair_status *st);
/* Errors: GENAIR_FORMAT for two normal tokens of the same bytes. */
CHECKED genair_code vocabulary_finish(struct vocabulary *v, struct place place, genair_status *st);

struct text vocabulary_bytes(const struct vocabulary *v,
                             uint32_t id); /* empty for a number without token */
enum token_kind vocabulary_kind(const struct vocabulary *v, uint32_t id);
bool vocabulary_find(const struct vocabulary *v, struct text bytes,
                     uint32_t *id); /* a normal token */
/* The longest added or special token that text begins with. */
bool vocabulary_added_prefix(const struct vocabulary *v, struct text text, uint32_t *id);
/* The added or special token with this text. */
bool vocabulary_added(const struct vocabulary *v, struct text text, uint32_t *id);

#endif
