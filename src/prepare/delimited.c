/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/delimited.h"

#include <string.h>

/* The delimiter at or behind p, or end. */
static const char *find_delimiter(const char *p, const char *end, char delimiter) {
    const char *found = end > p ? memchr(p, delimiter, (size_t)(end - p)) : NULL;
    if (delimiter != ':') return found ? found : end;
    while (found && found + 1 < end) { /* "::" */
        if (found[1] == ':') return found;
        found = memchr(found + 1, ':', (size_t)(end - found - 1));
    }
    return end;
}

static void keep(struct text *fields, size_t max, size_t *n, const char *p, size_t length) {
    if (*n < max) fields[*n] = (struct text){p, length};
    ++*n;
}

static void split_plain(struct text record, char delimiter, struct text *fields, size_t max,
                        size_t *n) {
    const char *p = record.p, *end = record.p + record.n;
    const size_t width = delimiter == ':' ? 2 : 1;
    for (;;) {
        const char *stop = find_delimiter(p, end, delimiter);
        keep(fields, max, n, p, (size_t)(stop - p));
        if (stop == end) return;
        p = stop + width;
    }
}

/* The quoted field behind the quote at p - 1: *field, and the place behind its closing quote. NULL
 * when it is not closed. */
static const char *quoted_field(const char *p, const char *end, char **scratch,
                                struct text *field) {
    const char *start = p;
    char *copy = NULL; /* from the first doubled quote on */
    size_t used = 0;
    for (;;) {
        const char *quote = end > p ? memchr(p, '"', (size_t)(end - p)) : NULL;
        if (!quote) return NULL;
        const bool doubled = quote + 1 < end && quote[1] == '"';
        if (!doubled && !copy) {
            *field = (struct text){start, (size_t)(quote - start)};
            return quote + 1;
        }
        if (!copy) copy = *scratch;
        const size_t piece = (size_t)(quote - p) + doubled; /* with one of the two quotes */
        memcpy(copy + used, p, piece);
        used += piece;
        if (!doubled) {
            *field = (struct text){copy, used};
            *scratch += used;
            return quote + 1;
        }
        p = quote + 2;
    }
}

static enum split_result split_quoted(struct text record, char delimiter, struct text *fields,
                                      size_t max, char *scratch, size_t *n, size_t *wrong_at) {
    const char *p = record.p, *end = record.p + record.n;
    for (;;) {
        const char *stop;
        if (p < end && *p == '"') {
            struct text field;
            stop = quoted_field(p + 1, end, &scratch, &field);
            if (!stop) return SPLIT_INCOMPLETE;
            if (stop < end && *stop != delimiter) {
                *wrong_at = (size_t)(stop - record.p);
                return SPLIT_WRONG;
            }
            keep(fields, max, n, field.p, field.n);
        } else {
            stop = find_delimiter(p, end, delimiter);
            keep(fields, max, n, p, (size_t)(stop - p));
        }
        if (stop == end) return SPLIT_DONE;
        p = stop + 1;
    }
}

enum split_result delimited_split(struct text record, char delimiter, bool quoted,
                                  struct text *fields, size_t max, char *scratch, size_t *n,
                                  size_t *wrong_at) {
    *n = 0;
    if (quoted && record.n && memchr(record.p, '"', record.n))
        return split_quoted(record, delimiter, fields, max, scratch, n, wrong_at);
    split_plain(record, delimiter, fields, max, n);
    return SPLIT_DONE;
}
