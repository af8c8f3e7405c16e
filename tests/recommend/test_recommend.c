/* SPDX-License-Identifier: Apache-2.0 */
/* recommend and similar through the library on a workspace; likeness by vectors on a made-up run.
 */
#include "evaluate/fixture.h"
#include "ranking/fake_model.h"

#include "base/alloc.h"
#include "ranking/score_row.h"
#include "recommend/likeness.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static bool lists(json_t *items, const char *item) {
    for (size_t i = 0; i < json_array_size(items); i++)
        if (strcmp(json_string_value(at(json_array_get(items, i), "item")), item) == 0) return true;
    return false;
}

static void expect_descending(json_t *items, size_t n) {
    assert_int_equal(json_array_size(items), n);
    for (size_t i = 1; i < n; i++)
        assert_true(number_at(json_array_get(items, i - 1), "score") >=
                    number_at(json_array_get(items, i), "score"));
}

static void history_is_left_out(void **state) {
    (void)state;
    genair_status st;
    json_t *all = fixture_stage(genair_recommend, "recommend", &st, "run", "pop", "history", "i7",
                                "k", "5", NULL);
    if (!all) fail_msg("%s", st.message);
    expect_descending(at(all, "items"), 5);
    const char *first = json_string_value(at(all, "items/0/item"));
    json_t *without = fixture_stage(genair_recommend, "recommend", &st, "run", "pop", "history",
                                    "i7", "history", first, "k", "4", NULL);
    if (!without) fail_msg("%s", st.message);
    assert_false(lists(at(without, "items"), first));
    for (size_t i = 0; i < 4; i++) /* what was second is first now */
        assert_string_equal(json_string_value(at(json_array_get(at(without, "items"), i), "item")),
                            json_string_value(at(json_array_get(at(all, "items"), i + 1), "item")));
    json_decref(without);
    json_decref(all);
}

static void users_get_names_and_reasons(void **state) {
    (void)state;
    genair_status st;
    json_t *o = fixture_stage(genair_recommend, "recommend", &st, "run", "knn", "user", "u3",
                              "user", "u5", "k", "3", "explain", "yes", NULL);
    if (!o) fail_msg("%s", st.message);
    assert_int_equal(json_array_size(at(o, "users")), 2);
    assert_string_equal(json_string_value(at(o, "users/1/user")), "u5");
    size_t n_named = 0;
    for (size_t u = 0; u < 2; u++) {
        json_t *items = at(json_array_get(at(o, "users"), u), "items"), *item;
        size_t i;
        expect_descending(items, 3);
        json_array_foreach(items, i, item) {
            unsigned number;
            assert_int_equal(sscanf(json_string_value(at(item, "item")), "i%u", &number), 1);
            char name[32];
            snprintf(name, sizeof name, "Item %u", number);
            const char *shown = json_string_value(json_object_get(item, "name"));
            assert_true(number >= FIXTURE_ITEMS / 2 ? !shown : shown && strcmp(shown, name) == 0);
            n_named += shown != NULL;
            if (number_at(item, "score") > 0) assert_true(number_at(item, "likeness") > 0);
        }
    }
    assert_true(n_named > 0);
    json_decref(o);
}

static void unknown_names_are_told(void **state) {
    (void)state;
    genair_status st;
    assert_null(
        fixture_stage(genair_recommend, "recommend", &st, "run", "knn", "user", "somebody", NULL));
    assert_int_equal(st.code, GENAIR_USAGE);
    assert_non_null(strstr(st.message, "no user 'somebody'"));
    assert_null(fixture_stage(genair_recommend, "recommend", &st, "run", "knn", "history", "i7",
                              "history", "item-7", NULL));
    assert_int_equal(st.code, GENAIR_USAGE);
    assert_non_null(strstr(st.message, "no item 'item-7'"));
    assert_null(fixture_stage(genair_similar, "similar", &st, "run", "knn", "item", "i77x", NULL));
    assert_non_null(strstr(st.message, "did you mean 'i77'"));
    assert_null(fixture_stage(genair_recommend, "recommend", &st, "run", "knn", NULL));
    assert_int_equal(st.code, GENAIR_USAGE);
    assert_null(fixture_stage(genair_recommend, "recommend", &st, "run", "knn", "user", "u3",
                              "history", "i7", NULL));
    assert_non_null(strstr(st.message, "not both"));
    assert_null(
        fixture_stage(genair_recommend, "recommend", &st, "run", "none", "user", "u3", NULL));
    assert_non_null(strstr(st.message, "no finished run 'none'"));
}

static void lists_end_with_the_catalogue(void **state) {
    (void)state;
    genair_status st;
    json_t *o = fixture_stage(genair_recommend, "recommend", &st, "run", "pop", "history", "i7",
                              "k", "100000", NULL);
    if (!o) fail_msg("%s", st.message);
    const size_t n = json_array_size(at(o, "items"));
    assert_true(n > FIXTURE_ITEMS / 2 && n < FIXTURE_ITEMS);
    expect_descending(at(o, "items"), n);
    json_decref(o);
}

static void similar_by_score_or_not_at_all(void **state) {
    (void)state;
    genair_status st;
    json_t *o =
        fixture_stage(genair_similar, "similar", &st, "run", "knn", "item", "i21", "k", "4", NULL);
    if (!o) fail_msg("%s", st.message);
    expect_descending(at(o, "items"), 4);
    assert_false(lists(at(o, "items"), "i21"));
    assert_string_equal(json_string_value(at(o, "measure")), "score");
    assert_string_equal(json_string_value(at(o, "of_name")), "Item 21");
    json_decref(o);
    assert_null(fixture_stage(genair_similar, "similar", &st, "run", "pop", "item", "i21", NULL));
    assert_int_equal(st.code, GENAIR_USAGE);
}

static void a_cut_item_file_is_told(void **state) {
    (void)state;
    genair_status st;
    char path[256];
    snprintf(path, sizeof path, "%s/items.jsonl", workspace);
    assert_int_equal(truncate(path, 100), 0);
    assert_null(
        fixture_stage(genair_recommend, "recommend", &st, "run", "pop", "history", "i7", NULL));
    assert_int_equal(st.code, GENAIR_FORMAT);
    assert_non_null(strstr(st.file, "items.jsonl"));
}

static void likeness_is_the_cosine(void **state) {
    (void)state;
    enum { ITEMS = 40, WIDTH = 20 };
    struct fake_model *m = fake_model(ITEMS, WIDTH, 0, 3);
    memset(m->vectors + 9 * WIDTH, 0, WIDTH * sizeof *m->vectors);
    const struct run r = {.scorer = m->scorer};
    float row[ITEMS + 1], some[3], scratch[ITEMS + 1];
    const uint32_t others[] = {5, 9, 40};
    assert_string_equal(likeness_measure(&r), "cosine");
    assert_int_equal(likeness_row(&r, 7, row, NULL), GENAIR_OK);
    assert_int_equal(likeness_of(&r, 7, others, 3, scratch, some, NULL), GENAIR_OK);
    for (size_t j = 1; j <= ITEMS; j++) {
        double dot = 0, a = 0, b = 0;
        for (size_t i = 0; i < WIDTH; i++) {
            const double x = (double)m->vectors[7 * WIDTH + i],
                         y = (double)m->vectors[j * WIDTH + i];
            dot += x * y, a += x * x, b += y * y;
        }
        assert_true(fabs((j == 9 ? 0 : dot / sqrt(a * b)) - (double)row[j]) < 1e-5);
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(some[i] == row[others[i]]);
    m->vectors[12 * WIDTH] = NAN;
    genair_status st = {0};
    assert_int_equal(likeness_row(&r, 7, row, &st), GENAIR_FORMAT);
    fake_model_free(m);
}

static void rows_of_vectors_and_scores_agree(void **state) {
    (void)state;
    enum { ITEMS = 50, WIDTH = 24 };
    struct fake_model *m = fake_model(ITEMS, WIDTH, 1, 4); /* small integers: exact */
    const uint32_t history[] = {4, 9, 4};
    float a[ITEMS + 1], b[ITEMS + 1];
    assert_int_equal(score_row(&m->scorer, history, 3, a, NULL), GENAIR_OK);
    assert_int_equal(score_row(&m->rows, history, 3, b, NULL), GENAIR_OK);
    assert_memory_equal(a, b, sizeof a);
    m->vectors[30 * WIDTH + 2] = INFINITY;
    genair_status st = {0};
    assert_int_equal(score_row(&m->scorer, history, 3, a, &st), GENAIR_FORMAT);
    fake_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_is_left_out),
        cmocka_unit_test(users_get_names_and_reasons),
        cmocka_unit_test(unknown_names_are_told),
        cmocka_unit_test(lists_end_with_the_catalogue),
        cmocka_unit_test(similar_by_score_or_not_at_all),
        cmocka_unit_test(likeness_is_the_cosine),
        cmocka_unit_test(rows_of_vectors_and_scores_agree),
        cmocka_unit_test(a_cut_item_file_is_told), /* last: it damages the workspace */
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
