/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: the paper's table word for word, what is left out, where texts are cut, what is refused. */
#include "archetype/template.h"

#include "base/alloc.h"
#include "support/scratch.h"

#include <string.h>

static struct template *parsed(const char *source) {
    struct template *t = NULL;
    genair_status st = {0};
    if (template_parse(text_of(source), "t.txt", &t, &st) != GENAIR_OK) fail_msg("%s", st.message);
    return t;
}

/* The prompt of an item given as JSON, in one static buffer; *p keeps the rest. */
static const char *rendered(const char *source, const char *item, struct prompt_style style,
                            struct prompt *p) {
    static char text[8192];
    struct template *t = parsed(source);
    json_t *record = json_loads(item, 0, NULL);
    assert_non_null(record);
    assert_int_equal(template_render(t, record, &style, p, NULL), GENAIR_OK);
    assert_true(p->n < sizeof text);
    if (p->n) memcpy(text, p->text, p->n);
    text[p->n] = '\0';
    json_decref(record);
    template_free(t);
    return text;
}

static const struct prompt_style plain = {"item", 100};

static void expect(const char *source, const char *item, const char *expected) {
    struct prompt p = {0};
    assert_string_equal(rendered(source, item, plain, &p), expected);
    prompt_deinit(&p);
}

static void the_papers_table(void **state) {
    (void)state;
    struct prompt p = {0};
    const char *whole =
        "{\"item_id\": \"i1\", \"description\": \"Warm.\", \"name\": \"Hat\", \"brand\": \"B\", "
        "\"date\": \"2014\", \"feature\": \"wool\", \"price\": \"9.99\", \"rating\": \"4.5\"}";
    assert_string_equal(
        rendered(template_builtin, whole, plain, &p),
        "You are a helpful recommendation expert. Based on the following attributes, identify the "
        "types of users this item would appeal to: The item name is Hat. The item brand is B. The "
        "item date is 2014. The item feature is wool. The item price is 9.99. The item rating is "
        "4.5. The item description is Warm.. What potential users align best with this item?");
    assert_int_equal(p.n_attributes, 7);
    assert_int_equal(p.n_system, strlen("You are a helpful recommendation expert."));
    assert_memory_equal(p.text + p.user_at, "Based on", 8);
    prompt_deinit(&p);
}

static void missing_attributes_take_their_sentence_along(void **state) {
    (void)state;
    struct prompt p = {0};
    const struct prompt_style fashion = {"fashion item", 100};
    assert_string_equal(
        rendered(template_builtin,
                 "{\"item_id\": \"i1\", \"name\": \"Hat\", \"brand\": \" \", \"date\": 5, "
                 "\"categories\": \"A, B\", \"also_bought\": \"x\"}",
                 fashion, &p),
        "You are a helpful recommendation expert. Based on the following attributes, identify the "
        "types of users this fashion item would appeal to: The fashion item name is Hat. The "
        "fashion item categories is A, B. The fashion item also bought is x. What potential users "
        "align best with this fashion item?");
    assert_int_equal(p.n_attributes, 3);
    prompt_deinit(&p);
    assert_string_equal(rendered("Hat. <item_name> by <item_brnad>.", "{\"name\": \"Hat\"}", plain, &p), "Hat.");
    assert_int_equal(p.n_attributes, 0); /* none went in */
    prompt_deinit(&p);
    expect("Hi. A <item_a>. B <item_b>. Bye.", "{\"b\": \"2\"}", "Hi. B 2. Bye.");
    expect("A <item_a> and <item_b>. C <item_c>.", "{\"a\": \"1\", \"c\": \"3\"}", "C 3.");
    expect("Only <item_a>.", "{}", "");
}

static void sentences_end_where_the_header_says(void **state) {
    (void)state;
    expect("Name: <item_a>\nBrand: <item_b>\n\nEnd", "{\"b\": \"2\"}", "Brand: 2\n\nEnd");
    expect("Name: <item_a>\nBrand: <item_b>\n\nEnd", "{\"a\": \"1\"}", "Name: 1\n\nEnd");
    expect("Look: The <item_a>. B", "{}", "Look: B");
    expect("Look: the <item_a>. B", "{}", "B");
    expect("Costs 3.50 or <item_a>! So?", "{}", "So?");
    expect("\"Is it <item_a>?\" she said. B", "{}", "she said. B");
    expect("\xEF\xBB\xBF  One <item_a>.\r\n\r\n Two. \r\n", "{\"a\": \"x\"}", "One x.\n\nTwo.");
    expect("One. Two <item_a>. Three.\nFour.", "{}", "One. Three.\nFour.");
    expect("One. Two <item_a>.\nThree.", "{}", "One.\nThree.");
    expect("Hi.\n- <attribute>: <value>\nBye <item_a>.", "{\"a\": \"1\", \"b\": \"2\", \"c\": \"3\"}",
           "Hi.\n- b: 2\n- c: 3\nBye 1.");
}

static void what_is_no_placeholder_is_text(void **state) {
    (void)state;
    expect("<b> a<item_a> <items> < noun> <|im_end|> <noun>", "{\"a\": \"<item_b><noun>\"}",
           "<b> a<item_b><noun> <items> < noun> <|im_end|> item");
    expect("<item_also bought>", "{\"also bought\": \"x\"}", "x");
}

static void texts_are_cut_between_characters(void **state) {
    (void)state;
    struct prompt p = {0};
    const struct prompt_style three = {"item", 3};
    assert_string_equal(rendered("<item_a>", "{\"a\": \"abcd\"}", three, &p), "abc");
    assert_string_equal(rendered("<item_a>", "{\"a\": \"\\u00e9\\u20ac\\ud83d\\ude00x\"}", three, &p),
                        "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    assert_string_equal(rendered("<item_a>", "{\"a\": \"ab cd\"}", three, &p), "ab");
    assert_string_equal(rendered("<attribute> <value>", "{\"other\": \"wxyz\"}", three, &p),
                        "other wxy");
    prompt_deinit(&p);
}

static void the_system_message_is_the_first_sentence(void **state) {
    (void)state;
    struct prompt p = {0};
    rendered("You help. Who wants <item_a>?", "{\"a\": \"1\"}", plain, &p);
    assert_int_equal(p.n_system, 9);
    assert_int_equal(p.user_at, 10);
    rendered("You help.\n\nWho wants <item_a>? Tell.", "{}", plain, &p);
    assert_int_equal(p.n_system, 9);
    assert_memory_equal(p.text + p.user_at, "Tell.", 5);
    rendered("For <item_a>. Who wants it?", "{\"a\": \"1\"}", plain, &p); /* is different for each item */
    assert_int_equal(p.n_system, 0);
    assert_int_equal(p.user_at, 0);
    rendered("You help. Who wants <item_a>?", "{}", plain, &p); /* nothing to answer to */
    assert_int_equal(p.n_system, 0);
    prompt_deinit(&p);
}

static void attributes_are_listed_once(void **state) {
    (void)state;
    struct template *t = parsed("<item_b> <item_a>. <item_b>.");
    size_t n;
    const struct text *names = template_attributes(t, &n);
    assert_int_equal(n, 2);
    assert_true(text_equal(names[0], "b") && text_equal(names[1], "a"));
    assert_false(template_takes_others(t));
    template_free(t);
    t = parsed(template_builtin);
    template_attributes(t, &n);
    assert_int_equal(n, 7);
    assert_true(template_takes_others(t));
    template_free(t);
}

static void broken_templates_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *source;
        int64_t line, offset;
        const char *message;
    } cases[] = {
        {"", 0, -1, "the template names no attribute"},
        {"Who wants this <noun>?", 0, -1, "the template names no attribute"},
        {"A.\nB <item_name .\n", 2, -1, "'<item_name .' is no placeholder"},
        {"A <item_", 1, -1, "'<item_' is no placeholder"},
        {"A <item_>", 1, -1, "'<item_' is no placeholder"},
        {"A <item_<item_a>", 1, -1, "'<item_' is no placeholder"},
        {"A <item_a> \xC3(", 0, 11, "a template is text in UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct template *t = NULL;
        genair_status st = {.line = 0, .offset = -1};
        assert_int_equal(template_parse(text_of(cases[i].source), "t.txt", &t, &st), GENAIR_FORMAT);
        if (strncmp(st.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("'%s': %s", cases[i].source, st.message);
        if (cases[i].line) assert_int_equal(st.line, cases[i].line);
        if (cases[i].offset >= 0) assert_int_equal(st.offset, cases[i].offset);
        assert_string_equal(st.file, "t.txt");
    }
    struct template *t = NULL;
    genair_status st = {0};
    assert_int_equal(template_parse((struct text){"<item_a>\0b", 10}, "t.txt", &t, &st),
                     GENAIR_FORMAT);
    assert_int_equal(st.offset, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_papers_table),
        cmocka_unit_test(missing_attributes_take_their_sentence_along),
        cmocka_unit_test(sentences_end_where_the_header_says),
        cmocka_unit_test(what_is_no_placeholder_is_text),
        cmocka_unit_test(texts_are_cut_between_characters),
        cmocka_unit_test(the_system_message_is_the_first_sentence),
        cmocka_unit_test(attributes_are_listed_once),
        cmocka_unit_test(broken_templates_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
