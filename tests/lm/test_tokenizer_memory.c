/* SPDX-License-Identifier: Apache-2.0 */
/* Tokenizers when memory is out: each request refused in turn is reported, nothing leaks (under a
 * sanitizer). */
#include "failing_alloc.h"
#include "lm/tokenizers.h"

/* PCRE2 compiles to machine code where it can: refused memory for that is no failure, but slower.
 */
static void opening_reports_each_refusal(const char *directory, int may_be_borne) {
    long n = 1;
    int n_borne = 0;
    for (;; n++) {
        struct tokenizer *t = NULL;
        failing_alloc_start(n);
        const genair_code code = tokenizer_open_directory(directory, 0, &t, NULL);
        const bool failed = failing_alloc_stop();
        assert_int_equal(code == GENAIR_OK, t != NULL);
        tokenizer_free(t);
        if (!failed) {
            assert_int_equal(code, GENAIR_OK);
            break;
        }
        if (code == GENAIR_OK)
            n_borne++;
        else
            assert_int_equal(code, GENAIR_MEMORY);
    }
    assert_true(n_borne <= may_be_borne);
    assert_true(n > 300); /* a token, a request at least */
}

/* Encoding, chat and decoding; a refusal leaves the tokens as they were. */
static void use_reports_each_refusal(const char *directory, enum chat_format format) {
    struct tokenizer *t = open_tokenizer(directory);
    static const char text[] = "the e\xCC\x81\xFF <a>";
    long n = 1;
    for (;; n++) {
        struct tokens found = {0};
        char *back = NULL;
        size_t n_bytes;
        failing_alloc_start(n);
        genair_code code = tokenizer_encode_special(t, text_of(text), &found, NULL);
        if (code != GENAIR_OK) assert_int_equal(found.n, 0);
        const size_t had = found.n;
        if (code == GENAIR_OK) {
            code = chat_encode(t, format, text_of("in"), text_of("the"), &found, NULL);
            if (code != GENAIR_OK) assert_int_equal(found.n, had);
        }
        if (code == GENAIR_OK)
            code = tokenizer_decode(t, found.ids, found.n, true, &back, &n_bytes, NULL);
        const bool failed = failing_alloc_stop();
        tokens_free(&found);
        mem_free(back);
        assert_int_equal(code, failed ? GENAIR_MEMORY : GENAIR_OK);
        if (!failed) break;
    }
    assert_true(n > 20);
    tokenizer_free(t);
}

static void byte_level(void **state) {
    (void)state;
    static const char *const merges[] = {"h e", "_ t", "_t he", NULL};
    static const char *const special[] = {"<a>", "<|im_start|>", "<|im_end|>", NULL};
    static const char config[] =
        "{\"chat_template\": \"<|im_start|>system\\\\nBe kind.<|im_end|>\"}";
    const struct bytes_model m = {.merges = merges, .special = special, .nfc = true};
    char *directory = tokenizer_directory("bytes");
    write_json(directory, "tokenizer.json", bytes_json(&m));
    write_file(directory, "tokenizer_config.json", config, strlen(config));
    opening_reports_each_refusal(directory, 32);
    use_reports_each_refusal(directory, CHAT_CHATML);
    mem_free(directory);
}

static void pieces(void **state) {
    (void)state;
    static const struct piece list[] = {
        {"\xE2\x96\x81", -9, 1}, {"t", -9, 1}, {"h", -9, 1}, {"th", -2, 1}};
    char *directory = tokenizer_directory("pieces");
    const struct protobuf m = sentencepiece(list, 4, 2, false);
    write_file(directory, "tokenizer.model", m.bytes, m.n);
    opening_reports_each_refusal(directory, 0);
    use_reports_each_refusal(directory, CHAT_LLAMA2);
    mem_free(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(byte_level), cmocka_unit_test(pieces)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
