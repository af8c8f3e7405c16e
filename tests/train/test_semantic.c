/* SPDX-License-Identifier: Apache-2.0 */
/* What AlphaFuse makes of a semantic matrix: whitened coordinates that are a function of the rows' configuration alone. */
#include "support/scratch.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "train/semantic.h"
#include "workspace/npy.h"

#include <math.h>
#include <string.h>

enum { ITEMS = 60, WIDTH = 12, HIDDEN = 5 };

static genair_context *ctx;

static int set_up(void **state) {
    return scratch_open(state) || genair_context_create(2, NULL, NULL, &ctx, NULL) != GENAIR_OK;
}

static int tear_down(void **state) {
    genair_context_free(ctx);
    return scratch_close(state);
}

/* The matrix [n, hidden] that alphafuse asks for, of a file's; mem_free. popularity: [n + 1] or NULL; cold: [n + 1]. */
static float *matrix_of(const float *x, size_t n, size_t width, size_t hidden, const char *more, const uint32_t *popularity,
                        const uint8_t *cold) {
    genair_status st = {0};
    char *path = scratch_path("x.npy");
    assert_int_equal(npy_write_f32(path, n, width, x, NULL), GENAIR_OK);
    json_t *options = json_pack("{s:s, s:I}", "semantic", path, "hidden", (json_int_t)hidden);
    json_t *further = json_loads(more, 0, NULL);
    assert_int_equal(json_object_update(options, further), 0);
    const struct dataset data = {.n_items = (uint32_t)n, .popularity = popularity, .cold = cold};
    const struct matrix_request request = method_alphafuse.matrix(options, 0);
    struct method_matrix out;
    if (semantic_open(ctx, "nowhere", options, &data, &request, &out, &st) != GENAIR_OK) fail_msg("%s", st.message);
    assert_int_equal(out.width, hidden);
    json_decref(further);
    json_decref(options);
    mem_free(path);
    return (float *)(uintptr_t)out.values;
}

static float *alphafuse_matrix(const float *x, size_t n, size_t width, size_t hidden, const char *more,
                               const uint32_t *popularity) {
    static const uint8_t none_cold[2 * ITEMS + 1];
    assert_true(n <= 2 * ITEMS);
    return matrix_of(x, n, width, hidden, more, popularity, none_cold);
}

/* Columns of variances from 9 down, off centre; each row a different mixture. */
static void fill(float *x) {
    for (size_t i = 0; i < ITEMS; i++) {
        struct rng r = rng_start(1, RNG_TEST, i);
        for (size_t c = 0; c < WIDTH; c++) x[i * WIDTH + c] = (float)(2 + rng_normal(&r) * 3 / (double)(1 + c));
    }
}

static double product(const float *x, size_t n, size_t width, size_t a, size_t b) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i * width + a] * (double)x[i * width + b];
    return sum;
}

static void whitened_columns_are_orthonormal(void **state) {
    (void)state;
    float x[ITEMS * WIDTH];
    fill(x);
    float *y = alphafuse_matrix(x, ITEMS, WIDTH, HIDDEN, "{}", NULL);
    for (size_t a = 0; a < HIDDEN; a++) {
        double mean = 0;
        for (size_t i = 0; i < ITEMS; i++) mean += (double)y[i * HIDDEN + a] / ITEMS;
        assert_true(fabs(mean) < 1e-5);
        for (size_t b = 0; b < HIDDEN; b++)
            assert_true(fabs(product(y, ITEMS, HIDDEN, a, b) / (ITEMS - 1) - (a == b)) < 1e-5);
    }
    mem_free(y);
}

/* Equal but for the sign of each column. */
static void assert_same_up_to_sign(const float *a, const float *b, size_t n, size_t width) {
    for (size_t c = 0; c < width; c++) {
        double plus = 0, minus = 0;
        for (size_t i = 0; i < n; i++) {
            plus = fmax(plus, fabs((double)a[i * width + c] - (double)b[i * width + c]));
            minus = fmax(minus, fabs((double)a[i * width + c] + (double)b[i * width + c]));
        }
        assert_true(fmin(plus, minus) < 1e-4);
    }
}

/* Scaled by 40 as in the published code, shifted, turned: one plane of columns after the other. */
static void scale_place_and_axes_do_not_matter(void **state) {
    (void)state;
    float x[ITEMS * WIDTH];
    fill(x);
    float *whole = alphafuse_matrix(x, ITEMS, WIDTH, HIDDEN, "{}", NULL);
    for (size_t i = 0; i < ITEMS; i++)
        for (size_t c = 0; c < WIDTH; c++) {
            float *v = x + i * WIDTH + c, *next = x + i * WIDTH + (c + 1) % WIDTH;
            const float turned = 0.8f * *v - 0.6f * *next;
            *next = 0.6f * *v + 0.8f * *next;
            *v = turned;
        }
    for (size_t i = 0; i < ITEMS * WIDTH; i++) x[i] = 40 * x[i] - 7;
    float *other = alphafuse_matrix(x, ITEMS, WIDTH, HIDDEN, "{}", NULL);
    assert_same_up_to_sign(whole, other, ITEMS, HIDDEN);
    mem_free(other);
    mem_free(whole);
}

/* Two axes with two items each: whatever their lengths, every item lies sqrt(1.5) from the centre on its own. */
static void a_cross_becomes_equal_arms(void **state) {
    (void)state;
    const float x[] = {5, 0, -5, 0, 0, 2, 0, -2};
    float *y = alphafuse_matrix(x, 4, 2, 2, "{}", NULL);
    for (size_t i = 0; i < 4; i++) {
        const size_t axis = i / 2;
        assert_true(fabs(fabs((double)y[2 * i + axis]) - 1.224744871) < 1e-6);
        assert_true(fabs((double)y[2 * i + 1 - axis]) < 1e-6);
    }
    mem_free(y);
}

/* Principal components beyond those kept carry nothing of them. */
static void components_first_give_the_same(void **state) {
    (void)state;
    float x[ITEMS * WIDTH];
    fill(x);
    float *whole = alphafuse_matrix(x, ITEMS, WIDTH, HIDDEN, "{}", NULL);
    float *reduced = alphafuse_matrix(x, ITEMS, WIDTH, HIDDEN + 2, "{\"alphafuse-standardize\": \"no\"}", NULL);
    float *again = alphafuse_matrix(reduced, ITEMS, HIDDEN + 2, HIDDEN, "{}", NULL);
    assert_same_up_to_sign(whole, again, ITEMS, HIDDEN);
    assert_true(product(reduced, ITEMS, HIDDEN + 2, 0, 0) > 4 * product(reduced, ITEMS, HIDDEN + 2, HIDDEN, HIDDEN));
    mem_free(again);
    mem_free(reduced);
    mem_free(whole);
}

/* A column that is next to none is not blown up to variance 1. */
static void noise_is_not_whitened(void **state) {
    (void)state;
    float x[ITEMS * 3];
    for (size_t i = 0; i < ITEMS; i++) {
        struct rng r = rng_start(2, RNG_TEST, i);
        for (size_t c = 0; c < 3; c++) x[i * 3 + c] = (float)(rng_normal(&r) * (c == 2 ? 3e-6 : 1));
    }
    float *y = alphafuse_matrix(x, ITEMS, 3, HIDDEN, "{}", NULL);
    assert_true(fabs(product(y, ITEMS, HIDDEN, 1, 1) / (ITEMS - 1) - 1) < 1e-5);
    for (size_t i = 0; i < ITEMS; i++)
        for (size_t c = 2; c < HIDDEN; c++) assert_true(y[i * HIDDEN + c] == 0);
    mem_free(y);
}

/* As if each item stood in the matrix as often as it was chosen. */
static void popular_items_count_more(void **state) {
    (void)state;
    float x[ITEMS * WIDTH], twice[2 * ITEMS * WIDTH];
    uint32_t popularity[ITEMS + 1] = {0};
    size_t n = 0;
    fill(x);
    for (size_t i = 0; i < ITEMS; i++)
        for (popularity[i + 1] = 0; popularity[i + 1] < i % 3; popularity[i + 1]++)
            memcpy(twice + WIDTH * n++, x + i * WIDTH, WIDTH * sizeof *x);
    float *y = alphafuse_matrix(x, ITEMS, WIDTH, HIDDEN, "{\"alphafuse-weight\": \"popularity\"}", popularity);
    float *z = alphafuse_matrix(twice, n, WIDTH, HIDDEN, "{}", NULL);
    for (size_t i = 0, at = 0; i < ITEMS; at += i++ % 3)
        if (i % 3) assert_memory_equal(y + i * HIDDEN, z + at * HIDDEN, HIDDEN * sizeof *y);
    float *plain = alphafuse_matrix(x, ITEMS, WIDTH, HIDDEN, "{}", NULL);
    assert_memory_not_equal(y, plain, ITEMS * HIDDEN * sizeof *y);
    mem_free(plain);
    mem_free(z);
    mem_free(y);
}

/* The last third may hold whatever: the others' rows are those of a matrix without it. */
static void cold_items_choose_no_axes(void **state) {
    (void)state;
    enum { WARM = 2 * ITEMS / 3 };
    float x[ITEMS * WIDTH];
    uint8_t cold[ITEMS + 1] = {0};
    fill(x);
    memset(cold + 1 + WARM, 1, ITEMS - WARM);
    for (size_t i = WARM * WIDTH; i < ITEMS * WIDTH; i++) x[i] = 50 * x[i] + 3;
    float *y = matrix_of(x, ITEMS, WIDTH, HIDDEN, "{}", NULL, cold);
    float *z = alphafuse_matrix(x, WARM, WIDTH, HIDDEN, "{}", NULL);
    assert_memory_equal(y, z, WARM * HIDDEN * sizeof *y);
    mem_free(z);
    mem_free(y);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(whitened_columns_are_orthonormal),
                                       cmocka_unit_test(scale_place_and_axes_do_not_matter),
                                       cmocka_unit_test(a_cross_becomes_equal_arms),
                                       cmocka_unit_test(components_first_give_the_same),
                                       cmocka_unit_test(noise_is_not_whitened),
                                       cmocka_unit_test(popular_items_count_more),
                                       cmocka_unit_test(cold_items_choose_no_axes)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
