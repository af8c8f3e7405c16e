/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from data cannot become markup. */
#include "report/html.h"

#include "base/alloc.h"
#include "support/scratch.h"

#include <string.h>

/* What the writing functions put into a file. The caller's. */
static char *written(void (*write)(struct html *, const void *), const void *user) {
    char *path = scratch_path("page"), *text;
    size_t size;
    struct html h = {.st = NULL};
    assert_int_equal(writer_open(path, &h.writer, NULL), GENAIR_OK);
    write(&h, user);
    assert_int_equal(h.code, GENAIR_OK);
    assert_int_equal(writer_commit(h.writer, NULL), GENAIR_OK);
    assert_int_equal(file_read(path, 1 << 20, &text, &size, NULL), GENAIR_OK);
    mem_free(path);
    return text;
}

static void write_text(struct html *h, const void *user) {
    html_text(h, *(const struct text *)user);
}

static void check_text(const char *bytes, size_t n, const char *expected) {
    const struct text t = {bytes, n};
    char *found = written(write_text, &t);
    assert_string_equal(found, expected);
    mem_free(found);
}

static void text_is_escaped(void **state) {
    (void)state;
    check_text("", 0, "");
    check_text("plain é 漢", strlen("plain é 漢"), "plain é 漢");
    check_text("<script>alert('\"&\")</script>", 28, "&lt;script&gt;alert(&#39;&quot;&amp;&quot;)&lt;/script&gt;");
    check_text("a\0b\x1B[2J\x7F\n", 9, "a\xEF\xBF\xBD" "b\xEF\xBF\xBD[2J\xEF\xBF\xBD\n");
    check_text("\xFF<\xC3", 3, "\xEF\xBF\xBD&lt;\xEF\xBF\xBD"); /* no UTF-8 */
    check_text("\xC0\xBCscript", 8, "\xEF\xBF\xBD\xEF\xBF\xBDscript"); /* an overlong < */
}

static void write_table(struct html *h, const void *user) {
    html_table(h, "a < b", user);
}

static void a_table_has_every_column(void **state) {
    (void)state;
    json_t *rows = json_pack("[{s:s, s:i}, {s:s, s:f, s:n}]", "<x>", "\"name\"", "n", 3, "<x>", "other", "m", 0.25, "n");
    assert_non_null(rows);
    char *found = written(write_table, rows);
    assert_string_equal(found, "<div class=\"wide\" tabindex=\"0\"><table><caption>a &lt; b</caption>\n"
                               "<thead><tr><th scope=\"col\" class=\"text\">&lt;x&gt;</th><th scope=\"col\">n</th>"
                               "<th scope=\"col\">m</th></tr></thead>\n<tbody>\n"
                               "<tr><th scope=\"row\" class=\"text\">&quot;name&quot;</th><td>3</td><td>–</td></tr>\n"
                               "<tr><th scope=\"row\" class=\"text\">other</th><td>–</td><td>0.2500</td></tr>\n"
                               "</tbody></table></div>\n");
    mem_free(found);
    json_decref(rows);
    rows = json_array();
    found = written(write_table, rows);
    assert_string_equal(found, "");
    mem_free(found);
    json_decref(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(a_table_has_every_column),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
