/* SPDX-License-Identifier: Apache-2.0 */
/* report when memory is out: each request refused in turn is reported, and the page is whole. */
#include "failing_alloc.h"
#include "fuse/shop.h"

static genair_code make_page(const struct shop *s, long refuse, bool *refused) {
    genair_context *ctx = NULL;
    genair_options *o = NULL;
    assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(genair_options_create("report", &o, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "workspace", s->workspace, NULL), GENAIR_OK);
    failing_alloc_start(refuse);
    const genair_code code = genair_report(ctx, o, NULL, NULL);
    *refused = failing_alloc_stop();
    genair_options_free(o);
    genair_context_free(ctx);
    return code;
}

static void each_refusal_is_reported(void **state) {
    (void)state;
    static const char earlier[] = "an earlier page";
    struct shop s = shop_open("memory");
    char *prefill = shop_matrix("p.npy", shop_order, 4, 0), *page = path_join(s.workspace, "report.html"), *text;
    size_t size;
    genair_status st = {0};
    shop_ok(shop_run(&s, "embed", 1, &st, NULL, "prefill", prefill, NULL), &st);
    shop_ok(shop_run(&s, "fuse", 1, &st, NULL, "parts", "prefill", NULL), &st);
    assert_non_null(page);
    scratch_write(page, earlier, strlen(earlier));
    long n = 1;
    for (bool refused = true;; n++) {
        const genair_code code = make_page(&s, n, &refused);
        assert_int_equal(file_read(page, 1 << 20, &text, &size, NULL), GENAIR_OK);
        if (!refused) {
            assert_int_equal(code, GENAIR_OK);
            assert_non_null(strstr(text, "What fuse kept of them"));
            mem_free(text);
            break;
        }
        assert_int_equal(code, GENAIR_MEMORY);
        /* whole in any case: the old one, or the new one when what failed came after it */
        if (strcmp(text, earlier) != 0) assert_string_equal(text + size - 8, "</html>\n");
        mem_free(text);
    }
    assert_true(n > 20);
    mem_free(page);
    mem_free(prefill);
    shop_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_refusal_is_reported)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
