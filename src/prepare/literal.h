/* SPDX-License-Identifier: Apache-2.0 */
/* This module parses one line of JSON (RFC 8259), or the literal that Python prints for the same
 * data.
 *
 * The Amazon metadata of 2014 were printed by Python: 'text', u'text', True, None, (tuples,), \x
 * and octal escapes. Nothing is evaluated. Both dialects differ in a few tokens only, so they share
 * a parser. Reviews are read member by member without allocation; item records as a tree of jansson
 * values. */
#ifndef GENAIR_PREPARE_LITERAL_H
#define GENAIR_PREPARE_LITERAL_H

#include "base/text.h"

#include <jansson.h>

enum { LITERAL_MAX_DEPTH = 64 };

enum literal_dialect { LITERAL_JSON, LITERAL_PYTHON };

enum literal_type {
    LITERAL_NULL, /* also Python's nan and inf, which its numbers may print as */
    LITERAL_TRUE,
    LITERAL_FALSE,
    LITERAL_NUMBER,
    LITERAL_STRING,
    LITERAL_LIST,
    LITERAL_OBJECT
};

/* A place in the text, which is valid UTF-8. After a failure error says what was wrong at byte at.
 */
struct literal {
    struct text text;
    size_t at;
    enum literal_dialect dialect;
    const char *error; /* static text; NULL while all is well */
};

struct literal_token {
    enum literal_type type;
    struct text raw; /* as it stands: without quotes for a string */
    bool escaped;    /* raw holds backslashes */
    bool bytes;      /* a Python string without u: \xHH above 7F may be a byte of UTF-8 */
};

/* The dialect by what follows the first brace: {' and {u' are Python's. */
struct literal literal_start(struct text text);
bool literal_open_object(struct literal *l);
/* The next key of the open object; *first is true before the first call. *more is false behind the
 * last. After a key, literal_value must be called. */
bool literal_key(struct literal *l, bool *first, struct literal_token *key, bool *more);
/* Passes over one value, checking its form. */
bool literal_value(struct literal *l, struct literal_token *value);
/* Only white space is left. */
bool literal_end(struct literal *l);

/* The text of a string token with its escapes resolved; out has room for raw.n bytes, which is
 * always enough. *replaced becomes true when half of a surrogate pair was replaced by U+FFFD. */
size_t literal_unescape(const struct literal_token *t, enum literal_dialect dialect, char *out,
                        bool *replaced);

/* The whole text as jansson values, in which a number is the string of its digits as they stand: no
 * price changes its form. The caller's. NULL with l->error when the text is wrong, NULL without
 * when memory is out. */
json_t *literal_tree(struct literal *l);

#endif
