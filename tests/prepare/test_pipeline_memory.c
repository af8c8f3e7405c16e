/* SPDX-License-Identifier: Apache-2.0 */
/* Memory refused at every request: each time a clean failure, and in the end the same files. */
#include "prepare/pipeline.h"

#include "failing_alloc.h"
#include "workspace/manifest.h"
#include "support/scratch.h"

#include <string.h>

enum { N = 400, LEAST_REQUESTS = 10 };

static genair_context *ctx;

static genair_code fill(struct click_log *log, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (uint32_t k = 0; code == GENAIR_OK && k < N; k++) {
        char user[16], item[16];
        snprintf(user, sizeof user, "u%u", k * 7 % 40);
        snprintf(item, sizeof item, "i%u", k * k % 61);
        code = click_log_add(log, text_of(user), text_of(item), k % 50, st);
    }
    return code;
}

static genair_code run_pipeline(genair_status *st) {
    const struct pipeline_options o = {.filter = {2, 2, true},
                                       .by_time = true,
                                       .held_out_users = 1,
                                       .time_quantile = 0.7,
                                       .cold_share = 0.2,
                                       .memory_bytes = 256,
                                       .made_from = "0123456789abcdef0123456789abcdef"};
    struct pipeline_statistics s;
    struct numbering numbering;
    struct click_log log = {0};
    genair_code code = click_log_init(&log, scratch_directory, o.memory_bytes, st);
    if (code != GENAIR_OK) return code;
    code = fill(&log, st);
    if (code == GENAIR_OK)
        code = pipeline_run(ctx, scratch_directory, &log, &o, &s, &numbering, st);
    if (code == GENAIR_OK) numbering_deinit(&numbering);
    click_log_deinit(&log);
    return code;
}

static genair_code open_dataset(genair_status *st) {
    struct dataset *d;
    const genair_code code = dataset_open(scratch_directory, &d, st);
    if (code == GENAIR_OK) dataset_close(d);
    return code;
}

static genair_code record(genair_status *st) {
    static const char *const outputs[] = {DATASET_SEQUENCES, DATASET_IDS};
    struct workspace *w;
    genair_code code = workspace_open(NULL, scratch_directory, "test", true, &w, st);
    if (code != GENAIR_OK) return code;
    json_t *inputs = json_object();
    code = workspace_record(w, "prepare", inputs, outputs, 2, NULL, st);
    if (code == GENAIR_OK) code = workspace_verify(w, "prepare", st);
    json_decref(inputs);
    workspace_close(w);
    return code;
}

static void refuse_each(genair_code (*operation)(genair_status *st)) {
    for (long n = 1;; n++) {
        genair_status st = {0};
        failing_alloc_start(n);
        const genair_code code = operation(&st);
        if (!failing_alloc_stop()) {
            assert_int_equal(code, GENAIR_OK);
            assert_true(n > LEAST_REQUESTS);
            return;
        }
        assert_int_equal(code, GENAIR_MEMORY);
        assert_int_equal(st.code, GENAIR_MEMORY);
    }
}

static void test_pipeline(void **state) {
    (void)state;
    refuse_each(run_pipeline);
}

static void test_dataset(void **state) {
    (void)state;
    refuse_each(open_dataset);
}

static void test_manifest(void **state) {
    (void)state;
    refuse_each(record);
}

static int setup(void **state) {
    if (genair_context_create(1, NULL, NULL, &ctx, NULL) != GENAIR_OK) return -1;
    return scratch_open(state);
}

static int teardown(void **state) {
    genair_context_free(ctx);
    return scratch_close(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pipeline),
                                       cmocka_unit_test(test_dataset),
                                       cmocka_unit_test(test_manifest)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
