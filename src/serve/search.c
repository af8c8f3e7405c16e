/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/search.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

struct search {
    const struct catalogue *catalogue;
    char *text; /* "\nID\nNAME\nBRAND\nCATEGORIES\n" of every item, folded */
    size_t n, capacity;
    size_t *start; /* [n_items + 2] item i's is start[i] .. start[i + 1] */
    uint32_t most_popular;
};

void search_free(struct search *s) {
    if (!s) return;
    mem_free(s->text);
    mem_free(s->start);
    mem_free(s);
}

/* ---- folding ---- */

/* NULL when memory is out; released with free(). */
static char *fold(struct text t, size_t *n) {
    utf8proc_uint8_t *out = NULL;
    const utf8proc_ssize_t size =
        utf8proc_map((const utf8proc_uint8_t *)t.p, (utf8proc_ssize_t)t.n, &out,
                     UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK);
    *n = size < 0 ? 0 : (size_t)size;
    return size < 0 ? NULL : (char *)out;
}

static bool append(struct search *s, const char *p, size_t n) {
    if (!mem_grow(&s->text, &s->capacity, s->n + n + 1, 1)) return false;
    memcpy(s->text + s->n, p, n);
    s->n += n;
    s->text[s->n++] = '\n';
    return true;
}

static bool append_folded(struct search *s, struct text t) {
    size_t n;
    char *folded = fold(t, &n);
    const bool done = folded && append(s, folded, n);
    free(folded);
    return done;
}

static genair_code add_item(struct search *s, uint32_t item, genair_status *st) {
    static const char *const attributes[] = {"name", "brand", "categories"};
    json_t *record;
    genair_code code = catalogue_record(s->catalogue, item, &record, st);
    if (code != GENAIR_OK) return code;
    bool done = append(s, "", 0) && append_folded(s, catalogue_name(s->catalogue, item));
    for (size_t i = 0; done && i < sizeof attributes / sizeof attributes[0]; i++) {
        const json_t *value = json_object_get(record, attributes[i]);
        if (json_is_string(value))
            done = append_folded(s, (struct text){json_string_value(value), json_string_length(value)});
    }
    json_decref(record);
    return done ? GENAIR_OK : fail_memory(st);
}

genair_code search_create(const struct catalogue *c, struct search **out, genair_status *st) {
    const uint32_t n_items = catalogue_items(c);
    struct search *s = mem_zeros(1, sizeof *s);
    if (!s) return fail_memory(st);
    s->catalogue = c;
    s->start = mem_zeros((size_t)n_items + 2, sizeof *s->start);
    genair_code code = s->start ? GENAIR_OK : fail_memory(st);
    for (uint32_t i = 1; code == GENAIR_OK && i <= n_items; i++) {
        code = add_item(s, i, st);
        s->start[i + 1] = s->n;
        if (catalogue_popularity(c, i) > s->most_popular) s->most_popular = catalogue_popularity(c, i);
    }
    if (code == GENAIR_OK)
        *out = s;
    else
        search_free(s);
    return code;
}

/* ---- finding ---- */

struct query {
    char *folded; /* free() */
    size_t n;
    struct text *words;
    size_t n_words;
};

static void query_free(struct query *q) {
    free(q->folded);
    mem_free(q->words);
}

static bool query_parse(struct text text, struct query *q) {
    *q = (struct query){0};
    q->folded = fold(text, &q->n);
    q->words = mem_array(q->n / 2 + 1, sizeof *q->words);
    for (size_t at = 0; q->folded && q->words && at < q->n;) {
        const size_t space = strspn(q->folded + at, " \t\r\n\f\v");
        const size_t n = strcspn(q->folded + at + space, " \t\r\n\f\v");
        if (n) q->words[q->n_words++] = (struct text){q->folded + at + space, n};
        at += space + n;
    }
    return q->folded && q->words;
}

static bool within_word(char c) {
    const unsigned char u = (unsigned char)c;
    return u >= 0x80 || (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z');
}

/* 0: not there, 1: inside of a word, 2: at the beginning of one. */
static int look_for(const char *text, size_t n, struct text word) {
    int found = 0;
    for (const char *p = text, *end = text + n; (p = memmem(p, (size_t)(end - p), word.p, word.n)); p++) {
        if (!within_word(p[-1])) return 2; /* every text begins with a line's end */
        found = 1;
    }
    return found;
}

/* Negative: not all words are there. */
static float score(const struct search *s, const struct query *q, uint32_t item) {
    const char *text = s->text + s->start[item] + 1;
    const size_t n = s->start[item + 1] - s->start[item] - 1;
    int beginnings = 0;
    for (size_t i = 0; i < q->n_words; i++) {
        const int found = look_for(text, n, q->words[i]);
        if (!found) return -1;
        beginnings += found == 2;
    }
    const bool is_id = q->n_words > 0 && n > q->n && memcmp(text, q->folded, q->n) == 0 && text[q->n] == '\n';
    return (float)(is_id ? 2 * (int)q->n_words : beginnings) +
           (float)catalogue_popularity(s->catalogue, item) / ((float)s->most_popular + 1);
}

genair_code search_find(const struct search *s, struct text query, struct topk *best, genair_status *st) {
    struct query q;
    const bool parsed = query_parse(query, &q);
    for (uint32_t i = 1; parsed && i <= catalogue_items(s->catalogue); i++) {
        const float found = score(s, &q, i);
        if (found >= 0) topk_push(best, found, i);
    }
    query_free(&q);
    topk_sort(best);
    return parsed ? GENAIR_OK : fail_memory(st);
}
