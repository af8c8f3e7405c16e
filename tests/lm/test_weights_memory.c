/* SPDX-License-Identifier: Apache-2.0 */
/* Models when memory is out: each request refused in turn, reported, nothing leaked (under a
 * sanitizer). */
#include "lm/weights.h"

#include "failing_alloc.h"
#include "lm/tiny_model.h"

static genair_code open_and_read(const char *path, genair_status *st) {
    struct lm_weights *w = NULL;
    float values[TINY_HIDDEN];
    char hash[33];
    genair_code code = lm_weights_open(path, &w, st);
    assert_true((code == GENAIR_OK) == (w != NULL));
    if (code == GENAIR_OK) code = lm_weights_values(w, &w->final_norm, 0, 1, values, st);
    if (code == GENAIR_OK) code = lm_weights_hash(NULL, w, hash, st);
    lm_weights_close(w);
    return code;
}

/* The number of requests. */
static long refuse_each(const char *path) {
    for (long n = 1;; n++) {
        genair_status st = {0};
        failing_alloc_start(n);
        const genair_code code = open_and_read(path, &st);
        if (!failing_alloc_stop()) {
            if (code != GENAIR_OK) fail_msg("%s", st.message);
            return n;
        }
        assert_int_equal(code, GENAIR_MEMORY);
        assert_int_equal(st.code, GENAIR_MEMORY);
    }
}

static void gguf_reports_each_refusal(void **state) {
    (void)state;
    char *path = scratch_path("tiny.gguf");
    tiny_gguf(&(struct tiny){.extra = "rope_freqs.weight"}, path);
    assert_true(refuse_each(path) > 10);
    mem_free(path);
}

static void directory_reports_each_refusal(void **state) {
    (void)state;
    char *path = scratch_path("tiny");
    tiny_directory(&(struct tiny){.qwen2 = true}, path);
    assert_true(refuse_each(path) > 10);
    mem_free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gguf_reports_each_refusal),
                                       cmocka_unit_test(directory_reports_each_refusal)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
