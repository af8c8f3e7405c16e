/* SPDX-License-Identifier: Apache-2.0 */
/* t-SNE and the stage when memory is out: each request refused in turn is reported, nothing leaks (under a
 * sanitizer). */
#include "analyze/points.h"
#include "failing_alloc.h"
#include "fuse/shop.h"

#include "analyze/tsne.h"

static void tsne_reports_each_refusal(void **state) {
    (void)state;
    genair_context *ctx = context_of(1);
    for (int theta = 0; theta <= 1; theta++) {
        long n = 1;
        for (;; n++) {
            double *x = random_points(12, 3, 1);
            struct tsne t;
            failing_alloc_start(n);
            const genair_code code = tsne_make(ctx, x, 12, 3, (struct tsne_options){3, 0.5 * theta, 3}, &t, NULL);
            const bool failed = failing_alloc_stop();
            tsne_free(&t);
            mem_free(x);
            assert_int_equal(code, failed ? GENAIR_MEMORY : GENAIR_OK);
            if (!failed) break;
        }
        assert_true(n > 15);
    }
    genair_context_free(ctx);
}

static void the_stage_reports_each_refusal(void **state) {
    (void)state;
    struct shop s = shop_open("memory");
    char *prefill = shop_matrix("p.npy", shop_order, 4, 0);
    char *path = mem_text(getenv("PATH"), strlen(getenv("PATH")));
    assert_int_equal(setenv("PATH", "/nowhere", 1), 0); /* no gnuplot, which would take a while each time */
    long n = 1;
    for (;; n++) {
        genair_options *embed = NULL, *o = NULL;
        genair_context *ctx = context_of(1);
        assert_int_equal(genair_options_create("embed", &embed, NULL), GENAIR_OK);
        assert_int_equal(genair_options_set(embed, "workspace", s.workspace, NULL), GENAIR_OK);
        assert_int_equal(genair_options_set(embed, "prefill", prefill, NULL), GENAIR_OK);
        assert_int_equal(genair_embed(ctx, embed, NULL, NULL), GENAIR_OK);
        assert_int_equal(genair_options_create("analyze", &o, NULL), GENAIR_OK);
        assert_int_equal(genair_options_set(o, "workspace", s.workspace, NULL), GENAIR_OK);
        failing_alloc_start(n);
        const genair_code code = genair_analyze(ctx, o, NULL, NULL);
        const bool failed = failing_alloc_stop();
        genair_options_free(embed);
        genair_options_free(o);
        genair_context_free(ctx);
        assert_int_equal(code, failed ? GENAIR_MEMORY : GENAIR_OK);
        if (!failed) break;
    }
    assert_true(n > 30);
    assert_int_equal(setenv("PATH", path, 1), 0);
    mem_free(path);
    mem_free(prefill);
    shop_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tsne_reports_each_refusal),
        cmocka_unit_test(the_stage_reports_each_refusal),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
