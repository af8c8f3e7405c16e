/* SPDX-License-Identifier: Apache-2.0 */
#include "pieces.h"

#include "base/alloc.h"
#include "base/map.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char MARK[] = "\xE2\x96\x81"; /* U+2581, for a space */
enum { MARK_BYTES = 3, WORD_BYTES = 512 };

/* A word: its number in words; its tokens at first + [0, n) of pieces. */
struct cut {
    uint64_t count;
    size_t first, n;
};

struct pieces {
    struct map *tokens, *words;
    struct cut *cuts; /* [words]; n 0: not cut yet */
    size_t cuts_capacity;
    struct ids pieces;
};

static genair_code push(struct ids *ids, uint32_t id, genair_status *st) {
    if (!mem_grow(&ids->at, &ids->capacity, ids->n + 1, sizeof *ids->at)) return fail_memory(st);
    ids->at[ids->n++] = id;
    return GENAIR_OK;
}

static genair_code add_first_tokens(struct pieces *v, genair_status *st) {
    static const char *const special[] = {"<unk>", "<s>", "</s>"};
    uint32_t id;
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < 3 && code == GENAIR_OK; i++) code = map_add(v->tokens, text_of(special[i]), &id, st);
    for (int b = 0; b < 256 && code == GENAIR_OK; b++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", b);
        code = map_add(v->tokens, text_of(name), &id, st);
    }
    if (code == GENAIR_OK) code = map_add(v->tokens, text_of(MARK), &id, st);
    for (char c = '!'; c <= '~' && code == GENAIR_OK; c++) code = map_add(v->tokens, (struct text){&c, 1}, &id, st);
    return code;
}

struct pieces *pieces_create(void) {
    struct pieces *v = mem_zeros(1, sizeof *v);
    if (!v) return NULL;
    v->tokens = map_create();
    v->words = map_create();
    if (v->tokens && v->words && add_first_tokens(v, NULL) == GENAIR_OK) return v;
    pieces_free(v);
    return NULL;
}

void pieces_free(struct pieces *v) {
    if (!v) return;
    map_free(v->tokens);
    map_free(v->words);
    mem_free(v->cuts);
    mem_free(v->pieces.at);
    mem_free(v);
}

size_t pieces_size(const struct pieces *v) {
    return map_count(v->tokens);
}

struct text pieces_text(const struct pieces *v, uint32_t id) {
    return map_name(v->tokens, id);
}

/* ---- words ---- */

enum class { LETTER, DIGIT, SIGN };

static enum class class_of(char c) {
    if (isalpha((unsigned char)c)) return LETTER;
    return isdigit((unsigned char)c) ? DIGIT : SIGN;
}

/* The next word of text at *at: the mark of a space there, or one given (marked), and a run of one class. */
static struct text next_word(struct text text, size_t *at, bool marked, char word[WORD_BYTES]) {
    size_t n = 0;
    if (text.p[*at] == ' ' && !marked) {
        (*at)++;
        marked = true;
    }
    if (marked) {
        memcpy(word, MARK, MARK_BYTES);
        n = MARK_BYTES;
    }
    for (const size_t first = *at; *at < text.n && text.p[*at] != ' ' && n < WORD_BYTES; (*at)++) {
        if (class_of(text.p[*at]) != class_of(text.p[first])) break;
        word[n++] = text.p[*at];
    }
    return (struct text){word, n};
}

/* A character is a token; what is no printable ASCII goes byte by byte. */
static genair_code first_cut(struct pieces *v, struct text word, struct ids *out, genair_status *st) {
    for (size_t i = 0; i < word.n;) {
        uint32_t id;
        const bool mark = i == 0 && word.n >= MARK_BYTES && memcmp(word.p, MARK, MARK_BYTES) == 0;
        const size_t n = mark ? MARK_BYTES : 1;
        if (!map_find(v->tokens, (struct text){word.p + i, n}, &id)) id = TOKEN_FIRST_BYTE + (unsigned char)word.p[i];
        const genair_code code = push(out, id, st);
        if (code != GENAIR_OK) return code;
        i += n;
    }
    return GENAIR_OK;
}

/* The token that two neighbours make together. */
static bool joined(const struct pieces *v, uint32_t a, uint32_t b, uint32_t *id) {
    char both[2 * WORD_BYTES];
    const struct text x = map_name(v->tokens, a), y = map_name(v->tokens, b);
    if (a < TOKEN_FIRST_PIECE || b < TOKEN_FIRST_PIECE || x.n + y.n > sizeof both) return false;
    memcpy(both, x.p, x.n);
    memcpy(both + x.n, y.p, y.n);
    return map_find(v->tokens, (struct text){both, x.n + y.n}, id);
}

/* Joins the neighbours with the best token, the leftmost of equals, until there are none. */
static void join_all(const struct pieces *v, struct ids *ids, size_t first) {
    for (;;) {
        uint32_t best = UINT32_MAX, id;
        size_t place = 0;
        for (size_t i = first; i + 1 < ids->n; i++)
            if (joined(v, ids->at[i], ids->at[i + 1], &id) && id < best) {
                best = id;
                place = i;
            }
        if (best == UINT32_MAX) return;
        ids->at[place] = best;
        memmove(ids->at + place + 1, ids->at + place + 2, (ids->n - place - 2) * sizeof *ids->at);
        ids->n--;
    }
}

/* The number of a word; its cut is there when it is new. */
static genair_code find_word(struct pieces *v, struct text word, bool joins, uint32_t *number, genair_status *st) {
    const uint32_t before = map_count(v->words);
    genair_code code = map_add(v->words, word, number, st);
    if (code != GENAIR_OK || *number < before) return code;
    if (!mem_grow(&v->cuts, &v->cuts_capacity, (size_t)before + 1, sizeof *v->cuts)) return fail_memory(st);
    const size_t first = v->pieces.n;
    code = first_cut(v, word, &v->pieces, st);
    if (code == GENAIR_OK && joins) join_all(v, &v->pieces, first);
    v->cuts[*number] = (struct cut){.first = first, .n = v->pieces.n - first};
    return code;
}

/* ---- learning ---- */

genair_code pieces_count(struct pieces *v, struct text text, genair_status *st) {
    char buffer[WORD_BYTES];
    genair_code code = GENAIR_OK;
    bool marked = true;
    for (size_t at = 0; at < text.n && code == GENAIR_OK; marked = false) {
        uint32_t number;
        code = find_word(v, next_word(text, &at, marked, buffer), false, &number, st);
        if (code == GENAIR_OK) v->cuts[number].count++;
    }
    return code;
}

struct pair {
    uint32_t a, b;
};

/* The most frequent pair of neighbours, of equals the one met first. counts: [n, n] zeros, and zeros again. */
static uint64_t best_pair(const struct pieces *v, uint32_t *counts, size_t n, struct pair *best) {
    uint64_t most = 0;
    const uint32_t n_words = map_count(v->words);
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t w = 0; w < n_words; w++) {
            const struct cut *c = &v->cuts[w];
            const uint32_t *p = v->pieces.at + c->first;
            for (size_t i = 0; i + 1 < c->n; i++) {
                uint32_t *count = &counts[p[i] * n + p[i + 1]];
                if (p[i] < TOKEN_FIRST_PIECE || p[i + 1] < TOKEN_FIRST_PIECE) continue;
                if (pass == 1) {
                    *count = 0;
                    continue;
                }
                *count += (uint32_t)c->count;
            }
            if (pass == 1) continue;
            for (size_t i = 0; i + 1 < c->n; i++)
                if (counts[p[i] * n + p[i + 1]] > most) {
                    most = counts[p[i] * n + p[i + 1]];
                    *best = (struct pair){p[i], p[i + 1]};
                }
        }
    return most;
}

static void join_pair(struct pieces *v, struct pair pair, uint32_t id) {
    const uint32_t n_words = map_count(v->words);
    for (uint32_t w = 0; w < n_words; w++) {
        struct cut *c = &v->cuts[w];
        uint32_t *p = v->pieces.at + c->first;
        size_t n = 0;
        for (size_t i = 0; i < c->n; i++) {
            if (i + 1 < c->n && p[i] == pair.a && p[i + 1] == pair.b) {
                p[n++] = id;
                i++;
            } else {
                p[n++] = p[i];
            }
        }
        c->n = n;
    }
}

static genair_code add_joined(struct pieces *v, struct pair pair, uint32_t *id, genair_status *st) {
    char both[2 * WORD_BYTES];
    const struct text x = map_name(v->tokens, pair.a), y = map_name(v->tokens, pair.b);
    memcpy(both, x.p, x.n);
    memcpy(both + x.n, y.p, y.n);
    return map_add(v->tokens, (struct text){both, x.n + y.n}, id, st);
}

/* Words are cut anew from here on: a text is cut by the scores, learning went pair by pair. */
static genair_code forget_words(struct pieces *v, genair_status *st) {
    struct map *words = map_create();
    if (!words) return fail_memory(st);
    map_free(v->words);
    v->words = words;
    v->pieces.n = 0;
    return GENAIR_OK;
}

genair_code pieces_learn(struct pieces *v, size_t n_tokens, genair_status *st) {
    uint32_t *counts = mem_zeros(n_tokens * n_tokens, sizeof *counts);
    genair_code code = counts ? GENAIR_OK : fail_memory(st);
    struct pair best;
    while (code == GENAIR_OK && pieces_size(v) < n_tokens && best_pair(v, counts, n_tokens, &best) > 1) {
        uint32_t id;
        code = add_joined(v, best, &id, st);
        if (code == GENAIR_OK) join_pair(v, best, id);
    }
    mem_free(counts);
    return code == GENAIR_OK ? forget_words(v, st) : code;
}

genair_code pieces_encode(struct pieces *v, struct text text, bool begins, struct ids *out, genair_status *st) {
    char buffer[WORD_BYTES];
    genair_code code = GENAIR_OK;
    for (size_t at = 0; at < text.n && code == GENAIR_OK; begins = false) {
        uint32_t number;
        code = find_word(v, next_word(text, &at, begins, buffer), true, &number, st);
        if (code != GENAIR_OK) return code;
        const struct cut c = v->cuts[number];
        for (size_t i = 0; i < c.n && code == GENAIR_OK; i++) code = push(out, v->pieces.at[c.first + i], st);
    }
    return code;
}
