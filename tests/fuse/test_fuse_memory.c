/* SPDX-License-Identifier: Apache-2.0 */
/* embed, fuse and the exchange files when memory is out: each request refused in turn is reported,
 * nothing leaks (under a sanitizer). */
#include "failing_alloc.h"
#include "fuse/shop.h"

#include "algebra/pca.h"
#include "workspace/safetensors.h"

static void npy_reports_each_refusal(void **state) {
    (void)state;
    char *path = shop_matrix("m.npy", shop_order, 4, 0);
    long n = 1;
    for (;; n++) {
        struct npy *a = NULL;
        failing_alloc_start(n);
        const genair_code code = npy_open(path, &a, NULL);
        if (!failing_alloc_stop()) {
            assert_int_equal(code, GENAIR_OK);
            npy_close(a);
            break;
        }
        assert_int_equal(code, GENAIR_MEMORY);
        assert_null(a);
    }
    assert_true(n > 3);
    mem_free(path);
}

static void safetensors_report_each_refusal(void **state) {
    (void)state;
    static const float values[] = {1, 2};
    const struct safetensor t = {
        .name = "x", .n_dims = 1, .shape = {2}, .data = (const unsigned char *)values};
    static const char *const keys[] = {"a"}, *const texts[] = {"b"};
    char *path = scratch_path("m.safetensors");
    long n = 1;
    for (;; n++) {
        failing_alloc_start(n);
        const genair_code code = safetensors_write(path, 1, &t, 1, keys, texts, NULL);
        if (!failing_alloc_stop()) {
            assert_int_equal(code, GENAIR_OK);
            break;
        }
        assert_int_equal(code, GENAIR_MEMORY);
    }
    assert_true(n > 1);
    for (n = 1;; n++) {
        struct safetensors *f = NULL;
        failing_alloc_start(n);
        const genair_code code = safetensors_open(path, &f, NULL);
        if (!failing_alloc_stop()) {
            assert_int_equal(code, GENAIR_OK);
            safetensors_close(f);
            break;
        }
        assert_int_equal(code, GENAIR_MEMORY);
        assert_null(f);
    }
    assert_true(n > 5);
    mem_free(path);
}

static void components_report_each_refusal(void **state) {
    (void)state;
    const double values[4 * 3] = {1, 2, 3, 4, 5, 7, 1, 0, 2, 2, 9, 1};
    genair_context *ctx = NULL;
    assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, NULL), GENAIR_OK);
    for (size_t width = 3; width <= 6; width += 3) { /* 4 × 3 by columns, 2 × 6 by rows */
        const struct dense d = {values, width};
        const struct rows x = rows_of_dense(&d, 12 / width);
        long n = 1;
        for (;; n++) {
            struct pca p;
            failing_alloc_start(n);
            const genair_code code =
                pca_fit(ctx, &x, (struct pca_choice){.components = 2}, &p, NULL);
            const bool failed = failing_alloc_stop();
            pca_free(&p);
            assert_int_equal(code, failed ? GENAIR_MEMORY : GENAIR_OK);
            if (!failed) break;
        }
        assert_true(n > 4);
    }
    genair_context_free(ctx);
}

/* Runs until it goes through; every refusal gives GENAIR_MEMORY. */
static void refuse_each(const struct shop *s, const char *command, const char *option,
                        const char *value) {
    long n = 1;
    for (;; n++) {
        genair_status st = {0};
        genair_context *ctx = NULL;
        genair_options *o = NULL;
        assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, NULL), GENAIR_OK);
        assert_int_equal(genair_options_create(command, &o, NULL), GENAIR_OK);
        assert_int_equal(genair_options_set(o, "workspace", s->workspace, NULL), GENAIR_OK);
        assert_int_equal(genair_options_set(o, option, value, NULL), GENAIR_OK);
        failing_alloc_start(n);
        const genair_code code =
            (command[0] == 'e' ? genair_embed : genair_fuse)(ctx, o, NULL, &st);
        const bool failed = failing_alloc_stop();
        genair_options_free(o);
        genair_context_free(ctx);
        assert_int_equal(code, failed ? GENAIR_MEMORY : GENAIR_OK);
        if (!failed) break;
    }
    assert_true(n > 10);
}

static void stages_report_each_refusal(void **state) {
    (void)state;
    struct shop s = shop_open("memory");
    char *prefill = shop_matrix("p.npy", shop_order, 4, 0);
    refuse_each(&s, "embed", "prefill", prefill);
    refuse_each(&s, "fuse", "parts", "prefill");
    mem_free(prefill);
    shop_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_reports_each_refusal),
        cmocka_unit_test(safetensors_report_each_refusal),
        cmocka_unit_test(components_report_each_refusal),
        cmocka_unit_test(stages_report_each_refusal),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
