/* SPDX-License-Identifier: Apache-2.0 */
/* Tokenizers on small vocabularies; the published ones are checked by golden_lm. */
#include "lm/tokenizers.h"

#include "base/rng.h"
#include "lm/bpe.h"

static const char *const merges[] = {"h e", "_ t", "_t he", "a n", "i n", NULL};
static const char *const special[] = {"<a>", "<a><b>", "<c>", NULL};

static struct tokenizer *bytes_tokenizer(const char *name, const struct bytes_model *m) {
    char *directory = tokenizer_directory(name);
    write_json(directory, "tokenizer.json", bytes_json(m));
    struct tokenizer *t = open_tokenizer(directory);
    mem_free(directory);
    return t;
}

static void merges_go_by_rank(void **state) {
    (void)state;
    for (int pairs = 0; pairs < 2; pairs++) {
        const struct bytes_model m = {.merges = merges, .merges_as_pairs = pairs};
        struct tokenizer *t = bytes_tokenizer(pairs ? "pairs" : "lines", &m);
        assert_int_equal(tokenizer_size(t), 261);
        assert_ids(t, "", false, "");
        assert_ids(t, "the", false, "116 256");
        assert_ids(t, " the", false, "258");
        assert_ids(t, "in the an", false, "260 258 32 259");
        assert_ids(t, "\xC3\xA9", false, "195 169");
        tokenizer_free(t);
    }
}

static void whole_words_need_no_merges(void **state) {
    (void)state;
    static const char *const more[] = {"xyz", NULL};
    struct bytes_model m = {.merges = merges, .more = more, .whole_words = true};
    struct tokenizer *t = bytes_tokenizer("whole", &m);
    assert_ids(t, "xyz", false, "261");
    assert_ids(t, "xyzx", false, "120 121 122 120");
    tokenizer_free(t);
    m.whole_words = false;
    t = bytes_tokenizer("parts", &m);
    assert_ids(t, "xyz", false, "120 121 122");
    tokenizer_free(t);
}

static void special_tokens_only_where_asked_for(void **state) {
    (void)state;
    const struct bytes_model m = {.merges = merges, .special = special};
    struct tokenizer *t = bytes_tokenizer("special", &m);
    assert_ids(t, "<c>", false, "60 99 62");
    assert_ids(t, "x<c>he<a><c>", true, "120 263 256 261 263");
    assert_ids(t, "<a><b><a><b", true, "262 261 60 98"); /* the longest of those that begin there */
    assert_ids(t, "<<a", true, "60 60 97");
    assert_true(tokenizer_is_special(t, 263) && !tokenizer_is_special(t, 256) &&
                !tokenizer_is_special(t, 9999));
    assert_true(text_equal(tokenizer_bytes(t, 262), "<a><b>"));
    assert_int_equal(tokenizer_bytes(t, 9999).n, 0);
    tokenizer_free(t);
}

static void nfc_where_the_file_asks(void **state) {
    (void)state;
    struct bytes_model m = {.merges = merges, .nfc = true};
    struct tokenizer *t = bytes_tokenizer("nfc", &m);
    assert_ids(t, "e\xCC\x81", false, "195 169");                     /* e + U+0301 */
    assert_ids(t, "a\xCC\x81\xCC\xA3", false, "225 186 161 204 129"); /* marks in canonical order */
    assert_ids(t, "\xE1\x84\x80\xE1\x85\xA1", false, "234 176 128");  /* Hangul */
    assert_ids(t, "\xEA\xB0\x80\xE1\x86\xA8", false, "234 176 129");  /* and a trailing consonant */
    assert_ids(t, "\xEA\xB0\x80\xE1\x86\xA7\xE1\x86\xA7", false, "234 176 128 225 134 167 225 134 167"); /* U+11A7 is none */
    tokenizer_free(t);
    m.nfc = false;
    t = bytes_tokenizer("no-nfc", &m);
    assert_ids(t, "e\xCC\x81", false, "101 204 129");
    tokenizer_free(t);
}

static void ill_formed_text_is_replaced(void **state) {
    (void)state;
    const struct bytes_model m = {.merges = merges};
    struct tokenizer *t = bytes_tokenizer("ill-formed", &m);
    assert_ids(t, "\xFFhe\xE2\x82", false, "239 191 189 256 239 191 189");
    assert_ids(t, "\xF0\x9F\x98\xED\xA0", false, "239 191 189 239 191 189 239 191 189");
    tokenizer_free(t);
}

/* A million characters that are one piece, and marks in the wrong order: quadratic work would take
 * hours. */
static void long_texts_are_no_trouble(void **state) {
    (void)state;
    static const char *const units[] = {"he", " ", "\n ", "\xCC\x81\xCC\xA3"};
    enum { BYTES = 1 << 20 };
    const struct bytes_model m = {.merges = merges, .nfc = true};
    struct tokenizer *t = bytes_tokenizer("long", &m);
    char *text = mem_array(BYTES, 1);
    for (size_t u = 0; u < 4; u++) {
        const size_t n = strlen(units[u]);
        struct tokens found = {0};
        for (size_t i = 0; i < BYTES; i++)
            text[i] = units[u][i % n];
        assert_int_equal(tokenizer_encode(t, (struct text){text, BYTES}, &found, NULL), GENAIR_OK);
        assert_int_equal(found.n, u == 0 ? BYTES / 2 : BYTES);
        tokens_free(&found);
    }
    mem_free(text);
    tokenizer_free(t);
}

/* ---- merging against its definition ---- */

/* Again and again the pair of the lowest rank, of equals the leftmost. */
static size_t naive(const struct bpe_rules *rules, const char *text, uint32_t *ids, size_t n) {
    size_t start[65];
    for (size_t i = 0; i <= n; i++)
        start[i] = i;
    for (;;) {
        uint32_t best = NO_TOKEN, merged = 0;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            uint32_t id = NO_TOKEN, rank = NO_TOKEN;
            if (rules->by_pairs) {
                for (size_t k = 0; k < rules->n_slots; k++)
                    if (rules->pairs[k].left == ids[i] && rules->pairs[k].right == ids[i + 1])
                        id = rules->pairs[k].merged, rank = rules->pairs[k].rank;
            } else if (vocabulary_find(rules->vocabulary,
                                       (struct text){text + start[i], start[i + 2] - start[i]},
                                       &id)) {
                rank = rules->rank[id];
            }
            if (rank < best) best = rank, at = i, merged = id;
        }
        if (best == NO_TOKEN) return n;
        ids[at] = merged;
        memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof *ids);
        memmove(start + at + 1, start + at + 2, (n - at - 1) * sizeof *start);
        n--;
    }
}

static void compare_with_naive(const struct bpe_rules *rules, struct rng *r) {
    enum { LENGTH = 48 };
    struct bpe b = {0};
    for (int trial = 0; trial < 300; trial++) {
        char text[LENGTH];
        uint32_t ids[LENGTH];
        const size_t n = 1 + rng_below(r, LENGTH);
        b.n = 0;
        for (uint32_t i = 0; i < n; i++) {
            text[i] = (char)('a' + rng_below(r, 3));
            ids[i] = (uint32_t)(text[i] - 'a');
            assert_int_equal(bpe_push(&b, i, i + 1, ids[i], NULL), GENAIR_OK);
        }
        assert_int_equal(bpe_merge(&b, rules, text, NULL), GENAIR_OK);
        const size_t n_expected = naive(rules, text, ids, n);
        size_t k = 0;
        for (uint32_t i = 0; i != NO_TOKEN; i = b.symbols[i].next, k++) {
            assert_true(k < n_expected);
            assert_int_equal(b.symbols[i].id, ids[k]);
        }
        assert_int_equal(k, n_expected);
    }
    bpe_deinit(&b);
}

/* Tokens are made by joining two that are there. */
static void merging_equals_the_definition(void **state) {
    (void)state;
    enum { TOKENS = 40 };
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct rng r = rng_start(seed, RNG_TEST, 0);
        struct vocabulary v = {.limit = TOKENS};
        const struct place nowhere = {"test", 0, -1};
        char names[TOKENS][64] = {"a", "b", "c"};
        uint32_t rank[TOKENS];
        struct bpe_rules by_token = {.vocabulary = &v, .rank = rank}, by_pair = {.vocabulary = &v};
        struct pair pairs[TOKENS];
        uint32_t n = 3;
        while (n < TOKENS) {
            const uint32_t left = (uint32_t)rng_below(&r, n), right = (uint32_t)rng_below(&r, n);
            bool known = strlen(names[left]) + strlen(names[right]) > 8;
            snprintf(names[n], sizeof names[n], "%.31s%.31s", names[left], names[right]);
            for (uint32_t i = 0; i < n; i++)
                known = known || strcmp(names[i], names[n]) == 0;
            if (known) continue;
            pairs[n] = (struct pair){left, right, n, n};
            n++;
        }
        for (uint32_t i = 0; i < n; i++) {
            rank[i] = (uint32_t)rng_below(&r, 5); /* many are equal */
            assert_int_equal(
                vocabulary_put(&v, i, text_of(names[i]), TOKEN_NORMAL, 0, nowhere, NULL),
                GENAIR_OK);
        }
        assert_int_equal(vocabulary_finish(&v, nowhere, NULL), GENAIR_OK);
        assert_int_equal(bpe_pairs_create(&by_pair, n, NULL), GENAIR_OK);
        for (uint32_t i = 3; i < n; i++)
            assert_true(bpe_pairs_put(&by_pair, pairs[i]));
        compare_with_naive(&by_token, &r);
        compare_with_naive(&by_pair, &r);
        mem_free(by_pair.pairs);
        vocabulary_deinit(&v);
    }
}

/* ---- SentencePiece ---- */

#define MARK "\xE2\x96\x81"
static const struct piece pieces[] = {{MARK, -9, 1},  {"a", -9, 1},      {"b", -9, 1},
                                      {"ab", -2, 1},  {"ba", -2, 1},     {MARK "a", -1, 1},
                                      {"bab", -3, 5}, {"<x>", 0, 4},     {"c", -9, 1},
                                      {"abc", -4, 1}, {MARK MARK, -5, 1}};

static struct tokenizer *pieces_tokenizer(const char *name) {
    char *directory = tokenizer_directory(name);
    const struct protobuf m = sentencepiece(pieces, sizeof pieces / sizeof *pieces, 2, false);
    write_file(directory, "tokenizer.model", m.bytes, m.n);
    struct tokenizer *t = open_tokenizer(directory);
    mem_free(directory);
    return t;
}

static void sentencepiece_merges_by_score(void **state) {
    (void)state;
    struct tokenizer *t = pieces_tokenizer("pieces");
    uint32_t begin = 0;
    assert_true(tokenizer_begin(t, &begin) && begin == 1);
    assert_ids(t, "", false, "");
    assert_ids(t, "a", false, "264");
    assert_ids(t, "ab", false, "264 261"); /* " a" before "ab" */
    assert_ids(t, "bab", false,
               "259 263 261"); /* of equal scores the leftmost; "bab" is not in use */
    assert_ids(t, "babc", false, "259 263 261 267");
    assert_ids(t, "z", false, "259 125");          /* no token: its byte */
    assert_ids(t, " " MARK "a", false, "269 264"); /* U+2581 is a space */
    assert_ids(t, "<x><s>", true, "266 1");
    assert_ids(t, "<x>", false, "259 63 123 65");
    tokenizer_free(t);
}

static void decoding_gives_the_text_back(void **state) {
    (void)state;
    static const uint32_t ids[] = {1, 264, 261, 2, 264, 999};
    struct tokenizer *t = pieces_tokenizer("decode");
    char *text = NULL;
    size_t n;
    assert_int_equal(tokenizer_decode(t, ids, 6, true, &text, &n, NULL), GENAIR_OK);
    assert_string_equal(text, "ab a");
    mem_free(text);
    assert_int_equal(tokenizer_decode(t, ids, 6, false, &text, &n, NULL), GENAIR_OK);
    assert_string_equal(text, " ab a");
    assert_int_equal(n, 5);
    mem_free(text);
    assert_int_equal(tokenizer_decode(t, ids, 0, true, &text, &n, NULL), GENAIR_OK);
    assert_string_equal(text, "");
    mem_free(text);
    tokenizer_free(t);
}

/* The same tokens as merges, in tokenizer.json: how a converted Llama 2 tokenizer looks. */
static void sentencepiece_in_json(void **state) {
    (void)state;
    static const char *const forms[] = {
        "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", "
        "\"prepend\": \"" MARK "\"},"
        "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"" MARK "\"}]}}",
        "{\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"" MARK
        "\", \"prepend_scheme\": \"first\","
        "\"split\": false}}"};
    for (size_t i = 0; i < 2; i++) {
        char *directory = tokenizer_directory(i ? "metaspace" : "prepend");
        json_t *vocab = json_object(), *root = json_loads(forms[i], 0, NULL);
        json_int_t id = 0;
        json_object_set_new(vocab, "<unk>", json_integer(id++));
        json_object_set_new(vocab, "<s>", json_integer(id++));
        for (unsigned b = 0; b < 256; b++, id++) {
            char name[8];
            snprintf(name, sizeof name, "<0x%02X>", b);
            json_object_set_new(vocab, name, json_integer(id));
        }
        static const char *const tokens[] = {MARK, "a", "b", "ab", MARK "a"};
        for (size_t k = 0; k < 5; k++)
            json_object_set_new(vocab, tokens[k], json_integer(id++));
        json_object_set_new(root, "added_tokens",
                            json_pack("[{s:i, s:s, s:b}, {s:i, s:s, s:b}]", "id", 0, "content",
                                      "<unk>", "special", 1, "id", 1, "content", "<s>", "special",
                                      1));
        json_object_set_new(root, "model",
                            json_pack("{s:s, s:b, s:o, s:[s, s]}", "type", "BPE", "byte_fallback",
                                      1, "vocab", vocab, "merges", MARK " a", "a b"));
        write_json(directory, "tokenizer.json", root);
        struct tokenizer *t = open_tokenizer(directory);
        uint32_t begin = 0;
        assert_true(tokenizer_begin(t, &begin) && begin == 1);
        assert_ids(t, "ab ab", false, "262 260 262 260");
        assert_ids(t, "bab", false, "258 260 261");
        assert_ids(t, "z", false, "258 124");
        assert_ids(t, " b", false, i ? "258 260" : "258 258 260"); /* Metaspace puts no second space */
        assert_ids(t, MARK "b", false, i ? "258 260" : "258 258 260");
        tokenizer_free(t);
        mem_free(directory);
    }
}

/* ---- other forms ---- */

static void ranks_merge_by_number(void **state) {
    (void)state;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *directory = tokenizer_directory("ranks"), file[1 << 13];
    size_t n = 0;
    for (unsigned b = 0; b < 256; b++)
        n += (size_t)snprintf(file + n, sizeof file - n, "%c%c== %u\n", digits[b >> 2],
                              digits[(b & 3) << 4], b);
    snprintf(file + n, sizeof file - n,
             "aGU= 256\r\nIHQ= 257\nIHRoZQ== 258\n"); /* "he", " t", " the" */
    write_file(directory, "tokenizer.model", file, strlen(file));
    write_json(directory, "tokenizer_config.json",
               json_pack("{s:{s:{s:s, s:b}}, s:{s:s}}", "added_tokens_decoder", "300", "content",
                         "<|begin|>", "special", 1, "bos_token", "content", "<|begin|>"));
    struct tokenizer *t = open_tokenizer(directory);
    uint32_t begin;
    assert_ids(t, "he the", false, "256 258");
    assert_ids(t, " t<|begin|>", true, "257 300");
    assert_true(tokenizer_begin(t, &begin) && begin == 300);
    assert_int_equal(tokenizer_size(t), 301);
    assert_int_equal(tokenizer_bytes(t, 299).n, 0); /* a number that no token has */
    tokenizer_free(t);
    mem_free(directory);
}

static void vocab_and_merges(void **state) {
    (void)state;
    const struct bytes_model m = {.merges = merges};
    char *directory = tokenizer_directory("vocab"), left[64], line[192] = "";
    json_t *root = bytes_json(&m);
    write_json(directory, "vocab.json",
               json_incref(json_object_get(json_object_get(root, "model"), "vocab")));
    json_decref(root);
    snprintf(line, sizeof line, "#version: 0.2\nh e\n%s t\n", in_bytes(" ", left));
    write_file(directory, "merges.txt", line, strlen(line));
    struct tokenizer *t = open_tokenizer(directory);
    uint32_t begin;
    assert_ids(t, "he th e\xCC\x81", false, "256 257 104 32 195 169");
    assert_false(tokenizer_begin(t, &begin));
    tokenizer_free(t);
    write_json(directory, "tokenizer_config.json",
               json_pack("{s:s}", "tokenizer_class", "GPT2Tokenizer"));
    genair_status st = {0};
    t = NULL;
    assert_int_equal(tokenizer_open_directory(directory, 0, &t, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "GPT2Tokenizer"));
    assert_null(t);
    mem_free(directory);
}

/* ---- what is refused ---- */

/* A change to a good tokenizer.json, and what the message must say. */
struct wrong {
    const char *change, *message;
};

static void json_refused(void **state) {
    (void)state;
    static const struct wrong wrongs[] = {
        {"{\"pre_tokenizer\": {\"type\": \"Whitespace\"}}", "\"pre_tokenizer\" is not supported"},
        {"{\"pre_tokenizer\": null}", "\"pre_tokenizer\" is not supported"},
        {"{\"normalizer\": {\"type\": \"Lowercase\"}}", "\"normalizer\" is not supported"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}}", "no tokens"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}}",
         "the byte 0x00"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"\xE4\xBD\xA0\": 0}, \"merges\": []}}",
         "alphabet"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"\": 0}, \"merges\": []}}", "no text"},
        {"{\"model\": {\"type\": \"BPE\", \"end_of_word_suffix\": \"</w>\", \"vocab\": {\"a\": "
         "0}}}",
         "suffixes"},
        {"{\"added_tokens\": [{\"id\": 3, \"content\": \"<a>\"}]}", "which another token has"},
        {"{\"added_tokens\": [{\"content\": \"<a>\"}]}", "lacks its number"},
        {"{\"added_tokens\": [{\"id\": 5000000000, \"content\": \"<a>\"}]}", "above the 4194304"},
    };
    const struct bytes_model m = {.merges = merges};
    char *directory = tokenizer_directory("refused");
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        json_t *root = bytes_json(&m), *change = json_loads(wrongs[i].change, 0, NULL);
        struct tokenizer *t = NULL;
        genair_status st = {0};
        json_object_update(root, change);
        json_decref(change);
        write_json(directory, "tokenizer.json", root);
        assert_int_equal(tokenizer_open_directory(directory, 0, &t, &st), GENAIR_FORMAT);
        assert_null(t);
        if (!strstr(st.message, wrongs[i].message)) fail_msg("change %zu: %s", i, st.message);
        assert_non_null(strstr(st.file, "tokenizer.json"));
    }
    mem_free(directory);
}

static void merges_refused(void **state) {
    (void)state;
    static const char *const twice[] = {"h e", "a n", "h e", NULL};
    const struct bytes_model m = {.merges = twice};
    char *directory = tokenizer_directory("twice");
    struct tokenizer *t = NULL;
    genair_status st = {0};
    write_json(directory, "tokenizer.json", bytes_json(&m));
    assert_int_equal(tokenizer_open_directory(directory, 0, &t, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "merge 2"));
    mem_free(directory);
}

static void sentencepiece_refused(void **state) {
    (void)state;
    static const struct piece twice[] = {{"a", -1, 1}, {"a", -2, 1}}, strange[] = {{"a", -1, 9}};
    const struct {
        struct protobuf file;
        const char *message;
    } wrongs[] = {{sentencepiece(pieces, 2, 1, false), "type 1; only BPE"},
                  {sentencepiece(pieces, 2, 2, true), "changes text"},
                  {sentencepiece(twice, 2, 2, false), "tokens 259 and 260 are both \"a\""},
                  {sentencepiece(strange, 1, 2, false), "unknown type 9"}};
    char *directory = tokenizer_directory("sentencepiece-refused");
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct tokenizer *t = NULL;
        genair_status st = {0};
        write_file(directory, "tokenizer.model", wrongs[i].file.bytes, wrongs[i].file.n);
        assert_int_equal(tokenizer_open_directory(directory, 0, &t, &st), GENAIR_FORMAT);
        if (!strstr(st.message, wrongs[i].message)) fail_msg("%zu: %s", i, st.message);
    }
    /* every beginning of a good file */
    for (size_t n = 0; n < wrongs[0].file.n; n += 7) {
        const struct protobuf good = sentencepiece(pieces, 2, 2, false);
        struct tokenizer *t = NULL;
        write_file(directory, "tokenizer.model", good.bytes, n);
        assert_int_equal(tokenizer_open_directory(directory, 0, &t, NULL), GENAIR_FORMAT);
    }
    mem_free(directory);
}

static void more_tokens_than_rows(void **state) {
    (void)state;
    const struct bytes_model m = {.merges = merges};
    char *directory = tokenizer_directory("rows");
    struct tokenizer *t = NULL;
    genair_status st = {0};
    write_json(directory, "tokenizer.json", bytes_json(&m));
    assert_int_equal(tokenizer_open_directory(directory, 260, &t, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "has number 260"));
    assert_int_equal(tokenizer_open_directory(directory, 261, &t, NULL), GENAIR_OK);
    tokenizer_free(t);
    mem_free(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_go_by_rank),
        cmocka_unit_test(whole_words_need_no_merges),
        cmocka_unit_test(special_tokens_only_where_asked_for),
        cmocka_unit_test(nfc_where_the_file_asks),
        cmocka_unit_test(ill_formed_text_is_replaced),
        cmocka_unit_test(long_texts_are_no_trouble),
        cmocka_unit_test(merging_equals_the_definition),
        cmocka_unit_test(sentencepiece_merges_by_score),
        cmocka_unit_test(decoding_gives_the_text_back),
        cmocka_unit_test(sentencepiece_in_json),
        cmocka_unit_test(ranks_merge_by_number),
        cmocka_unit_test(vocab_and_merges),
        cmocka_unit_test(json_refused),
        cmocka_unit_test(merges_refused),
        cmocka_unit_test(sentencepiece_refused),
        cmocka_unit_test(more_tokens_than_rows),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
