/* SPDX-License-Identifier: Apache-2.0 */
#include "support/spoken.h"

#include <string.h>

enum { MAX_LINE = 4096 };

/* In place; what %00 stands for becomes a byte that no valid text has, as serve/http.c has it. */
static size_t unescape(char *text, size_t n, bool plus) {
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        const int high = text[i] == '%' && n - i > 2 ? text_hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? text_hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            const int byte = high * 16 + low;
            text[to++] = (char)(byte ? byte : 0xff);
            i += 2;
        } else {
            text[to++] = plus && text[i] == '+' ? ' ' : text[i];
        }
    }
    return to;
}

static bool add_parameter(struct request *r, char *pair, size_t n) {
    if (r->n_parameters == MAX_PARAMETERS) return false;
    char *equal = memchr(pair, '=', n);
    const size_t key = equal ? (size_t)(equal - pair) : n;
    struct parameter_text *p = &r->parameters[r->n_parameters++];
    p->key = (struct text){pair, unescape(pair, key, true)};
    p->value = equal ? (struct text){equal + 1, unescape(equal + 1, n - key - 1, true)} : (struct text){"", 0};
    return true;
}

static bool add_parameters(struct request *r, char *query) {
    while (*query) {
        const size_t n = strcspn(query, "&");
        const bool more = query[n] == '&';
        if (n && !add_parameter(r, query, n)) return false;
        query += n + more;
    }
    return true;
}

bool spoken_answer(struct service *s, const char *text, size_t n, struct response *out) {
    char line[MAX_LINE + 1];
    const char *end = n ? memchr(text, '\n', n) : NULL;
    const size_t length = end ? (size_t)(end - text) : n;
    if (length > MAX_LINE || (length && memchr(text, '\0', length))) return false;
    if (length) memcpy(line, text, length);
    line[length] = '\0';
    char *path = strchr(line, ' ');
    if (!path) return false;
    *path++ = '\0';
    struct request r = {.method = line};
    char *query = strchr(path, '?');
    if (query) *query++ = '\0';
    path[unescape(path, strlen(path), false)] = '\0';
    r.path = text_of(path);
    if (query && !add_parameters(&r, query)) return false;
    *out = (struct response){0};
    const struct route *route = service_find(line, r.path, out);
    if (!route) return true;
    r.rest = text_of(path + strlen(route->path));
    if (end) r.body = (struct text){end + 1, n - length - 1};
    if (!end || r.body.n > route->max_body) r.body = (struct text){"", 0};
    service_answer(s, route, &r, out);
    return true;
}
