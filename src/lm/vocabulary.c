/* SPDX-License-Identifier: Apache-2.0 */
#include "lm/vocabulary.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/size.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

genair_code fail_place(struct place place, genair_status *st, const char *format, ...) {
    char message[sizeof st->message];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return place.line > 0 ? fail_line(st, GENAIR_FORMAT, place.path, place.line, "%s", message)
                          : fail_offset(st, GENAIR_FORMAT, place.path, place.offset, "%s", message);
}

void vocabulary_deinit(struct vocabulary *v) {
    mem_free(v->entries);
    mem_free(v->text);
    mem_free(v->start);
    mem_free(v->slots);
    mem_free(v->added);
    *v = (struct vocabulary){0};
}

static genair_code make_room(struct vocabulary *v, size_t n, size_t n_bytes, genair_status *st) {
    const size_t had = v->n;
    size_t end;
    if (!add_size(v->n_text, n_bytes, &end) ||
        !mem_grow(&v->entries, &v->capacity, n, sizeof *v->entries) ||
        !mem_grow(&v->text, &v->text_capacity, end, 1))
        return fail_memory(st);
    if (n > had) {
        memset(v->entries + had, 0, (n - had) * sizeof *v->entries);
        v->n = n;
    }
    return GENAIR_OK;
}

genair_code vocabulary_put(struct vocabulary *v, uint64_t id, struct text bytes,
                           enum token_kind kind, float score, struct place place,
                           genair_status *st) {
    char excerpt[TEXT_EXCERPT];
    text_excerpt(bytes, excerpt);
    if (id >= v->limit)
        return fail_place(place, st,
                          "token \"%s\" has number %" PRIu64 ", above the %zu that there can be",
                          excerpt, id, v->limit);
    if (!bytes.n)
        return fail_place(place, st, "token %" PRIu64 " has no text; the file is damaged", id);
    if (id < v->n && v->entries[id].kind != TOKEN_ABSENT)
        return fail_place(place, st,
                          "token \"%s\" has number %" PRIu64
                          ", which another token has; the file is damaged",
                          excerpt, id);
    const genair_code code = make_room(v, max_size(v->n, (size_t)id + 1), bytes.n, st);
    if (code != GENAIR_OK) return code;
    memcpy(v->text + v->n_text, bytes.p, bytes.n);
    v->entries[id] = (struct entry){v->n_text, bytes.n, score, (unsigned char)kind};
    v->n_text += bytes.n;
    return GENAIR_OK;
}

genair_code vocabulary_add(struct vocabulary *v, uint64_t id, struct text text, bool special,
                           struct place place, genair_status *st) {
    const enum token_kind kind = special ? TOKEN_SPECIAL : TOKEN_ADDED;
    if (id < v->n && v->entries[id].kind != TOKEN_ABSENT) {
        struct entry *e = &v->entries[id];
        if (e->n == text.n && memcmp(v->text + e->at, text.p, text.n) == 0) {
            e->kind = (unsigned char)kind;
            return GENAIR_OK;
        }
    }
    return vocabulary_put(v, id, text, kind, 0, place, st);
}

/* Bytes in the order of the numbers, so that start alone says where a token lies. */
static bool order_bytes(struct vocabulary *v) {
    char *text = mem_array(v->n_text, 1);
    v->start = mem_array(v->n + 1, sizeof *v->start);
    if (!text || !v->start) {
        mem_free(text);
        return false;
    }
    size_t at = 0;
    for (size_t i = 0; i < v->n; i++) {
        const struct entry *e = &v->entries[i];
        v->start[i] = at;
        if (e->n) memcpy(text + at, v->text + e->at, e->n);
        at += e->n;
    }
    v->start[v->n] = at;
    mem_free(v->text);
    v->text = text;
    return true;
}

static genair_code place_normal(struct vocabulary *v, struct place place, genair_status *st) {
    v->n_slots = map_slots_for(v->n);
    v->slots = mem_zeros(v->n_slots, sizeof *v->slots);
    if (!v->slots) return fail_memory(st);
    for (uint32_t id = 0; id < v->n; id++) {
        const struct text bytes = vocabulary_bytes(v, id);
        uint32_t other;
        if (v->entries[id].kind != TOKEN_NORMAL) continue;
        if (vocabulary_find(v, bytes, &other)) {
            char excerpt[TEXT_EXCERPT];
            text_excerpt(bytes, excerpt);
            return fail_place(place, st, "tokens %u and %u are both \"%s\"; the file is damaged",
                              (unsigned)other, (unsigned)id, excerpt);
        }
        map_place(v->slots, v->n_slots, bytes, id);
        v->longest = max_size(v->longest, bytes.n);
    }
    return GENAIR_OK;
}

static int compare_text(struct text a, struct text b) {
    const size_t n = min_size(a.n, b.n);
    const int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int by_bytes(const void *a, const void *b, void *user) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const int order = compare_text(vocabulary_bytes(user, x), vocabulary_bytes(user, y));
    return order ? order : (x > y) - (x < y);
}

static bool is_added(const struct entry *e) {
    return e->kind == TOKEN_ADDED || e->kind == TOKEN_SPECIAL;
}

static genair_code sort_added(struct vocabulary *v, genair_status *st) {
    for (size_t i = 0; i < v->n; i++)
        v->n_added += is_added(&v->entries[i]);
    v->added = mem_array(v->n_added, sizeof *v->added);
    if (!v->added) return fail_memory(st);
    size_t n = 0;
    for (uint32_t i = 0; i < v->n; i++)
        if (is_added(&v->entries[i])) v->added[n++] = i;
    qsort_r(v->added, n, sizeof *v->added, by_bytes, v);
    return GENAIR_OK;
}

genair_code vocabulary_finish(struct vocabulary *v, struct place place, genair_status *st) {
    if (!v->n) return fail_place(place, st, "it has no tokens");
    if (!order_bytes(v)) return fail_memory(st);
    const genair_code code = place_normal(v, place, st);
    return code == GENAIR_OK ? sort_added(v, st) : code;
}

struct text vocabulary_bytes(const struct vocabulary *v, uint32_t id) {
    if (id >= v->n) return (struct text){"", 0};
    return (struct text){v->text + v->start[id], (size_t)(v->start[id + 1] - v->start[id])};
}

enum token_kind vocabulary_kind(const struct vocabulary *v, uint32_t id) {
    return id < v->n ? (enum token_kind)v->entries[id].kind : TOKEN_ABSENT;
}

bool vocabulary_find(const struct vocabulary *v, struct text bytes, uint32_t *id) {
    return map_lookup(v->slots, v->n_slots, v->text, v->start, bytes, id);
}

/* First of the added tokens from lo on whose byte at `at` is not below c; those before hi share the
 * bytes before it. */
static size_t first_not_below(const struct vocabulary *v, size_t lo, size_t hi, size_t at,
                              unsigned c) {
    while (lo < hi) {
        const size_t middle = lo + (hi - lo) / 2;
        const struct text t = vocabulary_bytes(v, v->added[middle]);
        if (at >= t.n || (unsigned char)t.p[at] < c)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

bool vocabulary_added_prefix(const struct vocabulary *v, struct text text, uint32_t *id) {
    size_t lo = 0, hi = v->n_added;
    bool found = false;
    for (size_t i = 0; i < text.n && lo < hi; i++) {
        const unsigned c = (unsigned char)text.p[i];
        lo = first_not_below(v, lo, hi, i, c);
        hi = first_not_below(v, lo, hi, i, c + 1);
        if (lo == hi || vocabulary_bytes(v, v->added[lo]).n != i + 1) continue;
        *id = v->added[lo];
        found = true;
    }
    return found;
}

bool vocabulary_added(const struct vocabulary *v, struct text text, uint32_t *id) {
    uint32_t longest;
    if (!vocabulary_added_prefix(v, text, &longest) || vocabulary_bytes(v, longest).n != text.n)
        return false;
    *id = longest;
    return true;
}
