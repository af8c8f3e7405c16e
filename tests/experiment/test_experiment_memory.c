/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations refused here and there while many runs are trained: the failure is told, and what follows is whole. */
#include "evaluate/fixture.h"

#include "base/files.h"
#include "base/options.h"
#include "base/size.h"
#include "failing_alloc.h"
#include "train/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *workspace;

static int set_up(void **state) {
    (void)state;
    workspace = fixture_create();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_remove();
    return 0;
}

/* As if nothing had been swept. */
static void forget(void) {
    struct workspace *w;
    pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
    char path[256];
    assert_int_equal(workspace_open(NULL, workspace, "test", false, &w, NULL), GENAIR_OK);
    assert_int_equal(train_remove(w, &guard, "s.0001", NULL), GENAIR_OK);
    assert_int_equal(train_remove(w, &guard, "s.0002", NULL), GENAIR_OK);
    workspace_close(w);
    snprintf(path, sizeof path, "%s/sweeps", workspace);
    assert_int_equal(directory_remove(path, NULL), GENAIR_OK);
}

static char *sweep(long refused, bool *was_refused) {
    static const char *const settings[][2] = {{"method", "pop"}, {"grid", "pop-window=0,100"}, {"name", "s"}};
    genair_context *ctx;
    genair_options *o;
    genair_status st = {0};
    char *json = NULL;
    assert_int_equal(genair_context_create(2, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(genair_options_create("sweep", &o, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "workspace", workspace, NULL), GENAIR_OK);
    for (size_t i = 0; i < COUNT(settings); i++)
        assert_int_equal(genair_options_set(o, settings[i][0], settings[i][1], NULL), GENAIR_OK);
    failing_alloc_start(refused);
    const genair_code code = genair_sweep(ctx, o, &json, &st);
    *was_refused = failing_alloc_stop();
    if (code != GENAIR_OK && (code != GENAIR_MEMORY || !*was_refused)) fail_msg("request %ld: %s", refused, st.message);
    assert_true((json != NULL) == (code == GENAIR_OK));
    genair_options_free(o);
    genair_context_free(ctx);
    return json;
}

static void refused_requests_are_told(void **state) {
    (void)state;
    char *whole, *json;
    bool refused;
    forget();
    whole = sweep(0, &refused);
    json_t *expected = json_loads(whole, 0, NULL);
    assert_int_equal(json_array_size(at(expected, "points")), 2);
    long n = 1, n_tried = 0, n_failed = 0;
    for (refused = true; refused && n < 8000; n += 1 + n / 12, n_tried++) { /* each waits for the disk */
        forget();
        json = sweep(n, &refused);
        n_failed += json == NULL;
        genair_string_free(json);
        if (n_tried % 8) continue;
        json = sweep(0, &(bool){false}); /* what failed goes on */
        json_t *result = json_loads(json, 0, NULL);
        assert_true(json_equal(at(result, "points"), at(expected, "points")));
        json_decref(result);
        genair_string_free(json);
    }
    assert_true(n > 100 && n < 8000 && n_failed > n_tried / 2);
    json_decref(expected);
    genair_string_free(whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused_requests_are_told)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
