/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.model of Llama 3: tiktoken's ranks, a line a token, its bytes in base64 (RFC 4648), a
 * space, its number. Any two neighbours whose bytes together are a token merge, the lowest number
 * first. */
#include "lm/tokenizer_parts.h"

#include "base/alloc.h"
#include "base/input.h"

#include <string.h>

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Into out, which has room for text.n bytes; false for what is not base64 with its padding. */
static bool base64_decode(struct text text, char *out, size_t *n) {
    if (!text.n || text.n % 4) return false;
    size_t pad = 0;
    while (pad < 2 && text.p[text.n - 1 - pad] == '=')
        pad++;
    unsigned bits = 0, n_bits = 0;
    *n = 0;
    for (size_t i = 0; i < text.n - pad; i++) {
        const int digit = base64_digit(text.p[i]);
        if (digit < 0) return false;
        bits = (bits << 6 | (unsigned)digit) & 0xFFFF;
        n_bits += 6;
        if (n_bits < 8) continue;
        n_bits -= 8;
        out[(*n)++] = (char)(bits >> n_bits & 255);
    }
    return (bits & ((1U << n_bits) - 1)) == 0; /* digits that say more than the bytes */
}

static genair_code read_line(struct tokenizer *t, struct text line, char *bytes, struct place place,
                             genair_status *st) {
    const char *space = memchr(line.p, ' ', line.n);
    const size_t n_code = space ? (size_t)(space - line.p) : line.n;
    int64_t rank;
    size_t n;
    if (!space || !base64_decode((struct text){line.p, n_code}, bytes, &n) ||
        !text_i64((struct text){space + 1, line.n - n_code - 1}, &rank) || rank < 0)
        return fail_place(
            place, st,
            "not a token in base64 and its rank; the file is damaged, or not a tokenizer");
    return vocabulary_put(&t->vocabulary, (uint64_t)rank, (struct text){bytes, n}, TOKEN_NORMAL, 0,
                          place, st);
}

enum { LINE_MAX_BYTES = 1 << 20 };

static genair_code read_lines(struct tokenizer *t, struct input *in, genair_status *st) {
    char *bytes = NULL;
    size_t capacity = 0;
    struct text line;
    bool more = true;
    genair_code code;
    while ((code = input_line(in, &line, &more, st)) == GENAIR_OK && more) {
        const struct place place = {input_path(in), input_line_number(in), -1};
        if (!mem_grow(&bytes, &capacity, line.n, 1))
            code = fail_memory(st);
        else if (line.n)
            code = read_line(t, line, bytes, place, st);
        if (code != GENAIR_OK) break;
    }
    mem_free(bytes);
    return code;
}

genair_code tiktoken_read(struct tokenizer *t, const char *path, const json_t *config,
                          const char *config_path, genair_status *st) {
    struct input *in = NULL;
    t->alphabet = ALPHABET_BYTES;
    t->whole_words = true;
    genair_code code = input_open(path, LINE_MAX_BYTES, &in, st);
    if (code == GENAIR_OK) code = read_lines(t, in, st);
    input_close(in);
    if (code == GENAIR_OK) code = config_add_tokens(t, config, config_path, st);
    if (code == GENAIR_OK) code = tokenizer_finish(t, (struct place){path, 0, -1}, st);
    return code == GENAIR_OK ? tokenizer_set_expression(t, EXPRESSION_LLAMA3, st) : code;
}
