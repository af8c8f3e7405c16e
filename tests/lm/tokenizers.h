/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes small tokenizers of every form for the tests. */
#ifndef GENAIR_TESTS_LM_TOKENIZERS_H
#define GENAIR_TESTS_LM_TOKENIZERS_H

#include "support/scratch.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "lm/tokenizer.h"

#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#define QWEN2_REGEX                                                                                \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+"      \
    "[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* A new empty directory; the caller's, mem_free. */
static inline char *tokenizer_directory(const char *name) {
    char *path = scratch_path(name);
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

static inline void write_file(const char *directory, const char *name, const void *bytes,
                              size_t n) {
    char *path = path_join(directory, name);
    scratch_write(path, bytes, n);
    mem_free(path);
}

static inline void write_json(const char *directory, const char *name, json_t *value) {
    char *text = json_dumps(value, JSON_COMPACT);
    assert_non_null(text);
    write_file(directory, name, text, strlen(text));
    free(text);
    json_decref(value);
}

/* GPT-2's character for a byte, as UTF-8. */
static inline size_t byte_character(unsigned char byte, char out[4]) {
    unsigned code = byte, k = 0;
    for (unsigned b = 0; b < 256; b++) {
        const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (!printable && b == byte) code = 256 + k;
        k += !printable;
    }
    return text_put_utf8(code, out);
}

/* Text in that alphabet; out: 3 bytes a byte. */
static inline const char *in_bytes(const char *text, char *out) {
    size_t n = 0;
    for (; *text; text++)
        n += byte_character((unsigned char)*text, out + n);
    out[n] = '\0';
    return out;
}

/* tokenizer.json of a byte-level model: bytes are tokens 0 to 255, then what merges make, pairs
 * "left right" (a space in a token is written '_'), then the special tokens. */
struct bytes_model {
    const char *const *merges; /* NULL at the end */
    const char *const *more;   /* tokens that no merge makes */
    const char *const *special;
    bool merges_as_pairs, whole_words, nfc;
};

static inline void plain_space(char *s) {
    for (; *s; s++)
        if (*s == '_') *s = ' ';
}

static inline json_t *bytes_json(const struct bytes_model *m) {
    json_t *vocab = json_object(), *merges = json_array(), *added = json_array();
    json_int_t id = 0;
    char left[64], right[64], both[128], a[192], b[192], c[384];
    for (unsigned byte = 0; byte < 256; byte++) {
        char key[5] = {0};
        byte_character((unsigned char)byte, key);
        json_object_set_new(vocab, key, json_integer(id++));
    }
    for (size_t i = 0; m->merges && m->merges[i]; i++) {
        assert_int_equal(sscanf(m->merges[i], "%63s %63s", left, right), 2);
        plain_space(left);
        plain_space(right);
        snprintf(both, sizeof both, "%s%s", left, right);
        in_bytes(left, a);
        in_bytes(right, b);
        if (!json_object_get(vocab, in_bytes(both, c)))
            json_object_set_new(vocab, c, json_integer(id++));
        json_array_append_new(merges, m->merges_as_pairs ? json_pack("[s, s]", a, b)
                                                         : json_sprintf("%s %s", a, b));
    }
    for (size_t i = 0; m->more && m->more[i]; i++)
        json_object_set_new(vocab, in_bytes(m->more[i], c), json_integer(id++));
    for (size_t i = 0; m->special && m->special[i]; i++)
        json_array_append_new(added, json_pack("{s:I, s:s, s:b}", "id", id++, "content",
                                               m->special[i], "special", 1));
    return json_pack(
        "{s:o, s:o, s:{s:s, s:[{s:s, s:{s:s}, s:s}, {s:s, s:b}]}, s:{s:s, s:b, s:o, s:o}}",
        "added_tokens", added, "normalizer",
        m->nfc ? json_pack("{s:s}", "type", "NFC") : json_null(), "pre_tokenizer", "type",
        "Sequence", "pretokenizers", "type", "Split", "pattern", "Regex", QWEN2_REGEX, "behavior",
        "Isolated", "type", "ByteLevel", "use_regex", 0, "model", "type", "BPE", "ignore_merges",
        m->whole_words, "vocab", vocab, "merges", merges);
}

/* ---- tokenizer.model of SentencePiece ---- */

struct piece {
    const char *text;
    float score;
    unsigned char type; /* 1 normal, 4 user defined, 5 unused */
};

struct protobuf {
    unsigned char bytes[1 << 15];
    size_t n;
};

static inline void put_field(struct protobuf *m, unsigned char number, const void *bytes,
                             size_t n) {
    m->bytes[m->n++] = (unsigned char)(number << 3 | 2);
    assert_true(n < 128);
    m->bytes[m->n++] = (unsigned char)n;
    memcpy(m->bytes + m->n, bytes, n);
    m->n += n;
}

static inline void put_piece(struct protobuf *m, const char *text, float score,
                             unsigned char type) {
    unsigned char piece[64] = {1 << 3 | 2, (unsigned char)strlen(text)};
    size_t n = 2 + strlen(text);
    uint32_t bits;
    memcpy(piece + 2, text, strlen(text));
    memcpy(&bits, &score, sizeof bits);
    piece[n++] = 2 << 3 | 5;
    bytes_put_u32(piece + n, bits);
    n += 4;
    piece[n++] = 3 << 3 | 0;
    piece[n++] = type;
    put_field(m, 1, piece, n);
}

/* <unk> <s> </s> are 0 to 2, bytes 3 to 258, pieces from 259 on. model_type: 2 BPE. squeeze: with
 * remove_extra_whitespaces. */
static inline struct protobuf sentencepiece(const struct piece *pieces, size_t n_pieces,
                                            unsigned char model_type, bool squeeze) {
    struct protobuf m = {.n = 0};
    const unsigned char trainer[] = {3 << 3, model_type}, normalizer[] = {4 << 3, squeeze};
    put_piece(&m, "<unk>", 0, 2);
    put_piece(&m, "<s>", 0, 3);
    put_piece(&m, "</s>", 0, 3);
    for (unsigned b = 0; b < 256; b++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", b);
        put_piece(&m, name, 0, 6);
    }
    for (size_t i = 0; i < n_pieces; i++)
        put_piece(&m, pieces[i].text, pieces[i].score, pieces[i].type);
    put_field(&m, 2, trainer, sizeof trainer);
    put_field(&m, 3, normalizer, sizeof normalizer);
    return m;
}

/* ---- looking ---- */

static inline struct tokenizer *open_tokenizer(const char *directory) {
    struct tokenizer *t = NULL;
    genair_status st = {0};
    if (tokenizer_open_directory(directory, 0, &t, &st) != GENAIR_OK) fail_msg("%s", st.message);
    return t;
}

/* Ids as text, "1 2 3", in a buffer of the caller. */
static inline const char *say(const struct tokens *t, char *out, size_t size) {
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < t->n && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, i ? " %u" : "%u", (unsigned)t->ids[i]);
    return out;
}

static inline void assert_ids(const struct tokenizer *t, const char *text, bool special,
                              const char *expected) {
    struct tokens found = {0};
    char line[512];
    assert_int_equal(
        (special ? tokenizer_encode_special : tokenizer_encode)(t, text_of(text), &found, NULL),
        GENAIR_OK);
    assert_string_equal(say(&found, line, sizeof line), expected);
    tokens_free(&found);
}

#endif
