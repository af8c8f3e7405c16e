/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer in a GGUF file's metadata, keys tokenizer.ggml.…: tokens in the order of their
 * numbers; SentencePiece
 * ("llama") with scores and piece types, byte-level BPE ("gpt2") with merges and the expression's
 * name ("pre"). */
#include "lm/tokenizer_parts.h"

#include "base/alloc.h"

#include <string.h>

#define KEY(name) "tokenizer.ggml." name

struct source {
    const struct gguf *g;
    struct text *tokens, *merges;
    double *scores, *types;
    size_t n, n_merges;
};

static struct place place_of(const struct gguf *g, const char *key) {
    const struct gguf_value *v = gguf_find(g, key);
    return (struct place){g->path, 0, v ? v->offset : -1};
}

static genair_code check_count(const struct source *s, const char *key, size_t n,
                               genair_status *st) {
    if (n == s->n) return GENAIR_OK;
    return fail_place(place_of(s->g, key), st,
                      "%s has %zu values for %zu tokens; the file is damaged", key, n, s->n);
}

static genair_code read_arrays(struct source *s, bool pieces, genair_status *st) {
    size_t n_scores = 0, n_types = 0;
    genair_code code = gguf_texts(s->g, KEY("tokens"), true, &s->tokens, &s->n, st);
    if (code == GENAIR_OK && !s->n)
        code = fail_place(place_of(s->g, KEY("tokens")), st,
                          "the list of tokens is empty; the file is damaged");
    if (code == GENAIR_OK)
        code = gguf_numbers(s->g, KEY("token_type"), pieces, &s->types, &n_types, st);
    if (code == GENAIR_OK && s->types) code = check_count(s, KEY("token_type"), n_types, st);
    if (code == GENAIR_OK && pieces)
        code = gguf_numbers(s->g, KEY("scores"), true, &s->scores, &n_scores, st);
    if (code == GENAIR_OK && pieces) code = check_count(s, KEY("scores"), n_scores, st);
    if (code == GENAIR_OK && !pieces)
        code = gguf_texts(s->g, KEY("merges"), true, &s->merges, &s->n_merges, st);
    return code;
}

static genair_code put_bytes_token(struct tokenizer *t, uint64_t id, struct text text,
                                   uint64_t type, struct place place, genair_status *st) {
    if (type == PIECE_CONTROL || type == PIECE_UNKNOWN || type == PIECE_USER_DEFINED)
        return vocabulary_add(&t->vocabulary, id, text, type != PIECE_USER_DEFINED, place, st);
    if (type == PIECE_UNUSED)
        return vocabulary_put(&t->vocabulary, id, text, TOKEN_UNUSED, 0, place, st);
    return alphabet_put(t, id, text, 0, place, st);
}

static genair_code put_tokens(struct tokenizer *t, const struct source *s, genair_status *st) {
    const struct place place = place_of(s->g, KEY("tokens"));
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < s->n && code == GENAIR_OK; i++) {
        const double type = s->types ? s->types[i] : PIECE_NORMAL;
        if (!(type >= PIECE_NORMAL && type <= PIECE_BYTE))
            return fail_place(place_of(s->g, KEY("token_type")), st,
                              "token %zu is of the unknown type %g", i, type);
        code = t->alphabet == ALPHABET_BYTES
                   ? put_bytes_token(t, i, s->tokens[i], (uint64_t)type, place, st)
                   : sentencepiece_put(t, i, s->tokens[i], (float)s->scores[i], (uint64_t)type,
                                       place, st);
    }
    return code == GENAIR_OK ? tokenizer_finish(t, place, st) : code;
}

/* A normaliser of another family's. */
static genair_code check_normaliser(const struct gguf *g, genair_status *st) {
    static const char key[] = KEY("precompiled_charsmap");
    const struct gguf_value *v = gguf_find(g, key);
    return v && v->n ? fail_place(place_of(g, key), st, "%s is not supported: text is taken as it is", key) : GENAIR_OK;
}

static genair_code put_merges(struct tokenizer *t, const struct source *s, genair_status *st) {
    const struct place place = place_of(s->g, KEY("merges"));
    genair_code code = bpe_pairs_create(&t->rules, s->n_merges, st);
    for (size_t i = 0; i < s->n_merges && code == GENAIR_OK; i++)
        code = alphabet_put_merge_line(t, (uint32_t)i, s->merges[i], place, st);
    return code;
}

static genair_code set_expression(struct tokenizer *t, const struct gguf *g, genair_status *st) {
    struct text name = {0};
    enum expression e;
    char excerpt[TEXT_EXCERPT];
    const genair_code code = gguf_text(g, KEY("pre"), true, &name, st);
    if (code != GENAIR_OK) return code;
    if (expression_of_gguf(name, &e)) {
        t->whole_words = e == EXPRESSION_LLAMA3; /* ignore_merges has no key of its own */
        return tokenizer_set_expression(t, e, st);
    }
    text_excerpt(name, excerpt);
    return fail_place(
        place_of(g, KEY("pre")), st,
        "the pre-tokenizer \"%s\" is not supported: llama-bpe (Llama 3) and qwen2 are", excerpt);
}

/* Numbers of single tokens; *id stays when the key is missing. */
static genair_code read_id(const struct tokenizer *t, const struct gguf *g, const char *key,
                           uint64_t *id, genair_status *st) {
    const genair_code code = gguf_u64(g, key, false, id, st);
    if (code != GENAIR_OK || *id == NO_TOKEN || *id < t->vocabulary.n) return code;
    return fail_place(place_of(g, key), st,
                      "%s is %llu, but there are %zu tokens; the file is damaged", key,
                      (unsigned long long)*id, t->vocabulary.n);
}

static genair_code read_ids(struct tokenizer *t, const struct gguf *g, genair_status *st) {
    static const char *const others[] = {KEY("eos_token_id"), KEY("unknown_token_id"),
                                         KEY("padding_token_id")};
    uint64_t begin = NO_TOKEN;
    genair_code code = read_id(t, g, KEY("bos_token_id"), &begin, st);
    for (size_t i = 0; i < sizeof others / sizeof *others && code == GENAIR_OK; i++) {
        uint64_t id = NO_TOKEN;
        code = read_id(t, g, others[i], &id, st);
    }
    if (code == GENAIR_OK) code = gguf_bool(g, KEY("add_bos_token"), false, &t->begins, st);
    t->begins = t->begins && begin != NO_TOKEN;
    t->begin = (uint32_t)begin;
    return code;
}

static genair_code read_all(struct tokenizer *t, struct source *s, genair_status *st) {
    struct text model = {0}, template = {0};
    char excerpt[TEXT_EXCERPT];
    genair_code code = gguf_text(s->g, KEY("model"), true, &model, st);
    if (code != GENAIR_OK) return code;
    const bool pieces = text_equal(model, "llama");
    if (!pieces && !text_equal(model, "gpt2")) {
        text_excerpt(model, excerpt);
        return fail_place(place_of(s->g, KEY("model")), st,
                          "the tokenizer \"%s\" is not supported: llama (SentencePiece) and gpt2 "
                          "(byte-level BPE) are",
                          excerpt);
    }
    t->alphabet = pieces ? ALPHABET_SENTENCEPIECE : ALPHABET_BYTES;
    t->leading_space = t->begins = pieces;
    code = check_normaliser(s->g, st);
    if (code == GENAIR_OK) code = read_arrays(s, pieces, st);
    if (code == GENAIR_OK) code = put_tokens(t, s, st);
    if (code == GENAIR_OK) code = pieces ? sentencepiece_rank(t, st) : put_merges(t, s, st);
    if (code == GENAIR_OK && !pieces) code = set_expression(t, s->g, st);
    if (code == GENAIR_OK && pieces)
        code = gguf_bool(s->g, KEY("add_space_prefix"), false, &t->leading_space, st);
    if (code == GENAIR_OK) code = read_ids(t, s->g, st);
    if (code == GENAIR_OK) code = gguf_text(s->g, "tokenizer.chat_template", false, &template, st);
    return code == GENAIR_OK ? chat_recognise(t, template, st) : code;
}

genair_code tokenizer_open_gguf(const struct gguf *g, size_t n_vocabulary, struct tokenizer **out,
                                genair_status *st) {
    struct source s = {.g = g};
    struct tokenizer *t = NULL;
    genair_code code = tokenizer_create(n_vocabulary, &t, st);
    if (code == GENAIR_OK) code = read_all(t, &s, st);
    if (code == GENAIR_OK && n_vocabulary && s.n != n_vocabulary)
        code = fail_place(place_of(g, KEY("tokens")), st,
                          "%zu tokens, but the embedding has %zu rows; the file is damaged", s.n,
                          n_vocabulary);
    mem_free(s.tokens);
    mem_free(s.merges);
    mem_free(s.scores);
    mem_free(s.types);
    if (code == GENAIR_OK)
        *out = t;
    else
        tokenizer_free(t);
    return code;
}
