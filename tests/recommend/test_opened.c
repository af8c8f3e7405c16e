/* SPDX-License-Identifier: Apache-2.0 */
/* An opened run through the public header: it says what the commands say, and its vectors give its scores. */
#include "evaluate/fixture.h"

#include "base/built_with.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct opened {
    const char *workspace;
    genair_context *ctx;
    genair_recommender *r;
};

/* Options of a command, given as name, value, …, NULL. */
static genair_options *options(const char *command, ...) {
    genair_options *o = NULL;
    assert_int_equal(genair_options_create(command, &o, NULL), GENAIR_OK);
    va_list args;
    va_start(args, command);
    for (const char *name; (name = va_arg(args, const char *));)
        assert_int_equal(genair_options_set(o, name, va_arg(args, const char *), NULL), GENAIR_OK);
    va_end(args);
    return o;
}

static genair_recommender *open_run(const struct opened *f, const char *run, genair_status *st) {
    genair_options *o = options("recommend", "workspace", f->workspace, "run", run, NULL);
    genair_recommender *r = NULL;
    const genair_code code = genair_recommender_open(f->ctx, o, &r, st);
    assert_true((code == GENAIR_OK) == (r != NULL));
    genair_options_free(o);
    return r;
}

static int set_up(void **state) {
    struct opened *f = calloc(1, sizeof *f);
    genair_status st = {0};
    f->workspace = fixture_create();
    fixture_run("pop", "pop", NULL, NULL);
    json_decref(fixture_stage(genair_train, "train", &st, "run", "base", "method", "base", "hidden", "12", "epochs", "1",
                              NULL));
    if (st.code != GENAIR_OK) fail_msg("%s", st.message);
    assert_int_equal(genair_context_create(1, NULL, NULL, &f->ctx, NULL), GENAIR_OK);
    f->r = open_run(f, "base", &st);
    *state = f;
    return f->r ? 0 : -1;
}

static int tear_down(void **state) {
    struct opened *f = *state;
    genair_recommender_free(f->r);
    genair_recommender_free(NULL);
    genair_context_free(f->ctx);
    fixture_remove();
    free(f);
    return 0;
}

typedef genair_code ask(genair_recommender *, const genair_options *, char **, genair_status *);

/* Takes the options; NULL unless all is well. */
static json_t *answer(const struct opened *f, ask *function, genair_options *o, genair_status *st) {
    char *text = NULL;
    const genair_code code = function(f->r, o, &text, st);
    genair_options_free(o);
    assert_true((code == GENAIR_OK) == (text != NULL));
    json_t *result = text ? json_loads(text, 0, NULL) : NULL;
    genair_string_free(text);
    return result;
}

static void expect_items(json_t *a, json_t *b) {
    assert_true(json_array_size(at(a, "items")) > 0);
    assert_true(json_equal(at(a, "items"), at(b, "items")));
    json_decref(a);
    json_decref(b);
}

static void lists_are_those_of_the_commands(void **state) {
    const struct opened *f = *state;
    genair_status st = {0};
    expect_items(answer(f, genair_recommender_recommend,
                        options("recommend", "history", "i7", "history", "i9", "k", "4", "explain", "yes", NULL), &st),
                 fixture_stage(genair_recommend, "recommend", &st, "run", "base", "history", "i7", "history", "i9", "k", "4",
                               "explain", "yes", NULL));
    expect_items(answer(f, genair_recommender_similar, options("similar", "item", "i7", "k", "4", NULL), &st),
                 fixture_stage(genair_similar, "similar", &st, "run", "base", "item", "i7", "k", "4", NULL));
    json_t *popular = answer(f, genair_recommender_recommend, options("recommend", "k", "3", NULL), &st);
    assert_non_null(at(popular, "fallback"));
    assert_int_equal(json_array_size(at(popular, "items")), 3);
    json_decref(popular);
}

static void allow_and_deny_choose(void **state) {
    const struct opened *f = *state;
    genair_status st = {0};
    json_t *o = answer(f, genair_recommender_recommend,
                       options("recommend", "user", "u3", "allow", "i1", "allow", "i2", "deny", "i2", NULL), &st);
    if (!o) fail_msg("%s", st.message);
    json_t *items = at(json_array_get(at(o, "users"), 0), "items");
    assert_true(json_array_size(items) <= 1);
    json_decref(o);
    assert_null(answer(f, genair_recommender_recommend, options("recommend", "user", "u3", "deny", "x", NULL), &st));
    assert_int_equal(st.code, GENAIR_USAGE);
}

static void what_cannot_be_asked_is_told(void **state) {
    const struct opened *f = *state;
    genair_status st = {0};
    assert_null(answer(f, genair_recommender_recommend, options("similar", "item", "i7", NULL), &st));
    assert_int_equal(st.code, GENAIR_USAGE);
    genair_options *other = options("similar", "workspace", f->workspace, "run", "base", NULL);
    genair_recommender *r = NULL;
    assert_int_equal(genair_recommender_open(f->ctx, other, &r, NULL), GENAIR_USAGE);
    genair_options_free(other);
    st = (genair_status){0};
    assert_null(answer(f, genair_recommender_similar, options("similar", NULL), &st));
    assert_non_null(strstr(st.message, "--item"));
    st = (genair_status){0};
    assert_null(answer(f, genair_recommender_recommend, options("recommend", "user", "u3", "history", "i7", NULL), &st));
    assert_non_null(strstr(st.message, "not both"));
    char text[] = "text";
    genair_status_text(NULL, text, sizeof text);
    assert_string_equal(text, "");
    st = (genair_status){0};
    assert_null(open_run(f, "none", &st));
    assert_non_null(strstr(st.message, "no finished run 'none'"));
}

static float score(const float *a, const float *b, size_t n) {
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void vectors_give_the_scores(void **state) {
    const struct opened *f = *state;
    genair_status st = {0};
    size_t columns = 0, size = 0;
    const float *items = genair_recommender_vectors(f->r, &columns);
    assert_non_null(items);
    assert_int_equal(columns, 12);
    float user[12];
    genair_options *o = options("recommend", "history", "i7", "history", "i9", NULL);
    assert_int_equal(genair_recommender_encode(f->r, o, user, NULL), GENAIR_OK);
    genair_options_free(o);
    json_t *best = answer(f, genair_recommender_recommend, options("recommend", "history", "i7", "history", "i9", "k", "1", NULL),
                          &st);
    const char *name = json_string_value(at(best, "items/0/item"));
    const size_t n = genair_recommender_items(f->r);
    size_t row = 0;
    for (; row < n; row++) {
        const char *own = genair_recommender_item(f->r, row, &size);
        if (size == strlen(name) && memcmp(own, name, size) == 0) break;
    }
    assert_true(row < n);
    assert_null(genair_recommender_item(f->r, n, &size));
    assert_true(fabs((double)score(user, items + row * columns, columns) - number_at(best, "items/0/score")) < 1e-4);
    json_decref(best);
}

static void a_method_without_vectors_says_so(void **state) {
    const struct opened *f = *state;
    genair_status st = {0};
    genair_recommender *pop = open_run(f, "pop", &st);
    size_t columns = 99;
    float out[12];
    assert_null(genair_recommender_vectors(pop, &columns));
    genair_options *o = options("recommend", "history", "i7", NULL), *none = options("recommend", NULL);
    assert_int_equal(genair_recommender_encode(pop, o, out, NULL), GENAIR_USAGE);
    assert_int_equal(genair_recommender_encode(f->r, none, out, NULL), GENAIR_USAGE);
    genair_options_free(none);
    genair_options_free(o);
    genair_recommender_free(pop);
}

/* A small catalogue: an approximate index gives the same list, where there can be one. */
static void an_approximate_index_can_be_asked_for(void **state) {
    const struct opened *f = *state;
    genair_options *o = options("recommend", "workspace", f->workspace, "run", "base", "index", "approximate", "probe", "1", NULL),
                   *asked = options("recommend", "history", "i7", NULL);
    genair_recommender *r = NULL;
    genair_status st = {0};
    const genair_code code = genair_recommender_open(f->ctx, o, &r, &st);
    assert_int_equal(code, BUILT_WITH_FAISS ? GENAIR_OK : GENAIR_USAGE);
    if (code == GENAIR_OK) {
        const struct opened by = {.r = r};
        json_t *a = answer(f, genair_recommender_recommend, asked, &st),
               *b = answer(&by, genair_recommender_recommend, options("recommend", "history", "i7", NULL), &st);
        assert_true(json_array_size(json_object_get(a, "items")) > 0);
        assert_true(json_equal(json_object_get(a, "items"), json_object_get(b, "items")));
        json_decref(a);
        json_decref(b);
    } else {
        assert_non_null(strstr(st.message, "libfaiss-dev"));
        genair_options_free(asked);
    }
    genair_recommender_free(r);
    genair_options_free(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_those_of_the_commands), cmocka_unit_test(allow_and_deny_choose),
        cmocka_unit_test(what_cannot_be_asked_is_told),    cmocka_unit_test(vectors_give_the_scores),
        cmocka_unit_test(a_method_without_vectors_says_so), cmocka_unit_test(an_approximate_index_can_be_asked_for),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
