/* SPDX-License-Identifier: Apache-2.0 */
/* The screened list is the list of scoring everything: same items, same scores to the bit. */
#include "fake_model.h"

#include "base/rng.h"
#include "kernels/kernels.h"
#include "ranking/score_row.h"
#include "ranking/screen.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void by_all(const struct scorer *s, const float *user, const struct choice *c, struct topk *best) {
    float *row = malloc(((size_t)s->n_items + 1) * sizeof *row);
    assert_int_equal(score_row_of(s, user, row, NULL), GENAIR_OK);
    choice_apply(c, row, s->n_items);
    topk_push_row(best, kernels_select(NULL), row, (size_t)s->n_items + 1, 0);
    topk_sort(best);
    free(row);
}

static void expect_equal(struct topk a, struct topk b) {
    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++) {
        assert_int_equal(a.entries[i].id, b.entries[i].id);
        assert_memory_equal(&a.entries[i].score, &b.entries[i].score, sizeof(float));
    }
    free(a.entries);
    free(b.entries);
}

static struct topk list_of(size_t k) {
    return (struct topk){.k = k, .entries = calloc(k, sizeof(struct scored))};
}

static void expect_same(const struct scorer *s, const struct screen *screen, const float *user, size_t k,
                        const uint32_t *excluded, size_t n_excluded, size_t most_checked) {
    struct topk a = list_of(k), b = list_of(k);
    const struct choice c = {.excluded = excluded, .n_excluded = n_excluded};
    struct screen_reading reading = {0};
    by_all(s, user, &c, &a);
    assert_int_equal(screen_best(screen, user, &c, &b, &reading, NULL), GENAIR_OK);
    assert_true(reading.vectors <= most_checked);
    expect_equal(a, b);
}

static size_t expect_same_nearest(const struct scorer *s, const struct screen *screen, const uint32_t *items, size_t n, size_t k,
                                  const struct choice *c) {
    struct topk a = list_of(k), b = list_of(k);
    float *row = malloc(((size_t)s->n_items + 1) * sizeof *row);
    struct screen_reading reading = {0};
    row[0] = -INFINITY;
    for (uint32_t i = 1; i <= s->n_items; i++) assert_int_equal(score_cosines(s, items, n, i, &row[i], NULL), GENAIR_OK);
    choice_apply(c, row, s->n_items);
    topk_push_row(&a, kernels_select(NULL), row, (size_t)s->n_items + 1, 0);
    topk_sort(&a);
    free(row);
    assert_int_equal(screen_nearest(screen, items, n, c, &b, &reading, NULL), GENAIR_OK);
    expect_equal(a, b);
    return reading.vectors;
}

static void draw_user(float *user, size_t width, uint64_t number, bool exact) {
    struct rng r = rng_start(5, RNG_TEST, number);
    for (size_t k = 0; k < width; k++)
        user[k] = exact ? (float)rng_below(&r, 5) - 2 : (float)rng_unit(&r) - 0.5f;
}

/* Widths with and without a rest, random vectors and small integers with many equal scores. */
static void lists_are_the_same(void **state) {
    (void)state;
    static const struct {
        uint32_t n_items;
        size_t width;
        int exact;
    } cases[] = {{20011, 128, 0}, {70001, 37, 0}, {40000, 64, 1}, {131072, 16, 1}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const uint32_t n = cases[c].n_items;
        struct fake_model *m = fake_model(n, cases[c].width, cases[c].exact, 3 + c);
        struct screen *screen = NULL;
        float user[128];
        const uint32_t excluded[] = {1, 2, 17, n / 2, n - 1, n};
        assert_int_equal(screen_create(&m->scorer, NULL, &screen, NULL), GENAIR_OK);
        assert_non_null(screen);
        for (uint64_t u = 0; u < 6; u++) {
            draw_user(user, cases[c].width, u, cases[c].exact);
            const size_t most = cases[c].exact ? n : n / 20;
            expect_same(&m->scorer, screen, user, 1, NULL, 0, most);
            expect_same(&m->scorer, screen, user, 10, excluded, 6, most);
            expect_same(&m->scorer, screen, user, 200, excluded, 6, n);
        }
        memset(user, 0, sizeof user); /* every score is 0: the smallest ids */
        expect_same(&m->scorer, screen, user, 10, excluded, 6, n);
        screen_free(screen);
        fake_model_free(m);
    }
}

/* The best is excluded: the second best comes first. k beyond the catalogue: all of it. */
static void exclusions_and_large_k(void **state) {
    (void)state;
    enum { ITEMS = 66000, WIDTH = 32 };
    struct fake_model *m = fake_model(ITEMS, WIDTH, 0, 9);
    struct screen *screen = NULL;
    float user[WIDTH];
    struct scored first;
    draw_user(user, WIDTH, 1, false);
    assert_int_equal(screen_create(&m->scorer, NULL, &screen, NULL), GENAIR_OK);
    struct topk one = {.k = 1, .entries = &first};
    assert_int_equal(screen_best(screen, user, NULL, &one, NULL, NULL), GENAIR_OK);
    const uint32_t excluded = first.id;
    expect_same(&m->scorer, screen, user, 3, &excluded, 1, ITEMS / 20);
    expect_same(&m->scorer, screen, user, ITEMS + 5, &excluded, 1, ITEMS);
    screen_free(screen);
    fake_model_free(m);
}

/* A few long vectors among short ones, and a component far larger than its neighbours: the intervals are wide, the list
 * is the same. */
static void uneven_vectors(void **state) {
    (void)state;
    enum { ITEMS = 70000, WIDTH = 32 };
    struct fake_model *m = fake_model(ITEMS, WIDTH, 0, 11);
    struct screen *screen = NULL;
    float user[WIDTH];
    for (size_t i = 1; i <= ITEMS; i += 997)
        for (size_t k = 0; k < WIDTH; k++)
            m->vectors[i * WIDTH + k] *= k == i % WIDTH ? 1e4f : 1e-3f;
    memset(m->vectors + 50 * WIDTH, 0, WIDTH * sizeof *m->vectors);
    assert_int_equal(screen_create(&m->scorer, NULL, &screen, NULL), GENAIR_OK);
    for (uint64_t u = 0; u < 4; u++) {
        draw_user(user, WIDTH, u, false);
        expect_same(&m->scorer, screen, user, 10, NULL, 0, ITEMS);
    }
    screen_free(screen);
    fake_model_free(m);
}

/* Nearest items of one and of several, by vectors of uneven length, zeros among them, and with filters. */
static void nearest_items_are_the_same(void **state) {
    (void)state;
    enum { ITEMS = 70000, WIDTH = 32 };
    static uint32_t even[ITEMS / 2];
    struct fake_model *m = fake_model(ITEMS, WIDTH, 0, 21);
    struct screen *screen = NULL;
    for (size_t i = 1; i <= ITEMS; i++)
        for (size_t k = 0; k < WIDTH; k++) m->vectors[i * WIDTH + k] *= i % 1000 == 0 ? 3.0f : i % 3 ? 1.0f : 0.7f;
    memset(m->vectors + 50 * WIDTH, 0, WIDTH * sizeof *m->vectors);
    memcpy(m->vectors + 51 * WIDTH, m->vectors + 7 * WIDTH, WIDTH * sizeof *m->vectors);
    for (uint32_t i = 0; i < ITEMS / 2; i++) even[i] = 2 * (i + 1);
    assert_int_equal(screen_create(&m->scorer, NULL, &screen, NULL), GENAIR_OK);
    assert_true(screen_has_nearest(screen));
    const uint32_t items[] = {7, 50, 1000, 40001, 69999};
    const struct choice all = {0}, some = {.excluded = items, .n_excluded = 5, .allowed = even, .n_allowed = ITEMS / 2, .only_allowed = true},
                        none = {.only_allowed = true};
    for (size_t i = 0; i < 5; i++) {
        const size_t checked = expect_same_nearest(&m->scorer, screen, &items[i], 1, 10, &all);
        if (i != 1) assert_true(checked < ITEMS / 10); /* to a vector of zeros nothing is near */
        expect_same_nearest(&m->scorer, screen, &items[i], 1, 100, &some);
    }
    assert_true(expect_same_nearest(&m->scorer, screen, items, 5, 10, &all) < ITEMS / 10);
    expect_same_nearest(&m->scorer, screen, items, 5, 10, &some);
    expect_same_nearest(&m->scorer, screen, items, 5, ITEMS + 5, &some);
    expect_same_nearest(&m->scorer, screen, even, 300, 10, &some);
    expect_same_nearest(&m->scorer, screen, items, 5, 10, &none);
    screen_free(screen);
    screen = NULL;
    for (size_t k = 0; k < WIDTH; k++) m->vectors[9 * WIDTH + k] = 1e-20f;
    assert_int_equal(screen_create(&m->scorer, NULL, &screen, NULL), GENAIR_OK);
    assert_false(screen_has_nearest(screen));
    screen_free(screen);
    fake_model_free(m);
}

static void what_cannot_be_screened(void **state) {
    (void)state;
    enum { ITEMS = 70000, WIDTH = 32 };
    struct fake_model *m = fake_model(ITEMS, WIDTH, 0, 12);
    struct screen *screen = NULL;
    struct scorer small = m->scorer;
    small.n_items = 1000;
    assert_int_equal(screen_create(&small, NULL, &screen, NULL), GENAIR_OK);
    assert_null(screen);
    assert_int_equal(screen_create(&m->rows, NULL, &screen, NULL), GENAIR_OK);
    assert_null(screen);
    assert_int_equal(screen_create(&m->scorer, NULL, &screen, NULL), GENAIR_OK);
    float user[WIDTH] = {NAN};
    struct scored entry;
    struct topk one = {.k = 1, .entries = &entry};
    assert_int_equal(screen_best(screen, user, NULL, &one, NULL, NULL), GENAIR_FORMAT);
    screen_free(screen);
    screen = NULL;
    m->vectors[ITEMS * WIDTH + 3] = NAN;
    assert_int_equal(screen_create(&m->scorer, NULL, &screen, NULL), GENAIR_OK);
    assert_null(screen);
    fake_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_the_same),
        cmocka_unit_test(exclusions_and_large_k),
        cmocka_unit_test(uneven_vectors),
        cmocka_unit_test(nearest_items_are_the_same),
        cmocka_unit_test(what_cannot_be_screened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
