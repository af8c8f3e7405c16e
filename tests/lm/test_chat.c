/* SPDX-License-Identifier: Apache-2.0 */
/* Chat formats: which one a model's files ask for, and where special tokens stand; golden_lm
 * compares the published ones id by id. */
#include "lm/tokenizers.h"

#include "lm/tokenizer_parts.h"

static const char *const llama3_tokens[] = {"<|begin_of_text|>", "<|start_header_id|>",
                                            "<|end_header_id|>", "<|eot_id|>", NULL};
static const char *const chatml_tokens[] = {"<|im_start|>", "<|im_end|>", NULL};

/* config: JSON text, or NULL for none. */
static struct tokenizer *open_with(const char *name, const char *const *special,
                                   const char *config) {
    const struct bytes_model m = {.special = special};
    char *directory = tokenizer_directory(name);
    write_json(directory, "tokenizer.json", bytes_json(&m));
    if (config) write_file(directory, "tokenizer_config.json", config, strlen(config));
    struct tokenizer *t = open_tokenizer(directory);
    mem_free(directory);
    return t;
}

/* The exchange as text, special tokens written out. */
static void assert_chat(const struct tokenizer *t, const char *system, const char *user,
                        const char *expected) {
    struct tokens found = {0};
    char text[1024];
    size_t n = 0;
    const struct text none = {0};
    assert_int_equal(chat_encode(t, tokenizer_chat_format(t), system ? text_of(system) : none,
                                 text_of(user), &found, NULL),
                     GENAIR_OK);
    for (size_t i = 0; i < found.n; i++) {
        const struct text bytes = tokenizer_bytes(t, found.ids[i]);
        const bool special = tokenizer_is_special(t, found.ids[i]);
        n += (size_t)snprintf(text + n, sizeof text - n, special ? "{%.*s}" : "%.*s", (int)bytes.n,
                              bytes.p);
    }
    assert_string_equal(text, expected);
    tokens_free(&found);
}

static void special_tokens_tell_the_format(void **state) {
    (void)state;
    struct tokenizer *t = open_with("llama3", llama3_tokens, NULL);
    assert_int_equal(tokenizer_chat_format(t), CHAT_LLAMA3);
    tokenizer_free(t);
    t = open_with("chatml", chatml_tokens, NULL);
    assert_int_equal(tokenizer_chat_format(t), CHAT_CHATML);
    tokenizer_free(t);
    t = open_with("none", NULL, NULL);
    assert_int_equal(tokenizer_chat_format(t), CHAT_NONE);
    assert_chat(t, "S", " U ", "S\n U ");
    assert_chat(t, NULL, "U", "U");
    tokenizer_free(t);
}

/* Also where the files name another end, or none. */
static void what_ends_a_turn(void **state) {
    (void)state;
    uint32_t ends[CHAT_ENDS];
    struct tokenizer *t = open_with("ends-llama3", llama3_tokens, NULL);
    assert_int_equal(chat_ends(t, tokenizer_chat_format(t), ends), 1);
    assert_true(text_equal(tokenizer_bytes(t, ends[0]), "<|eot_id|>"));
    tokenizer_free(t);
    t = open_with("ends-chatml", chatml_tokens, NULL);
    assert_int_equal(chat_ends(t, tokenizer_chat_format(t), ends), 1);
    assert_true(text_equal(tokenizer_bytes(t, ends[0]), "<|im_end|>"));
    tokenizer_free(t);
    t = open_with("ends-none", NULL, NULL);
    assert_int_equal(chat_ends(t, tokenizer_chat_format(t), ends), 0);
    tokenizer_free(t);
    t = open_with("ends-chosen", chatml_tokens, "{\"chat_template\": \"of another form\"}");
    assert_int_equal(chat_ends(t, CHAT_CHATML, ends), 1);
    assert_true(text_equal(tokenizer_bytes(t, ends[0]), "<|im_end|>"));
    tokenizer_free(t);
}

/* That of "one" below, but for the expression. */
static struct tokenizer *open_with_digits_by_three(void) {
    const struct bytes_model m = {.special = chatml_tokens};
    char *directory = tokenizer_directory("digits");
    json_t *root = bytes_json(&m);
    json_t *split = json_array_get(json_object_get(json_object_get(root, "pre_tokenizer"), "pretokenizers"), 0);
    json_object_set_new(json_object_get(split, "pattern"), "Regex", json_string(expressions[EXPRESSION_LLAMA3].published));
    write_json(directory, "tokenizer.json", root);
    struct tokenizer *t = open_tokenizer(directory);
    mem_free(directory);
    return t;
}

/* Two that read a text alike, and some that do not. */
static void hashes(void **state) {
    (void)state;
    char a[33], b[33], c[33], d[33], e[33];
    struct tokenizer *digits = open_with_digits_by_three();
    struct tokenizer *one = open_with("one", chatml_tokens, NULL), *two = open_with("two", chatml_tokens, NULL),
                     *other = open_with("three", llama3_tokens, NULL),
                     *spoken = open_with("four", chatml_tokens, "{\"chat_template\": \"{{ 'User: ' + m }}\"}");
    assert_int_equal(tokenizer_hash(one, a, NULL), GENAIR_OK);
    assert_int_equal(tokenizer_hash(two, b, NULL), GENAIR_OK);
    assert_int_equal(tokenizer_hash(other, c, NULL), GENAIR_OK);
    assert_int_equal(tokenizer_hash(spoken, d, NULL), GENAIR_OK);
    assert_int_equal(tokenizer_hash(digits, e, NULL), GENAIR_OK);
    tokenizer_free(digits);
    assert_string_equal(a, b);
    assert_string_not_equal(a, e);
    assert_string_not_equal(a, c);
    assert_string_not_equal(a, d);
    assert_false(tokenizer_chat_unknown(one));
    assert_true(tokenizer_chat_unknown(spoken));
    tokenizer_free(one);
    tokenizer_free(two);
    tokenizer_free(other);
    tokenizer_free(spoken);
}

static void a_template_counts_for_more(void **state) {
    (void)state;
    struct tokenizer *t =
        open_with("other", chatml_tokens, "{\"chat_template\": \"{{ 'User: ' + m }}\"}");
    assert_int_equal(tokenizer_chat_format(t), CHAT_NONE);
    tokenizer_free(t);
    t = open_with("list", NULL,
                  "{\"chat_template\": [{\"name\": \"tools\", \"template\": \"<|im_start|>\"},"
                  " {\"name\": \"default\", \"template\": \"[INST] <<SYS>>\"}]}");
    assert_int_equal(tokenizer_chat_format(t), CHAT_LLAMA2);
    assert_chat(t, " S ", " U\n", "[INST] <<SYS>>\n S \n<</SYS>>\n\n U [/INST]");
    assert_chat(t, NULL, " \xC2\xA0U\xE3\x80\x80", "[INST] U [/INST]");
    tokenizer_free(t);
}

static void a_template_in_its_own_file(void **state) {
    (void)state;
    static const char template[] = "{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}";
    const struct bytes_model m = {.special = chatml_tokens};
    char *directory = tokenizer_directory("jinja");
    write_json(directory, "tokenizer.json", bytes_json(&m));
    write_file(directory, "chat_template.jinja", template, strlen(template));
    struct tokenizer *t = open_tokenizer(directory);
    assert_chat(t, NULL, "U",
                "{<|im_start|>}system\nBe kind.{<|im_end|>}\n{<|im_start|>}user\nU{<|im_end|>}\n"
                "{<|im_start|>}assistant\n");
    assert_chat(t, "", " U",
                "{<|im_start|>}system\n{<|im_end|>}\n{<|im_start|>}user\n U{<|im_end|>}\n"
                "{<|im_start|>}assistant\n");
    tokenizer_free(t);
    mem_free(directory);
}

static void content_stays_text(void **state) {
    (void)state;
    struct tokenizer *t =
        open_with("content", llama3_tokens,
                  "{\"bos_token\": \"<|begin_of_text|>\", \"add_bos_token\": true}");
    assert_chat(t, "<|eot_id|>", "\n<|end_header_id|> ",
                "{<|begin_of_text|>}{<|start_header_id|>}system{<|end_header_id|>}\n\n<|eot_id|>{<|"
                "eot_id|>}"
                "{<|start_header_id|>}user{<|end_header_id|>}\n\n<|end_header_id|>{<|eot_id|>}"
                "{<|start_header_id|>}assistant{<|end_header_id|>}\n\n");
    tokenizer_free(t);
}

static void begin_token_as_the_files_say(void **state) {
    (void)state;
    uint32_t begin = 0;
    struct tokenizer *t = open_with("begin", llama3_tokens,
                                    "{\"bos_token\": {\"content\": \"<|eot_id|>\"},"
                                    " \"add_bos_token\": true}");
    assert_true(tokenizer_begin(t, &begin));
    assert_true(text_equal(tokenizer_bytes(t, begin), "<|eot_id|>"));
    tokenizer_free(t);
    t = open_with("no-begin", llama3_tokens,
                  "{\"bos_token\": \"<|begin_of_text|>\", \"add_bos_token\": false}");
    assert_false(tokenizer_begin(t, &begin));
    tokenizer_free(t);

    static const char missing[] = "{\"bos_token\": \"<s>\", \"add_bos_token\": true}";
    const struct bytes_model m = {.special = llama3_tokens};
    char *directory = tokenizer_directory("missing");
    genair_status st = {0};
    write_json(directory, "tokenizer.json", bytes_json(&m));
    write_file(directory, "tokenizer_config.json", missing, strlen(missing));
    assert_int_equal(tokenizer_open_directory(directory, 0, &t, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "\"<s>\""));
    mem_free(directory);
}

static void a_format_without_its_tokens_is_refused(void **state) {
    (void)state;
    struct tokenizer *t = open_with("without", chatml_tokens, NULL);
    struct tokens found = {0};
    genair_status st = {0};
    assert_int_equal(tokens_push(&found, 7, NULL), GENAIR_OK);
    assert_int_equal(chat_encode(t, CHAT_LLAMA3, text_of("S"), text_of("U"), &found, &st),
                     GENAIR_USAGE);
    assert_non_null(strstr(st.message, "<|start_header_id|>"));
    assert_int_equal(found.n, 1); /* as it was */
    tokens_free(&found);
    tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_tokens_tell_the_format),
        cmocka_unit_test(what_ends_a_turn),
        cmocka_unit_test(hashes),
        cmocka_unit_test(a_template_counts_for_more),
        cmocka_unit_test(a_template_in_its_own_file),
        cmocka_unit_test(content_stays_text),
        cmocka_unit_test(begin_token_as_the_files_say),
        cmocka_unit_test(a_format_without_its_tokens_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
