/* SPDX-License-Identifier: Apache-2.0 */
/* The most similar users against all pairs one by one. Rows hold a few -1 and 1: their cosines are exact, and many are
 * equal. */
#include "train/similar_users.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { WIDTH = 16, MANY = 2300 };

static float *make_users(size_t n) {
    float *x = mem_array(n * WIDTH, sizeof *x);
    assert_non_null(x);
    struct rng r = rng_start(5, RNG_TEST, n);
    for (size_t i = 0; i < n * WIDTH; i++) x[i] = i / WIDTH % 97 == 13 ? 0 : rng_below(&r, 2) ? 3 : -3; /* some rows of zeros */
    return x;
}

static int32_t *find(int threads, size_t n) {
    genair_context *ctx;
    int32_t *out;
    float *users = make_users(n);
    assert_int_equal(genair_context_create(threads, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(similar_users_find(ctx, users, n, WIDTH, &out, NULL), GENAIR_OK);
    genair_context_free(ctx);
    mem_free(users);
    return out;
}

static int dot(const float *a, const float *b) {
    float sum = 0;
    for (size_t c = 0; c < WIDTH; c++) sum += a[c] * b[c] / 9;
    return (int)sum;
}

/* How many of the others come before user b for user a. */
static size_t place(const float *users, size_t n, size_t a, size_t b) {
    const int score = dot(users + a * WIDTH, users + b * WIDTH);
    size_t before = 0;
    for (size_t c = 0; c < n; c++) {
        const int other = dot(users + a * WIDTH, users + c * WIDTH);
        before += c != a && c != b && (other > score || (other == score && c < b));
    }
    return before;
}

static void as_all_pairs_say(void **state) {
    (void)state;
    int32_t *found = find(3, MANY);
    float *users = make_users(MANY);
    for (size_t u = 0; u < MANY; u += 41)
        for (size_t i = 0; i < SIMILAR_USERS; i++) {
            const int32_t other = found[u * SIMILAR_USERS + i];
            assert_in_range(other, 0, MANY - 1);
            assert_int_not_equal(other, u);
            assert_int_equal(place(users, MANY, u, (size_t)other), i);
        }
    int32_t *alone = find(1, MANY);
    assert_memory_equal(found, alone, MANY * SIMILAR_USERS * sizeof *found);
    mem_free(found);
    mem_free(alone);
    mem_free(users);
}

static void few_users(void **state) {
    (void)state;
    int32_t *found = find(2, 5);
    for (size_t u = 0; u < 5; u++)
        for (size_t i = 0; i < SIMILAR_USERS; i++) {
            const int32_t other = found[u * SIMILAR_USERS + i];
            if (i < 4)
                assert_true(other >= 0 && other < 5 && other != (int32_t)u);
            else
                assert_int_equal(other, -1);
        }
    mem_free(found);
    found = find(1, 1);
    assert_int_equal(found[0], -1);
    mem_free(found);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_all_pairs_say), cmocka_unit_test(few_users)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
