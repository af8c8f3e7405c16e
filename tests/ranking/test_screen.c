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

static void by_all(const struct scorer *s, const float *user, const uint32_t *excluded, size_t n_excluded,
                   struct topk *best) {
    float *row = malloc(((size_t)s->n_items + 1) * sizeof *row);
    assert_int_equal(score_row_of(s, user, row, NULL), GENAIR_OK);
    for (size_t i = 0; i < n_excluded; i++)
        row[excluded[i]] = -INFINITY;
    topk_push_row(best, kernels_select(NULL), row, (size_t)s->n_items + 1, 0);
    topk_sort(best);
    free(row);
}

static void expect_same(const struct scorer *s, const struct screen *screen, const float *user, size_t k,
                        const uint32_t *excluded, size_t n_excluded, size_t most_checked) {
    struct topk a = {.k = k, .entries = calloc(k, sizeof *a.entries)}, b = {.k = k, .entries = calloc(k, sizeof *b.entries)};
    size_t checked = 0;
    by_all(s, user, excluded, n_excluded, &a);
    assert_int_equal(screen_best(screen, user, excluded, n_excluded, &b, &checked, NULL), GENAIR_OK);
    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++) {
        assert_int_equal(a.entries[i].id, b.entries[i].id);
        assert_memory_equal(&a.entries[i].score, &b.entries[i].score, sizeof(float));
    }
    assert_true(checked <= most_checked);
    free(a.entries);
    free(b.entries);
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
        assert_int_equal(screen_create(&m->scorer, &screen, NULL), GENAIR_OK);
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
    assert_int_equal(screen_create(&m->scorer, &screen, NULL), GENAIR_OK);
    struct topk one = {.k = 1, .entries = &first};
    assert_int_equal(screen_best(screen, user, NULL, 0, &one, NULL, NULL), GENAIR_OK);
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
    assert_int_equal(screen_create(&m->scorer, &screen, NULL), GENAIR_OK);
    for (uint64_t u = 0; u < 4; u++) {
        draw_user(user, WIDTH, u, false);
        expect_same(&m->scorer, screen, user, 10, NULL, 0, ITEMS);
    }
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
    assert_int_equal(screen_create(&small, &screen, NULL), GENAIR_OK);
    assert_null(screen);
    assert_int_equal(screen_create(&m->rows, &screen, NULL), GENAIR_OK);
    assert_null(screen);
    assert_int_equal(screen_create(&m->scorer, &screen, NULL), GENAIR_OK);
    float user[WIDTH] = {NAN};
    struct scored entry;
    struct topk one = {.k = 1, .entries = &entry};
    assert_int_equal(screen_best(screen, user, NULL, 0, &one, NULL, NULL), GENAIR_FORMAT);
    screen_free(screen);
    screen = NULL;
    m->vectors[ITEMS * WIDTH + 3] = NAN;
    assert_int_equal(screen_create(&m->scorer, &screen, NULL), GENAIR_OK);
    assert_null(screen);
    fake_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_the_same),
        cmocka_unit_test(exclusions_and_large_k),
        cmocka_unit_test(uneven_vectors),
        cmocka_unit_test(what_cannot_be_screened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
