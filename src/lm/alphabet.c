/* SPDX-License-Identifier: Apache-2.0 */
/* How tokens are written in files.
 *
 * SentencePiece: UTF-8 with U+2581 for a space. We keep spaces, in tokens and in text, which leads
 * to the same tokens. Byte-level BPE (GPT-2, Radford et al., 2019): 188 bytes that are printable in
 * Latin-1 are written as themselves, the other 68 in ascending order as U+0100, U+0101, … */
#include "lm/tokenizer_parts.h"

#include "base/alloc.h"
#include "base/size.h"

#include <string.h>
#include <utf8proc.h>

static int byte_of(utf8proc_int32_t c) {
    if ((c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255)) return c;
    const int k = c - 256;
    if (k < 0 || k >= 33 + 34 + 1) return -1;
    return k < 33 ? k : k < 67 ? k - 33 + 127 : 173;
}

static bool decode_bytes(struct text text, char *out, size_t *n) {
    *n = 0;
    for (size_t i = 0; i < text.n;) {
        utf8proc_int32_t c;
        const utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)text.p + i,
                                                       (utf8proc_ssize_t)(text.n - i), &c);
        const int byte = step > 0 ? byte_of(c) : -1;
        if (byte < 0) return false;
        out[(*n)++] = (char)byte;
        i += (size_t)step;
    }
    return true;
}

bool alphabet_decode(enum alphabet alphabet, struct text text, char *out, size_t *n) {
    static const char mark[] = "\xE2\x96\x81";
    enum { MARK_BYTES = 3 };
    if (alphabet == ALPHABET_BYTES) return decode_bytes(text, out, n);
    size_t made = 0;
    for (size_t i = 0; i < text.n;) {
        if (text.n - i >= MARK_BYTES && memcmp(text.p + i, mark, MARK_BYTES) == 0) {
            out[made++] = ' ';
            i += MARK_BYTES;
        } else {
            out[made++] = text.p[i++];
        }
    }
    *n = made;
    return true;
}

genair_code alphabet_put(struct tokenizer *t, uint64_t id, struct text text, float score,
                         struct place place, genair_status *st) {
    char excerpt[TEXT_EXCERPT];
    char *bytes = mem_array(text.n, 1);
    if (!bytes) return fail_memory(st);
    genair_code code;
    size_t n;
    if (alphabet_decode(t->alphabet, text, bytes, &n)) {
        code = vocabulary_put(&t->vocabulary, id, (struct text){bytes, n}, TOKEN_NORMAL, score,
                              place, st);
    } else {
        text_excerpt(text, excerpt);
        code = fail_place(place, st,
                          "token \"%s\" is not written in the alphabet of byte-level tokenizers",
                          excerpt);
    }
    mem_free(bytes);
    return code;
}

genair_code alphabet_put_byte(struct tokenizer *t, uint64_t id, struct text name,
                              struct place place, genair_status *st) {
    char excerpt[TEXT_EXCERPT];
    if (name.n == 6 && memcmp(name.p, "<0x", 3) == 0 && name.p[5] == '>') {
        const int high = text_hex_digit(name.p[3]), low = text_hex_digit(name.p[4]);
        const char byte = (char)(high * 16 + low);
        if (high >= 0 && low >= 0)
            return vocabulary_put(&t->vocabulary, id, (struct text){&byte, 1}, TOKEN_BYTE, 0, place,
                                  st);
    }
    text_excerpt(name, excerpt);
    return fail_place(place, st,
                      "a byte token is called \"%s\", not <0x00> to <0xFF>; the file is damaged",
                      excerpt);
}

static genair_code merge_wrong(struct place place, uint32_t rank, struct text text,
                               const char *what, genair_status *st) {
    char excerpt[TEXT_EXCERPT];
    text_excerpt(text, excerpt);
    return fail_place(place, st, "merge %u: \"%s\" %s; the file is damaged", (unsigned)rank,
                      excerpt, what);
}

genair_code alphabet_put_merge(struct tokenizer *t, uint32_t rank, struct text left,
                               struct text right, struct place place, genair_status *st) {
    struct pair pair = {.rank = rank};
    size_t n_left, n_right, capacity;
    if (!add_size(left.n, right.n, &capacity)) return fail_memory(st);
    char *bytes = mem_array(capacity, 1);
    if (!bytes) return fail_memory(st);
    genair_code code = GENAIR_OK;
    if (!alphabet_decode(t->alphabet, left, bytes, &n_left) ||
        !vocabulary_find(&t->vocabulary, (struct text){bytes, n_left}, &pair.left))
        code = merge_wrong(place, rank, left, "is no token", st);
    else if (!alphabet_decode(t->alphabet, right, bytes + n_left, &n_right) ||
             !vocabulary_find(&t->vocabulary, (struct text){bytes + n_left, n_right}, &pair.right))
        code = merge_wrong(place, rank, right, "is no token", st);
    else if (!vocabulary_find(&t->vocabulary, (struct text){bytes, n_left + n_right}, &pair.merged))
        code = merge_wrong(place, rank, (struct text){bytes, n_left + n_right},
                           "is what it makes, which is no token", st);
    else if (!bpe_pairs_put(&t->rules, pair))
        code = merge_wrong(place, rank, (struct text){bytes, n_left + n_right},
                           "is made by an earlier merge of the same pair", st);
    mem_free(bytes);
    return code;
}

genair_code alphabet_put_merge_line(struct tokenizer *t, uint32_t rank, struct text line,
                                    struct place place, genair_status *st) {
    const char *space = line.n ? memchr(line.p, ' ', line.n) : NULL;
    if (!space || space == line.p || space + 1 == line.p + line.n)
        return merge_wrong(place, rank, line, "is not two parts with a space between them", st);
    const size_t n = (size_t)(space - line.p);
    return alphabet_put_merge(t, rank, (struct text){line.p, n},
                              (struct text){space + 1, line.n - n - 1}, place, st);
}
