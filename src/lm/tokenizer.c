/* SPDX-License-Identifier: Apache-2.0 */
#include "lm/tokenizer_parts.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "lm/unicode.h"
#include "lm/weights.h"

#include <string.h>

/* ---- lists of tokens ---- */

void tokens_free(struct tokens *t) {
    mem_free(t->ids);
    *t = (struct tokens){0};
}

genair_code tokens_push(struct tokens *t, uint32_t id, genair_status *st) {
    if (!mem_grow(&t->ids, &t->capacity, t->n + 1, sizeof *t->ids)) return fail_memory(st);
    t->ids[t->n++] = id;
    return GENAIR_OK;
}

/* ---- making ---- */

genair_code tokenizer_create(size_t limit, struct tokenizer **out, genair_status *st) {
    struct tokenizer *t = mem_zeros(1, sizeof *t);
    if (!t) return fail_memory(st);
    t->vocabulary.limit = limit ? min_size(limit, MAX_TOKENS) : MAX_TOKENS;
    t->rules.vocabulary = &t->vocabulary;
    *out = t;
    return GENAIR_OK;
}

genair_code tokenizer_open(struct lm_weights *w, struct tokenizer **out, genair_status *st) {
    genair_code code = w->gguf ? tokenizer_open_gguf(w->gguf, w->config.vocabulary, out, st)
                               : tokenizer_open_directory(w->path, w->config.vocabulary, out, st);
    if (code != GENAIR_OK) return code;
    code = tokenizer_end_turns(*out, tokenizer_chat_format(*out), w, st);
    if (code == GENAIR_OK) return code;
    tokenizer_free(*out);
    *out = NULL;
    return code;
}

genair_code tokenizer_end_turns(const struct tokenizer *t, enum chat_format format, struct lm_weights *w, genair_status *st) {
    uint32_t ends[CHAT_ENDS];
    const size_t n = chat_ends(t, format, ends);
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < n && code == GENAIR_OK; i++) code = lm_weights_add_eos(w, ends[i], st);
    return code;
}

void tokenizer_free(struct tokenizer *t) {
    if (!t) return;
    vocabulary_deinit(&t->vocabulary);
    pretokenizer_free(t->pretokenizer);
    mem_free(t->rules.pairs);
    mem_free(t->rank);
    mem_free(t->chat_system);
    mem_free(t);
}

genair_code tokenizer_set_expression(struct tokenizer *t, enum expression e, genair_status *st) {
    t->expression = e;
    t->nfc = e == EXPRESSION_QWEN2;
    t->begins = e == EXPRESSION_LLAMA3; /* where the files do not say */
    return pretokenizer_create(e, &t->pretokenizer, st);
}

/* Every byte needs a token, so that any text can be encoded. */
static genair_code find_bytes(struct tokenizer *t, struct place place, genair_status *st) {
    const struct vocabulary *v = &t->vocabulary;
    for (size_t b = 0; b < COUNT(t->byte); b++)
        t->byte[b] = NO_TOKEN;
    for (uint32_t id = 0; id < v->n; id++) {
        const struct text bytes = vocabulary_bytes(v, id);
        if (bytes.n == 1 &&
            vocabulary_kind(v, id) == (t->alphabet == ALPHABET_BYTES ? TOKEN_NORMAL : TOKEN_BYTE))
            t->byte[(unsigned char)bytes.p[0]] = id;
    }
    for (size_t b = 0; b < COUNT(t->byte); b++)
        if (t->byte[b] == NO_TOKEN)
            return fail_place(
                place, st,
                "no token stands for the byte 0x%02zX; such tokenizers are not supported", b);
    return GENAIR_OK;
}

genair_code tokenizer_finish(struct tokenizer *t, struct place place, genair_status *st) {
    const genair_code code = vocabulary_finish(&t->vocabulary, place, st);
    return code == GENAIR_OK ? find_bytes(t, place, st) : code;
}

genair_code tokenizer_set_begin(struct tokenizer *t, struct text text, struct place place,
                                genair_status *st) {
    char excerpt[TEXT_EXCERPT];
    t->begins = true;
    if (vocabulary_added(&t->vocabulary, text, &t->begin)) return GENAIR_OK;
    text_excerpt(text, excerpt);
    return fail_place(place, st, "the begin token \"%s\" is no special token of the model",
                      excerpt);
}

/* ---- looking at tokens ---- */

size_t tokenizer_size(const struct tokenizer *t) {
    return t->vocabulary.n;
}

struct text tokenizer_bytes(const struct tokenizer *t, uint32_t id) {
    return vocabulary_bytes(&t->vocabulary, id);
}

bool tokenizer_is_special(const struct tokenizer *t, uint32_t id) {
    return vocabulary_kind(&t->vocabulary, id) == TOKEN_SPECIAL;
}

bool tokenizer_begin(const struct tokenizer *t, uint32_t *id) {
    if (t->begins) *id = t->begin;
    return t->begins;
}

/* ---- the hash ---- */

static void hash_text(struct hasher *h, struct text text) {
    const uint64_t n = text.n;
    hasher_add(h, &n, sizeof n);
    if (text.n) hasher_add(h, text.p, text.n);
}

static void hash_rules(struct hasher *h, const struct tokenizer *t) {
    const struct bpe_rules *r = &t->rules;
    for (size_t i = 0; r->by_pairs && i < r->n_slots; i++)
        if (r->pairs[i].left != NO_TOKEN) hasher_add(h, &r->pairs[i], sizeof r->pairs[i]);
    if (t->rank) hasher_add(h, t->rank, t->vocabulary.n * sizeof *t->rank);
}

genair_code tokenizer_hash(const struct tokenizer *t, char out[33], genair_status *st) {
    const uint32_t settings[] = {t->alphabet, t->leading_space, t->whole_words, t->nfc,        t->begins,
                                 t->begins ? t->begin : 0,      t->chat,        t->chat_dates, t->rules.by_pairs};
    struct hasher *h = hasher_create();
    if (!h) return fail_memory(st);
    hasher_add(h, settings, sizeof settings);
    hash_text(h, t->chat_system ? text_of(t->chat_system) : (struct text){0});
    /* where the others do not tell it: hashes that are written down stay */
    if (t->pretokenizer && t->nfc != (t->expression == EXPRESSION_QWEN2)) hash_text(h, text_of(expressions[t->expression].name));
    for (uint32_t id = 0; id < t->vocabulary.n; id++) {
        const unsigned char kind = (unsigned char)vocabulary_kind(&t->vocabulary, id);
        hasher_add(h, &kind, 1);
        hash_text(h, vocabulary_bytes(&t->vocabulary, id));
    }
    hash_rules(h, t);
    hasher_finish(h, out);
    return GENAIR_OK;
}

/* ---- encoding ---- */

struct encoding {
    const struct tokenizer *t;
    struct tokens *out;
    struct bpe bpe;
};

/* Symbols that became no token: their bytes, each a token. */
static genair_code take_symbols(struct encoding *e, const char *text, genair_status *st) {
    const struct bpe *b = &e->bpe;
    genair_code code = GENAIR_OK;
    for (uint32_t i = b->n ? 0 : NO_TOKEN; i != NO_TOKEN && code == GENAIR_OK;
         i = b->symbols[i].next) {
        const struct bpe_symbol *s = &b->symbols[i];
        if (s->id != NO_TOKEN) {
            code = tokens_push(e->out, s->id, st);
            continue;
        }
        for (uint32_t k = s->start; k < s->end && code == GENAIR_OK; k++)
            code = tokens_push(e->out, e->t->byte[(unsigned char)text[k]], st);
    }
    return code;
}

/* take_piece of the pre-tokenizer */
static genair_code encode_bytes(void *user, struct text piece, genair_status *st) {
    struct encoding *e = user;
    const struct tokenizer *t = e->t;
    uint32_t id;
    if (piece.n == 1) return tokens_push(e->out, t->byte[(unsigned char)piece.p[0]], st);
    if (t->whole_words && vocabulary_find(&t->vocabulary, piece, &id))
        return tokens_push(e->out, id, st);
    e->bpe.n = 0;
    genair_code code = GENAIR_OK;
    for (uint32_t i = 0; i < piece.n && code == GENAIR_OK; i++)
        code = bpe_push(&e->bpe, i, i + 1, t->byte[(unsigned char)piece.p[i]], st);
    if (code == GENAIR_OK) code = bpe_merge(&e->bpe, &t->rules, piece.p, st);
    return code == GENAIR_OK ? take_symbols(e, piece.p, st) : code;
}

/* A symbol is a character to begin with. */
static genair_code encode_characters(struct encoding *e, struct text text, genair_status *st) {
    genair_code code = GENAIR_OK;
    e->bpe.n = 0;
    for (size_t i = 0, end; i < text.n && code == GENAIR_OK; i = end) {
        for (end = i + 1; end < text.n && ((unsigned char)text.p[end] & 0xC0) == 0x80;)
            end++;
        uint32_t id = NO_TOKEN;
        (void)vocabulary_find(&e->t->vocabulary, (struct text){text.p + i, end - i}, &id);
        code = bpe_push(&e->bpe, (uint32_t)i, (uint32_t)end, id, st);
    }
    if (code == GENAIR_OK) code = bpe_merge(&e->bpe, &e->t->rules, text.p, st);
    return code == GENAIR_OK ? take_symbols(e, text.p, st) : code;
}

static genair_code encode_sentencepiece(struct encoding *e, struct text text, genair_status *st) {
    char *spaced = mem_array(text.n + 1, 1);
    if (!spaced) return fail_memory(st);
    size_t n;
    (void)alphabet_decode(ALPHABET_SENTENCEPIECE, text, spaced + 1, &n);
    const bool space = e->t->leading_space && !(e->t->one_space && spaced[1] == ' ');
    spaced[0] = ' ';
    const genair_code code = encode_characters(e, (struct text){spaced + !space, n + space}, st);
    mem_free(spaced);
    return code;
}

/* Text without special tokens. */
static genair_code encode_stretch(struct encoding *e, struct text text, genair_status *st) {
    char *owned = NULL;
    if (!text.n) return GENAIR_OK;
    if (e->t->alphabet == ALPHABET_SENTENCEPIECE) return encode_sentencepiece(e, text, st);
    genair_code code = e->t->nfc ? unicode_nfc(text, &owned, &text, st) : GENAIR_OK;
    if (code == GENAIR_OK) code = pretokenizer_split(e->t->pretokenizer, text, encode_bytes, e, st);
    mem_free(owned);
    return code;
}

static genair_code encode_with_added(struct encoding *e, struct text text, genair_status *st) {
    genair_code code = GENAIR_OK;
    size_t from = 0;
    for (size_t at = 0; at < text.n && code == GENAIR_OK;) {
        uint32_t id;
        if (!vocabulary_added_prefix(&e->t->vocabulary, (struct text){text.p + at, text.n - at},
                                     &id)) {
            at++;
            continue;
        }
        code = encode_stretch(e, (struct text){text.p + from, at - from}, st);
        if (code == GENAIR_OK) code = tokens_push(e->out, id, st);
        from = at += vocabulary_bytes(&e->t->vocabulary, id).n;
    }
    return code == GENAIR_OK ? encode_stretch(e, (struct text){text.p + from, text.n - from}, st)
                             : code;
}

static genair_code encode(const struct tokenizer *t, struct text text, bool special,
                          struct tokens *out, genair_status *st) {
    enum { LONGEST = 1 << 30 }; /* positions are 32 bits, and NFC may lengthen a text */
    struct encoding e = {.t = t, .out = out};
    const size_t had = out->n;
    char *owned = NULL;
    if (text.n > LONGEST)
        return fail(st, GENAIR_USAGE, "a text of %zu bytes is too long for the model; at most %d",
                    text.n, LONGEST);
    genair_code code = unicode_repair(text, &owned, &text, st);
    if (code == GENAIR_OK)
        code = special ? encode_with_added(&e, text, st) : encode_stretch(&e, text, st);
    if (code != GENAIR_OK) out->n = had;
    bpe_deinit(&e.bpe);
    mem_free(owned);
    return code;
}

genair_code tokenizer_encode(const struct tokenizer *t, struct text text, struct tokens *out,
                             genair_status *st) {
    return encode(t, text, false, out, st);
}

genair_code tokenizer_encode_special(const struct tokenizer *t, struct text text,
                                     struct tokens *out, genair_status *st) {
    return encode(t, text, true, out, st);
}

/* ---- decoding ---- */

genair_code tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t n, bool whole,
                             char **text, size_t *n_bytes, genair_status *st) {
    size_t total = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        if (!tokenizer_is_special(t, ids[i]) &&
            !add_size(total, tokenizer_bytes(t, ids[i]).n, &total))
            return fail_memory(st);
    char *out = mem_array(total + 1, 1);
    if (!out) return fail_memory(st);
    for (size_t i = 0; i < n; i++) {
        struct text bytes = tokenizer_bytes(t, ids[i]);
        if (tokenizer_is_special(t, ids[i]) || !bytes.n) continue;
        if (whole && t->leading_space && bytes.p[0] == ' ')
            bytes = (struct text){bytes.p + 1, bytes.n - 1};
        whole = false;
        memcpy(out + at, bytes.p, bytes.n);
        at += bytes.n;
    }
    out[at] = '\0';
    *text = out;
    *n_bytes = at;
    return GENAIR_OK;
}
