/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as text for a byte-level, a normalising and a SentencePiece tokenizer: decoding what
 * was encoded gives the text back, ill-formed parts replaced. */
#include "fuzz.h"

#include "base/alloc.h"
#include "lm/tokenizer_parts.h"
#include "lm/unicode.h"

#include <string.h>
#include <utf8proc.h>

enum { BYTES, NORMALISING, PIECES, N_TOKENIZERS };

static void put(struct tokenizer *t, const char *text, enum token_kind kind, float score) {
    const struct place nowhere = {"fuzz", 0, -1};
    must(vocabulary_put(&t->vocabulary, t->vocabulary.n, text_of(text), kind, score, nowhere,
                        NULL) == GENAIR_OK);
}

static struct tokenizer *make(int which) {
    static const char *const tokens[] = {" ",  "  ", "he",   " t", " the",
                                         "an", "in", "\n\n", "12", "\xC3\xA9"};
    const struct place nowhere = {"fuzz", 0, -1};
    struct tokenizer *t = NULL;
    must(tokenizer_create(0, &t, NULL) == GENAIR_OK);
    t->alphabet = which == PIECES ? ALPHABET_SENTENCEPIECE : ALPHABET_BYTES;
    t->leading_space = which == PIECES;
    for (unsigned b = 0; b < 256; b++) {
        const char byte = (char)b;
        must(vocabulary_put(&t->vocabulary, b, (struct text){&byte, 1},
                            which == PIECES ? TOKEN_BYTE : TOKEN_NORMAL, 0, nowhere,
                            NULL) == GENAIR_OK);
    }
    for (size_t i = which != PIECES; i < sizeof tokens / sizeof *tokens; i++)
        put(t, tokens[i], TOKEN_NORMAL, -(float)(i / 2));
    put(t, "<|a|>", TOKEN_SPECIAL, 0);
    must(tokenizer_finish(t, nowhere, NULL) == GENAIR_OK);
    if (which == PIECES)
        must(sentencepiece_rank(t, NULL) == GENAIR_OK);
    else
        must(tokenizer_set_expression(t, which == BYTES ? EXPRESSION_LLAMA3 : EXPRESSION_QWEN2,
                                      NULL) == GENAIR_OK);
    return t;
}

/* What must come back; text is well-formed. */
static char *expected(int which, struct text text, size_t *n) {
    if (which == NORMALISING) { /* utf8proc's own normalisation, which ours must equal */
        utf8proc_int32_t *codes = mem_array(4 * text.n + 1, sizeof *codes);
        const utf8proc_ssize_t made =
            utf8proc_decompose((const utf8proc_uint8_t *)text.p, (utf8proc_ssize_t)text.n, codes,
                               (utf8proc_ssize_t)(4 * text.n), UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        must(made >= 0);
        const utf8proc_ssize_t bytes =
            utf8proc_reencode(codes, made, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        must(bytes >= 0);
        *n = (size_t)bytes;
        return (char *)codes;
    }
    char *copy = mem_text(text.p, text.n);
    must(copy != NULL);
    *n = text.n;
    if (which == PIECES) must(alphabet_decode(ALPHABET_SENTENCEPIECE, text, copy, n));
    return copy;
}

static void check(const struct tokenizer *t, int which, struct text text) {
    struct tokens plain = {0}, special = {0};
    char *owned = NULL, *back = NULL;
    size_t n_back, n_wanted;
    struct text repaired;
    must(unicode_repair(text, &owned, &repaired, NULL) == GENAIR_OK);
    must(text_utf8_prefix(repaired) == repaired.n);
    must(tokenizer_encode(t, text, &plain, NULL) == GENAIR_OK);
    must(tokenizer_encode_special(t, text, &special, NULL) == GENAIR_OK);
    for (size_t i = 0; i < plain.n; i++)
        must(plain.ids[i] < tokenizer_size(t) && !tokenizer_is_special(t, plain.ids[i]));
    must(tokenizer_decode(t, plain.ids, plain.n, true, &back, &n_back, NULL) == GENAIR_OK);
    char *wanted = expected(which, repaired, &n_wanted);
    must(n_back == n_wanted && memcmp(back, wanted, n_back) == 0);
    mem_free(wanted);
    mem_free(back);
    mem_free(owned);
    tokens_free(&plain);
    tokens_free(&special);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct tokenizer *tokenizers[N_TOKENIZERS];
    for (int i = 0; i < N_TOKENIZERS; i++) {
        if (!tokenizers[i]) tokenizers[i] = make(i);
        check(tokenizers[i], i, (struct text){(const char *)data, size});
    }
    return 0;
}
