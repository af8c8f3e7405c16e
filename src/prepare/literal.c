/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/literal.h"

#include "base/alloc.h"
#include "base/size.h"

#include <string.h>

static bool wrong(struct literal *l, const char *error) {
    l->error = error;
    return false;
}

static bool wrong_at(struct literal *l, size_t at, const char *error) {
    l->at = at;
    return wrong(l, error);
}

/* The byte at the place, 0 at the end: NUL is no token, so both end a loop alike. */
static char peek(const struct literal *l) {
    return l->at < l->text.n ? l->text.p[l->at] : '\0';
}

static char peek_behind(const struct literal *l, size_t ahead) {
    return ahead < l->text.n - l->at ? l->text.p[l->at + ahead] : '\0';
}

static void pass_space(struct literal *l) {
    for (; l->at < l->text.n; l->at++) {
        const char c = l->text.p[l->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') break;
    }
}

static bool take(struct literal *l, char c) {
    if (peek(l) != c) return false;
    l->at++;
    return true;
}

/* ---- strings ---- */

/* n hexadecimal digits at p, of which there are left bytes. */
static bool read_hex(const char *p, size_t left, size_t n, uint32_t *out) {
    uint32_t value = 0;
    if (left < n) return false;
    for (size_t i = 0; i < n; i++) {
        const int digit = text_hex_digit(p[i]);
        if (digit < 0) return false;
        value = value << 4 | (uint32_t)digit;
    }
    *out = value;
    return true;
}

/* What a backslash starts. */
struct escape {
    uint32_t code; /* the character */
    size_t n;      /* bytes in the text, the backslash included */
    bool byte;     /* written as \x or octal */
    bool kept;     /* Python keeps a backslash that means nothing: code is the backslash, n is 1 */
};

static bool simple_escape(char c, const char *from, const char *to, struct escape *out) {
    const char *found = c ? strchr(from, c) : NULL;
    if (found) *out = (struct escape){.code = (unsigned char)to[found - from], .n = 2};
    return found;
}

static bool octal_escape(const char *p, size_t left, struct escape *out) {
    uint32_t value = 0;
    size_t n = 1;
    while (n < left && n < 4 && p[n] >= '0' && p[n] <= '7')
        value = value * 8 + (uint32_t)(p[n++] - '0');
    if (n == 1 || value > 0xFF) return false;
    *out = (struct escape){.code = value, .n = n, .byte = true};
    return true;
}

/* The escape at p[0] == '\\'. left: bytes up to the end of the text. */
static bool read_escape(enum literal_dialect dialect, const char *p, size_t left,
                        struct escape *out) {
    const char c = left > 1 ? p[1] : '\0';
    uint32_t code;
    if (c == 'u') {
        if (!read_hex(p + 2, left - 2, 4, &code)) return false;
        *out = (struct escape){.code = code, .n = 6};
        return true;
    }
    if (dialect == LITERAL_JSON) return simple_escape(c, "\"\\/bfnrt", "\"\\/\b\f\n\r\t", out);
    if (simple_escape(c, "'\"\\abfnrtv", "'\"\\\a\b\f\n\r\t\v", out)) return true;
    if (c >= '0' && c <= '7') return octal_escape(p, left, out);
    if (c == 'x') {
        if (!read_hex(p + 2, left - 2, 2, &code)) return false;
        *out = (struct escape){.code = code, .n = 4, .byte = true};
        return true;
    }
    if (c == 'U') {
        if (!read_hex(p + 2, left - 2, 8, &code) || code > 0x10FFFF) return false;
        *out = (struct escape){.code = code, .n = 10};
        return true;
    }
    if (c == 'N' || c == '\0') return false; /* \N{name} would need the table of all names */
    *out = (struct escape){.code = '\\', .n = 1, .kept = true};
    return true;
}

/* The string whose opening quote stands at the place. */
static bool read_string(struct literal *l, struct literal_token *out) {
    const size_t start = l->at;
    const char quote = l->text.p[l->at++];
    const size_t first = l->at;
    bool escaped = false;
    for (;;) {
        if (l->at == l->text.n) return wrong_at(l, start, "a string that is not closed");
        const char c = l->text.p[l->at];
        if (c == quote) break;
        if ((unsigned char)c < 0x20 && (l->dialect == LITERAL_JSON || c == '\n'))
            return wrong(l, "a control character in a string");
        if (c != '\\') {
            l->at++;
            continue;
        }
        struct escape e;
        if (!read_escape(l->dialect, l->text.p + l->at, l->text.n - l->at, &e))
            return wrong(l, "an unknown escape in a string");
        escaped = true;
        l->at += e.kept ? 2 : e.n;
    }
    out->type = LITERAL_STRING;
    out->raw = (struct text){l->text.p + first, l->at - first};
    out->escaped = escaped;
    l->at++;
    return true;
}

/* A Python 2 string holds bytes: \xc3\xa9 is one character when the bytes are UTF-8. Gives the
 * length of the sequence in bytes (0: none) and the place behind its escapes. */
static size_t read_byte_run(const char *p, size_t left, char bytes[4], size_t *used) {
    size_t n = 0, at = 0;
    while (n < 4 && at < left && p[at] == '\\') {
        struct escape e;
        if (!read_escape(LITERAL_PYTHON, p + at, left - at, &e) || !e.byte) break;
        bytes[n++] = (char)e.code;
        at += e.n;
        if (text_utf8_prefix((struct text){bytes, n}) == n) {
            *used = at;
            return n;
        }
    }
    return 0;
}

static bool high_surrogate(uint32_t code) {
    return code >= 0xD800 && code <= 0xDBFF;
}

static bool low_surrogate(uint32_t code) {
    return code >= 0xDC00 && code <= 0xDFFF;
}

/* Joins the halves of a pair of \u escapes; n grows by the second one. */
static uint32_t join_surrogates(enum literal_dialect dialect, const char *p, size_t left,
                                struct escape *e, bool *replaced) {
    struct escape second;
    if (high_surrogate(e->code) && left > e->n && p[e->n] == '\\' &&
        read_escape(dialect, p + e->n, left - e->n, &second) && low_surrogate(second.code)) {
        e->n += second.n;
        return 0x10000 + ((e->code - 0xD800) << 10) + (second.code - 0xDC00);
    }
    if (!high_surrogate(e->code) && !low_surrogate(e->code)) return e->code;
    *replaced = true;
    return 0xFFFD;
}

size_t literal_unescape(const struct literal_token *t, enum literal_dialect dialect, char *out,
                        bool *replaced) {
    const char *p = t->raw.p;
    const size_t n = t->raw.n;
    size_t i = 0, used = 0;
    while (i < n) {
        struct escape e;
        size_t run;
        if (p[i] != '\\' || !read_escape(dialect, p + i, n - i, &e)) {
            out[used++] = p[i++];
            continue;
        }
        char bytes[4];
        const size_t n_bytes =
            t->bytes && e.byte && e.code > 0x7F ? read_byte_run(p + i, n - i, bytes, &run) : 0;
        if (n_bytes) {
            memcpy(out + used, bytes, n_bytes);
            used += n_bytes;
            i += run;
            continue;
        }
        const uint32_t code = join_surrogates(dialect, p + i, n - i, &e, replaced);
        i += e.n;
        if (e.kept) { /* the backslash, and what follows as it is */
            out[used++] = '\\';
            out[used++] = p[i++];
            continue;
        }
        used += text_put_utf8(code, out + used);
    }
    return used;
}

/* ---- numbers and words ---- */

static size_t pass_digits(struct literal *l) {
    const size_t start = l->at;
    while (peek(l) >= '0' && peek(l) <= '9')
        l->at++;
    return l->at - start;
}

static bool pass_exponent(struct literal *l) {
    if (peek(l) != 'e' && peek(l) != 'E') return true;
    l->at++;
    if (peek(l) == '+' || peek(l) == '-') l->at++;
    return pass_digits(l) > 0;
}

/* JSON: -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?  Python also: +1, 007, 1., .5, 1L */
static bool read_number(struct literal *l, struct literal_token *out) {
    const bool python = l->dialect == LITERAL_PYTHON;
    const size_t start = l->at;
    if (!take(l, '-') && python) take(l, '+');
    const bool zero = peek(l) == '0';
    const size_t whole = pass_digits(l);
    if (!python && (!whole || (zero && whole > 1))) return wrong_at(l, start, "a broken number");
    if (take(l, '.')) {
        const size_t fraction = pass_digits(l);
        if (!fraction && !(python && whole)) return wrong_at(l, start, "a broken number");
    } else if (!whole) {
        return wrong_at(l, start, "a broken number");
    }
    if (!pass_exponent(l)) return wrong_at(l, start, "a broken number");
    out->type = LITERAL_NUMBER;
    out->raw = (struct text){l->text.p + start, l->at - start};
    if (python) take(l, 'L');
    return true;
}

struct word {
    const char *text;
    enum literal_dialect dialect;
    enum literal_type type;
};

static bool read_word(struct literal *l, struct literal_token *out) {
    static const struct word words[] = {
        {"null", LITERAL_JSON, LITERAL_NULL},   {"true", LITERAL_JSON, LITERAL_TRUE},
        {"false", LITERAL_JSON, LITERAL_FALSE}, {"None", LITERAL_PYTHON, LITERAL_NULL},
        {"True", LITERAL_PYTHON, LITERAL_TRUE}, {"False", LITERAL_PYTHON, LITERAL_FALSE},
        {"nan", LITERAL_PYTHON, LITERAL_NULL},  {"inf", LITERAL_PYTHON, LITERAL_NULL},
        {"-inf", LITERAL_PYTHON, LITERAL_NULL}};
    for (size_t i = 0; i < COUNT(words); i++) {
        const size_t n = strlen(words[i].text);
        if (words[i].dialect != l->dialect || l->text.n - l->at < n ||
            memcmp(l->text.p + l->at, words[i].text, n) != 0)
            continue;
        out->type = words[i].type;
        out->raw = (struct text){l->text.p + l->at, n};
        l->at += n;
        return true;
    }
    return wrong(l, l->at == l->text.n ? "the end of the line where a value should stand"
                                       : "something that is no value");
}

static bool starts_string(const struct literal *l, size_t *prefix) {
    const bool python = l->dialect == LITERAL_PYTHON;
    const char c = peek(l);
    *prefix = python && c && strchr("uUbB", c) ? 1 : 0;
    const char quote = peek_behind(l, *prefix);
    return quote == '"' || (python && quote == '\'');
}

static bool starts_number(const struct literal *l) {
    const bool python = l->dialect == LITERAL_PYTHON;
    const char c = peek(l);
    if (c == '-') return peek_behind(l, 1) != 'i';
    return (c >= '0' && c <= '9') || (python && (c == '+' || c == '.'));
}

static bool read_scalar(struct literal *l, struct literal_token *out) {
    size_t prefix;
    *out = (struct literal_token){0};
    if (starts_string(l, &prefix)) {
        out->bytes = !prefix || peek(l) == 'b' || peek(l) == 'B';
        l->at += prefix;
        return read_string(l, out);
    }
    return starts_number(l) ? read_number(l, out) : read_word(l, out);
}

/* ---- the tree ---- */

static json_t *token_value(const struct literal *l, const struct literal_token *t) {
    if (t->type == LITERAL_NULL) return json_null();
    if (t->type == LITERAL_TRUE) return json_true();
    if (t->type == LITERAL_FALSE) return json_false();
    if (!t->escaped) return json_stringn_nocheck(t->raw.p, t->raw.n);
    char *plain = mem_array(t->raw.n, 1);
    if (!plain) return NULL;
    bool replaced = false;
    const size_t n = literal_unescape(t, l->dialect, plain, &replaced);
    json_t *value = json_stringn_nocheck(plain, n);
    mem_free(plain);
    return value;
}

/* Passes over one value; with tree also builds it (NULL in *tree and no error: memory is out). */
static bool read_value(struct literal *l, int depth, struct literal_token *out, json_t **tree);

static bool read_list(struct literal *l, int depth, json_t **tree) {
    const char close = l->text.p[l->at++] == '(' ? ')' : ']';
    if (tree) *tree = json_array();
    for (bool first = true;; first = false) {
        pass_space(l);
        if (first && take(l, close)) return true;
        if (!first) {
            if (take(l, close)) return true;
            if (!take(l, ',')) return wrong(l, "no ',' or end of list behind a value");
            pass_space(l);
            if (l->dialect == LITERAL_PYTHON && take(l, close)) return true;
        }
        struct literal_token token;
        json_t *value = NULL;
        if (!read_value(l, depth, &token, tree ? &value : NULL)) {
            json_decref(value);
            return false;
        }
        if (tree && (!value || json_array_append_new(*tree, value) != 0)) {
            json_decref(*tree);
            *tree = NULL;
            return false; /* memory is out */
        }
    }
}

/* The key as the tree keeps it; false when memory is out or the key is there already. */
static bool add_member(struct literal *l, json_t *object, const struct literal_token *key,
                       json_t *value) {
    char *plain = mem_array(key->raw.n, 1);
    if (!plain) {
        json_decref(value);
        return false;
    }
    bool replaced = false;
    const size_t n = literal_unescape(key, l->dialect, plain, &replaced);
    bool added = false;
    if (json_object_getn(object, plain, n))
        wrong_at(l, (size_t)(key->raw.p - l->text.p), "a key that occurs twice");
    else
        added = json_object_setn_nocheck(object, plain, n, value) == 0;
    json_decref(value);
    mem_free(plain);
    return added;
}

static bool read_object(struct literal *l, int depth, json_t **tree) {
    bool first = true, more;
    if (!literal_open_object(l)) return false;
    if (tree) *tree = json_object();
    for (;;) {
        struct literal_token key, token;
        json_t *value = NULL;
        if (!literal_key(l, &first, &key, &more)) return false;
        if (!more) return true;
        if (!read_value(l, depth, &token, tree ? &value : NULL)) {
            json_decref(value);
            return false;
        }
        if (tree && (!value || !add_member(l, *tree, &key, value))) {
            json_decref(*tree);
            *tree = NULL;
            return false;
        }
    }
}

static bool read_value(struct literal *l, int depth, struct literal_token *out, json_t **tree) {
    pass_space(l);
    const char c = peek(l);
    const bool object = c == '{', list = c == '[' || (l->dialect == LITERAL_PYTHON && c == '(');
    if (!object && !list) {
        if (!read_scalar(l, out)) return false;
        if (tree) *tree = token_value(l, out);
        return true;
    }
    if (depth == LITERAL_MAX_DEPTH) return wrong(l, "lists nested deeper than 64");
    const size_t start = l->at;
    if (!(object ? read_object(l, depth + 1, tree) : read_list(l, depth + 1, tree))) return false;
    *out = (struct literal_token){.type = object ? LITERAL_OBJECT : LITERAL_LIST,
                                  .raw = {l->text.p + start, l->at - start}};
    return true;
}

/* ---- the interface ---- */

struct literal literal_start(struct text text) {
    struct literal l = {.text = text};
    pass_space(&l);
    if (take(&l, '{')) {
        pass_space(&l);
        const char c = peek(&l), next = peek_behind(&l, 1);
        if (c == '\'' || ((c == 'u' || c == 'b') && (next == '\'' || next == '"')))
            l.dialect = LITERAL_PYTHON;
    }
    l.at = 0;
    return l;
}

bool literal_open_object(struct literal *l) {
    pass_space(l);
    return take(l, '{') || wrong(l, "no '{' at the start of the record");
}

bool literal_key(struct literal *l, bool *first, struct literal_token *key, bool *more) {
    const bool python = l->dialect == LITERAL_PYTHON;
    pass_space(l);
    *more = false;
    if (take(l, '}')) return true;
    if (!*first) {
        if (!take(l, ',')) return wrong(l, "no ',' or '}' behind a value");
        pass_space(l);
        if (python && take(l, '}')) return true;
    }
    *first = false;
    size_t prefix;
    if (!starts_string(l, &prefix) && !(python && starts_number(l)))
        return wrong(l, l->at == l->text.n ? "the end of the line where a key should stand"
                                           : "no key in quotes where one should stand");
    if (!read_scalar(l, key)) return false;
    pass_space(l);
    if (!take(l, ':')) return wrong(l, "no ':' behind a key");
    *more = true;
    return true;
}

bool literal_value(struct literal *l, struct literal_token *value) {
    return read_value(l, 1, value, NULL);
}

bool literal_end(struct literal *l) {
    pass_space(l);
    return l->at == l->text.n || wrong(l, "something behind the end of the record");
}

json_t *literal_tree(struct literal *l) {
    struct literal_token token;
    json_t *tree = NULL;
    if (read_value(l, 0, &token, &tree) && literal_end(l)) return tree;
    json_decref(tree);
    return NULL;
}
