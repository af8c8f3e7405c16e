/* SPDX-License-Identifier: Apache-2.0 */
/* pop, itemknn and ease against their formulas on dense matrices in float64. */
#include "ranking/fake_dataset.h"

#include "base/alloc.h"
#include "base/files.h"
#include "model/closed_form.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { USERS = 90, ITEMS = 23, COLUMNS = ITEMS + 1 };

static char directory[] = "/tmp/genair-closed-form-XXXXXX";

static struct dataset *data;
static double chosen[USERS][COLUMNS]; /* X: 1 where the user's training part holds the item */

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(directory)) return -1;
    data = fake_dataset(USERS, ITEMS, 5);
    for (uint32_t u = 0; u < USERS; u++)
        for (uint32_t i = 0; i < data->n_train[u]; i++)
            chosen[u][data->item[data->start[u] + i]] = 1;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    unlink(path);
    rmdir(directory);
    fake_dataset_free(data);
    return 0;
}

/* Fits with option = value and returns the scores of a history. */
static void fit_and_score(const char *method, int threads, const char *option, const char *value,
                          size_t n, const uint32_t *items, float *out) {
    genair_status st = {0};
    genair_context *ctx;
    genair_options *o;
    struct scorer s;
    const uint64_t offsets[] = {0, n};
    const struct histories h = {.n = 1, .offsets = offsets, .items = items};
    assert_int_equal(genair_context_create(threads, NULL, NULL, &ctx, &st), GENAIR_OK);
    assert_int_equal(genair_options_create("train", &o, &st), GENAIR_OK);
    assert_int_equal(genair_options_set(o, option, value, &st), GENAIR_OK);
    if (closed_form_fit(ctx, o, method, data, directory, &st) != GENAIR_OK)
        fail_msg("%s", st.message);
    if (closed_form_open(method, directory, data, &s, &st) != GENAIR_OK) fail_msg("%s", st.message);
    assert_true(s.scores && !s.encode && s.n_items == ITEMS);
    assert_int_equal(s.scores(s.model, &h, out, &st), GENAIR_OK);
    closed_form_close(&s);
    genair_options_free(o);
    genair_context_free(ctx);
}

static void expect_close(const char *what, const double *want, const float *got, double tolerance) {
    for (size_t i = 1; i < COLUMNS; i++)
        if (!(fabs(want[i] - (double)got[i]) <= tolerance))
            fail_msg("%s: item %zu expected %.9g, found %.9g", what, i, want[i], (double)got[i]);
}

static void pop_counts_the_training_parts(void **state) {
    (void)state;
    double want[COLUMNS] = {0}, recent[COLUMNS] = {0};
    int64_t last = 0;
    for (uint32_t u = 0; u < USERS; u++)
        for (uint32_t i = 0; i < data->n_train[u]; i++)
            if (data->time[data->start[u] + i] > last) last = data->time[data->start[u] + i];
    for (uint32_t u = 0; u < USERS; u++)
        for (uint32_t i = 0; i < data->n_train[u]; i++) {
            const uint64_t at = data->start[u] + i;
            want[data->item[at]]++;
            recent[data->item[at]] += last - data->time[at] <= 20 * 86400000LL;
        }
    float got[COLUMNS];
    fit_and_score("pop", 1, "pop-window", "0", 0, NULL, got);
    expect_close("pop", want, got, 0);
    fit_and_score("pop", 1, "pop-window", "20", 0, NULL, got);
    expect_close("pop of 20 days", recent, got, 0);
}

static const uint32_t history[] = {3, 7, 3, 12}; /* 3 counts once */
static const uint32_t distinct[] = {3, 7, 12};

static void itemknn_is_the_cosine(void **state) {
    (void)state;
    double shared[COLUMNS][COLUMNS] = {{0}}, want[COLUMNS] = {0};
    for (size_t i = 1; i < COLUMNS; i++)
        for (size_t j = 1; j < COLUMNS; j++)
            for (size_t u = 0; u < USERS; u++)
                shared[i][j] += chosen[u][i] * chosen[u][j];
    for (size_t h = 0; h < 3; h++)
        for (size_t j = 1; j < COLUMNS; j++) {
            const size_t i = distinct[h];
            if (i != j) want[j] += shared[i][j] / (sqrt(shared[i][i] * shared[j][j]) + 2.5);
        }
    float one[COLUMNS], more[COLUMNS], few[COLUMNS];
    fit_and_score("itemknn", 1, "knn-shrinkage", "2.5", 4, history, one);
    expect_close("itemknn", want, one, 1e-6);
    fit_and_score("itemknn", 3, "knn-shrinkage", "2.5", 4, history, more);
    assert_memory_equal(one, more, sizeof one);
    /* one neighbour: the nearest, the smaller id among equals */
    size_t nearest = 0;
    for (size_t j = 1; j < COLUMNS; j++)
        if (j != 7 && (!nearest || shared[7][j] / sqrt(shared[j][j]) >
                                       shared[7][nearest] / sqrt(shared[nearest][nearest]) + 1e-12))
            nearest = j;
    fit_and_score("itemknn", 2, "knn-neighbours", "1", 1, distinct + 1, few);
    for (size_t j = 1; j < COLUMNS; j++)
        assert_true((few[j] > 0) == (j == nearest));
}

/* Gauss-Jordan elimination of a symmetric positive definite matrix. */
static void invert(double a[ITEMS][2 * ITEMS]) {
    for (size_t p = 0; p < ITEMS; p++) {
        const double pivot = a[p][p];
        for (size_t j = 0; j < 2 * ITEMS; j++)
            a[p][j] /= pivot;
        for (size_t i = 0; i < ITEMS; i++) {
            const double factor = a[i][p];
            for (size_t j = 0; i != p && j < 2 * ITEMS; j++)
                a[i][j] -= factor * a[p][j];
        }
    }
}

static void ease_is_the_closed_form(void **state) {
    (void)state;
    static double a[ITEMS][2 * ITEMS];
    double want[COLUMNS] = {0};
    for (size_t i = 0; i < ITEMS; i++) {
        for (size_t j = 0; j < ITEMS; j++)
            for (size_t u = 0; u < USERS; u++)
                a[i][j] += chosen[u][i + 1] * chosen[u][j + 1];
        a[i][i] += 5;
        a[i][ITEMS + i] = 1;
    }
    invert(a);
    for (size_t h = 0; h < 3; h++)
        for (size_t j = 1; j < COLUMNS; j++)
            if (distinct[h] != j)
                want[j] -= a[distinct[h] - 1][ITEMS + j - 1] / a[j - 1][ITEMS + j - 1];
    float got[COLUMNS];
    fit_and_score("ease", 2, "ease-lambda", "5", 4, history, got);
    expect_close("ease", want, got, 1e-6);
    assert_true(got[0] == 0);
}

static void empty_histories_score_nothing(void **state) {
    (void)state;
    float got[COLUMNS];
    fit_and_score("itemknn", 1, "knn-shrinkage", "0", 0, history, got);
    for (size_t j = 0; j < COLUMNS; j++)
        assert_true(got[j] == 0);
}

static void files_of_other_data_are_refused(void **state) {
    (void)state;
    genair_status st = {0};
    struct scorer s;
    float got[COLUMNS];
    struct dataset *other = fake_dataset(10, ITEMS + 1, 1);
    fit_and_score("pop", 1, "pop-window", "0", 0, NULL, got);
    assert_int_equal(closed_form_open("pop", directory, other, &s, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "train again"));
    st = (genair_status){0};
    assert_int_equal(closed_form_open("ease", directory, data, &s, &st), GENAIR_FORMAT);
    st = (genair_status){0};
    assert_int_equal(closed_form_open("magic", directory, data, &s, &st), GENAIR_USAGE);
    fake_dataset_free(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pop_counts_the_training_parts), cmocka_unit_test(itemknn_is_the_cosine),
        cmocka_unit_test(ease_is_the_closed_form), cmocka_unit_test(empty_histories_score_nothing),
        cmocka_unit_test(files_of_other_data_are_refused)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
