/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation refused in turn, in the stages that read a workspace and in fitting a run. */
#include "fixture.h"

#include "base/options.h"
#include "failing_alloc.h"
#include "model/closed_form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *workspace;

static int set_up(void **state) {
    (void)state;
    workspace = fixture_create();
    fixture_run("pop", "pop", NULL, NULL);
    fixture_run("knn", "itemknn", NULL, NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_remove();
    return 0;
}

static void set_options(genair_options *o, const char *const *settings) {
    genair_status st = {0};
    for (; settings[0]; settings += 2)
        assert_int_equal(genair_options_set(o, settings[0], settings[1], &st), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "workspace", workspace, &st), GENAIR_OK);
}

static void refuse_in_turn(stage *run, const char *command, const char *const *settings) {
    genair_context *ctx;
    genair_options *o;
    assert_int_equal(genair_context_create(2, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(genair_options_create(command, &o, NULL), GENAIR_OK);
    set_options(o, settings);
    long n = 1;
    for (;; n = failing_alloc_next(n)) {
        genair_status st = {0};
        char *json = NULL;
        failing_alloc_start(n);
        const genair_code code = run(ctx, o, &json, &st);
        const bool refused = failing_alloc_stop();
        if (!refused && code != GENAIR_OK) fail_msg("%s: %s", command, st.message);
        if (refused && code == GENAIR_OK) fail_msg("%s: request %ld was not needed", command, n);
        if (refused && code != GENAIR_MEMORY)
            fail_msg("%s: code %d: %s", command, code, st.message);
        genair_string_free(json);
        if (!refused) break;
        assert_null(json);
    }
    assert_true(n > 20);
    genair_options_free(o);
    genair_context_free(ctx);
}

static void stages(void **state) {
    (void)state;
    static const char *const evaluate[] = {"run", "knn", "groups", "yes", "run", "pop", NULL};
    static const char *const compare[] = {"run", "knn", "run", "pop", NULL};
    static const char *const recommend[] = {"run", "knn", "user", "u3", "explain", "yes", NULL};
    static const char *const similar[] = {"run", "knn", "item", "i21", NULL};
    char file[256], directory[256];
    snprintf(file, sizeof file, "%s/../lists.tsv", workspace);
    snprintf(directory, sizeof directory, "%s/../atomic", workspace);
    const char *const lists[] = {"run", "knn", "what", "lists", "out", file, NULL};
    const char *const recbole[] = {"what", "recbole", "out", directory, NULL};
    refuse_in_turn(genair_export, "export", lists);
    refuse_in_turn(genair_export, "export", recbole);
    refuse_in_turn(genair_evaluate, "evaluate", evaluate);
    refuse_in_turn(genair_compare, "compare", compare);
    refuse_in_turn(genair_recommend, "recommend", recommend);
    refuse_in_turn(genair_similar, "similar", similar);
}

static void fitting(void **state) {
    (void)state;
    static const char *const methods[] = {"pop", "itemknn", "ease"};
    char directory[256];
    genair_context *ctx;
    genair_options *o;
    struct dataset *data;
    snprintf(directory, sizeof directory, "%s/runs/pop", workspace);
    assert_int_equal(genair_context_create(2, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(genair_options_create("train", &o, NULL), GENAIR_OK);
    assert_int_equal(dataset_open(workspace, &data, NULL), GENAIR_OK);
    for (size_t m = 0; m < 3; m++)
        for (long n = 1;; n++) {
            genair_status st = {0};
            struct scorer s = {0};
            failing_alloc_start(n);
            genair_code code = closed_form_fit(ctx, o, methods[m], data, directory, &st);
            if (code == GENAIR_OK) code = closed_form_open(methods[m], directory, data, &s, &st);
            const bool refused = failing_alloc_stop();
            closed_form_close(&s);
            if (code != (refused ? GENAIR_MEMORY : GENAIR_OK))
                fail_msg("%s, request %ld: %s", methods[m], n, st.message);
            if (!refused) break;
        }
    dataset_close(data);
    genair_options_free(o);
    genair_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(stages), cmocka_unit_test(fitting)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
