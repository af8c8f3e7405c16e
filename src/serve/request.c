/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/request.h"

#include "base/json_text.h"

#include <math.h>
#include <string.h>

/* Whether key is one of "a|b|c". */
static bool is_among(struct text key, const char *known) {
    for (const char *p = known; *p;) {
        const size_t n = strcspn(p, "|");
        if (n == key.n && memcmp(p, key.p, n) == 0) return true;
        p += n + (p[n] == '|');
    }
    return false;
}

/* ---- parameters ---- */

genair_code request_check(const struct request *r, const char *known, genair_status *st) {
    char shown[TEXT_EXCERPT];
    for (size_t i = 0; i < r->n_parameters; i++) {
        const struct parameter_text *p = &r->parameters[i];
        text_excerpt(p->key, shown);
        if (!is_among(p->key, known))
            return fail(st, GENAIR_USAGE, "no parameter '%s' here%s%s", shown, *known ? "; there are " : "", known);
        for (size_t j = 0; j < i; j++)
            if (r->parameters[j].key.n == p->key.n && memcmp(r->parameters[j].key.p, p->key.p, p->key.n) == 0)
                return fail(st, GENAIR_USAGE, "parameter '%s' is given twice", shown);
        if (text_utf8_prefix(p->value) != p->value.n)
            return fail(st, GENAIR_USAGE, "parameter '%s' is not valid UTF-8", shown);
    }
    return GENAIR_OK;
}

bool request_text(const struct request *r, const char *key, struct text *out) {
    for (size_t i = 0; i < r->n_parameters; i++)
        if (text_equal(r->parameters[i].key, key)) {
            *out = r->parameters[i].value;
            return true;
        }
    return false;
}

genair_code request_count(const struct request *r, const char *key, size_t fallback, size_t max, size_t *out,
                          genair_status *st) {
    struct text t;
    int64_t n = (int64_t)fallback;
    if (request_text(r, key, &t) && (!text_i64(t, &n) || n < 1 || n > (int64_t)max))
        return fail(st, GENAIR_USAGE, "'%s' must be an integer from 1 to %zu", key, max);
    *out = (size_t)n;
    return GENAIR_OK;
}

genair_code request_flag(const struct request *r, const char *key, bool *out, genair_status *st) {
    struct text t;
    *out = false;
    if (!request_text(r, key, &t)) return GENAIR_OK;
    *out = text_equal(t, "1");
    return *out || text_equal(t, "0") ? GENAIR_OK : fail(st, GENAIR_USAGE, "'%s' must be 0 or 1", key);
}

/* ---- bodies ---- */

/* The parser recurses, and accepts two thousand levels: its depth is ours to bound. */
static bool nests_too_deep(struct text body) {
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < body.n; i++) {
        const char c = body.p[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if ((c == '{' || c == '[') && ++depth > MAX_NESTING) {
            return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

genair_code body_object(struct text body, const char *known, json_t **out, genair_status *st) {
    json_error_t error;
    if (text_trim(body).n == 0) return fail(st, GENAIR_USAGE, "a JSON object is needed as the request's body");
    if (nests_too_deep(body)) return fail(st, GENAIR_USAGE, "JSON nested deeper than %d", MAX_NESTING);
    json_t *o;
    genair_code code = json_read(body, JSON_REJECT_DUPLICATES, &o, &error, st);
    if (code == GENAIR_MEMORY) return code;
    if (!o) {
        char shown[TEXT_EXCERPT];
        text_excerpt(text_of(error.text), shown);
        return fail(st, GENAIR_USAGE, "the body is not JSON: %s", shown);
    }
    code = json_is_object(o) ? GENAIR_OK : fail(st, GENAIR_USAGE, "the body must be a JSON object");
    const char *key;
    json_t *value;
    if (code == GENAIR_OK)
        json_object_foreach(o, key, value)
            if (!is_among(text_of(key), known)) {
                char shown[TEXT_EXCERPT];
                text_excerpt(text_of(key), shown);
                code = fail(st, GENAIR_USAGE, "no field '%s' here; there are %s", shown, known);
            }
    if (code == GENAIR_OK)
        *out = o;
    else
        json_decref(o);
    return code;
}

bool json_whole(const json_t *value, int64_t *out) {
    static const double exact = 9007199254740992.0; /* 2^53 */
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    const double x = json_is_real(value) ? json_real_value(value) : 0.5;
    if (!(fabs(x) <= exact) || x != floor(x)) return false;
    *out = (int64_t)x;
    return true;
}

/* Where the line ends, or the one that closes what it opens. No string goes on behind a line's end; those of items may stand in
 * single quotes (prepare/literal.h). */
static size_t value_end(struct text body) {
    size_t depth = 0;
    char quote = 0;
    for (size_t i = 0; i < body.n; i++) {
        const char c = body.p[i];
        if (c == '\n' && (depth == 0 || quote)) return i;
        if (quote) {
            if (c == quote) quote = 0;
            if (c == '\\') i += i + 1 < body.n && body.p[i + 1] != '\n';
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return body.n;
}

bool body_value(struct text *body, struct text *value) {
    while (body->n > 0) {
        const size_t n = value_end(*body), taken = n + (n < body->n);
        *value = text_trim((struct text){body->p, n});
        body->p += taken;
        body->n -= taken;
        if (value->n > 0) return true;
    }
    return false;
}

genair_code check_name(struct text name, const char *what, genair_status *st) {
    if (text_is_name(name, MAX_NAME)) return GENAIR_OK;
    return fail(st, GENAIR_USAGE, "'%s' must have 1 to %d characters of UTF-8, none of them a control character", what, MAX_NAME);
}

genair_code body_name(const json_t *object, const char *key, struct text *out, genair_status *st) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) return fail(st, GENAIR_USAGE, "'%s' must be a string", key);
    *out = (struct text){json_string_value(value), json_string_length(value)};
    return check_name(*out, key, st);
}
