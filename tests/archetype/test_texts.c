/* SPDX-License-Identifier: Apache-2.0 */
/* Archetypes from a file: whose they are, and which lines are refused. */
#include "archetype/texts.h"

#include "base/alloc.h"
#include "fuse/shop.h"

static struct shop shop;
static struct dataset *data;

static int open_shop(void **state) {
    if (scratch_open(state)) return -1;
    shop = shop_open("texts");
    return dataset_open(shop.workspace, &data, NULL) == GENAIR_OK ? 0 : -1;
}

static int close_shop(void **state) {
    dataset_close(data);
    shop_close(&shop);
    return scratch_close(state);
}

static genair_code read_texts(const char *lines, struct texts **out, genair_status *st) {
    char *path = scratch_path("texts.jsonl");
    scratch_write(path, lines, strlen(lines));
    *st = (genair_status){0};
    const genair_code code = texts_read(path, data, out, st);
    mem_free(path);
    return code;
}

static struct text text_named(const struct texts *t, const char *name) {
    uint32_t item;
    assert_true(dataset_item_named(data, text_of(name), &item));
    return texts_of(t, item);
}

static void either_name_will_do(void **state) {
    (void)state;
    struct texts *t;
    genair_status st;
    shop_ok(read_texts("{\"item\": \"a\", \"archetype\": \"who likes a\", \"more\": [1]}\n"
                       "\n"
                       "{\"text\": \" b's \\u20ac\\n\", \"id\": \"b\"}\r\n"
                       "{\"item_id\": \"x\", \"text\": \"filtered out\"}\n"
                       "{\"id\": \"c\", \"text\": \"last\"}",
                       &t, &st),
            &st);
    assert_true(text_equal(text_named(t, "a"), "who likes a"));
    assert_true(text_equal(text_named(t, "b"), "b's \xE2\x82\xAC"));
    assert_true(text_equal(text_named(t, "c"), "last"));
    assert_int_equal(text_named(t, "d").n, 0);
    assert_int_equal(texts_unused(t), 1);
    texts_free(t);
}

static void bad_lines_are_named(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        int64_t line;
        const char *message;
    } cases[] = {
        {"{\"id\": \"a\", \"text\": \"1\"}\n{\"id\": \"a\", \"text\": \"2\"}\n", 2,
         "item 'a' stands in line 1 already"},
        {"{\"id\": \"a\", \"text\": \"1\"}\nnonsense\n", 2, "not a JSON object: "},
        {"[1]\n", 1, "not a JSON object"},
        {"{\"id\": 5, \"text\": \"1\"}\n", 1, "no text under \"item\" or \"id\""},
        {"{\"id\": \"a\", \"archetype\": null}\n", 1, "no text under \"archetype\" or \"text\""},
        {"{\"id\": \"a\", \"text\": \" \\n\"}\n", 1, "the archetype is empty"},
        {"{\"id\": \"a\", \"text\": \"\xC3\"}\n", 1, "not a JSON object: "},
        {"{\"id\": \"a\", \"text\": \"1\", \"text\": \"2\"}\n", 1, "not a JSON object: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct texts *t = NULL;
        genair_status st;
        assert_int_equal(read_texts(cases[i].lines, &t, &st), GENAIR_FORMAT);
        assert_int_equal(st.line, cases[i].line);
        if (strncmp(st.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: %s", cases[i].lines, st.message);
    }
    struct texts *t = NULL;
    genair_status st = {0};
    assert_int_equal(texts_read("/nowhere/at/all", data, &t, &st), GENAIR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(either_name_will_do),
        cmocka_unit_test(bad_lines_are_named),
    };
    return cmocka_run_group_tests(tests, open_shop, close_shop);
}
