/* SPDX-License-Identifier: Apache-2.0 */
/* Components against the definition, computed naively; golden numbers are in tests/golden. */
#include "algebra/pca.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"
#include "algebra/entropy.h"

#include "support/scratch.h"

#include <math.h>
#include <string.h>

/* n × width normal numbers of which each column is a mix of the one before, plus an offset. */
static double *random_matrix(uint64_t seed, size_t n, size_t width, double offset) {
    double *x = mem_array(n * width, sizeof *x);
    assert_non_null(x);
    struct rng r = rng_start(seed, RNG_TEST, 0);
    for (size_t i = 0; i < n * width; i++) {
        const double previous = i % width ? x[i - 1] - offset : 0;
        x[i] = offset + 0.7 * previous + rng_normal(&r) / (1 + (double)(i % width) / 8);
    }
    return x;
}

static genair_context *context(int threads) {
    genair_context *ctx = NULL;
    assert_int_equal(genair_context_create(threads, NULL, NULL, &ctx, NULL), GENAIR_OK);
    return ctx;
}

static struct pca fit(genair_context *ctx, const struct rows *x, struct pca_choice choice) {
    struct pca p;
    genair_status st = {0};
    if (pca_fit(ctx, x, choice, &p, &st) != GENAIR_OK) fail_msg("%s", st.message);
    return p;
}

/* cov[a, b] = sum (x_a - mean_a)(x_b - mean_b) / (n - 1) */
static double *naive_covariance(const double *x, size_t n, size_t width) {
    double *cov = mem_zeros(width * width, sizeof *cov), *mean = mem_zeros(width, sizeof *mean);
    assert_true(cov && mean);
    for (size_t i = 0; i < n * width; i++)
        mean[i % width] += x[i] / (double)n;
    for (size_t r = 0; r < n; r++)
        for (size_t a = 0; a < width; a++)
            for (size_t b = 0; b < width; b++)
                cov[a * width + b] +=
                    (x[r * width + a] - mean[a]) * (x[r * width + b] - mean[b]) / (double)(n - 1);
    mem_free(mean);
    return cov;
}

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* C v = λ v, v orthonormal, λ descending, signs, total variance; for one matrix. */
static void check_definition(const double *values, size_t n, size_t width) {
    genair_context *ctx = context(2);
    const struct dense d = {values, width};
    const struct rows x = rows_of_dense(&d, n);
    struct pca p = fit(ctx, &x, (struct pca_choice){.components = width});
    double *cov = naive_covariance(values, n, width), trace = 0;
    for (size_t i = 0; i < width; i++)
        trace += cov[i * width + i];
    assert_true(p.rank <= min_size(n - 1, width));
    assert_true(fabs(p.total_variance - trace) < 1e-9 * trace);
    for (size_t k = 0; k < p.n_components; k++) {
        const double *v = p.components + k * width;
        size_t largest = 0;
        for (size_t c = 0; c < width; c++) {
            assert_true(fabs(dot(cov + c * width, v, width) - p.variances[k] * v[c]) <
                        1e-9 * p.variances[0]);
            if (fabs(v[c]) > fabs(v[largest])) largest = c;
        }
        assert_true(v[largest] > 0);
        assert_true(!k || p.variances[k] <= p.variances[k - 1]);
        for (size_t j = 0; j <= k; j++)
            assert_true(fabs(dot(v, p.components + j * width, width) - (j == k)) < 1e-7);
    }
    mem_free(cov);
    pca_free(&p);
    genair_context_free(ctx);
}

static void components_are_eigenvectors_of_the_covariance(void **state) {
    (void)state;
    static const size_t shapes[][2] = {{2, 1},  {2, 5},    {9, 9},    {9, 10},
                                       {30, 7}, {513, 40}, {60, 130}, {140, 131}};
    for (size_t i = 0; i < COUNT(shapes); i++) {
        double *x = random_matrix(i, shapes[i][0], shapes[i][1], i % 2 ? 1000 : 0);
        check_definition(x, shapes[i][0], shapes[i][1]);
        mem_free(x);
    }
}

/* The projection's columns have the components' variances and no correlation; whitened, variance 1.
 */
static void projections_have_the_variances(void **state) {
    (void)state;
    enum { N = 400, WIDTH = 20, K = 6, STRIDE = 9 };
    genair_context *ctx = context(3);
    double *values = random_matrix(7, N, WIDTH, 3);
    const struct dense d = {values, WIDTH};
    const struct rows x = rows_of_dense(&d, N);
    struct pca p = fit(ctx, &x, (struct pca_choice){.components = K});
    float *y = mem_zeros(N * STRIDE, sizeof *y);
    for (int whiten = 0; whiten < 2; whiten++) {
        /* in two pieces, as fuse does it */
        assert_int_equal(pca_project(ctx, &p, &x, 0, 150, whiten, y, STRIDE, NULL), GENAIR_OK);
        assert_int_equal(
            pca_project(ctx, &p, &x, 150, N - 150, whiten, y + 150 * STRIDE, STRIDE, NULL),
            GENAIR_OK);
        for (size_t a = 0; a < K; a++)
            for (size_t b = 0; b <= a; b++) {
                double sum = 0;
                for (size_t r = 0; r < N; r++)
                    sum += (double)y[r * STRIDE + a] * (double)y[r * STRIDE + b] / (N - 1);
                const double expected = a != b ? 0 : whiten ? 1 : p.variances[a];
                assert_true(fabs(sum - expected) < 1e-5 * (whiten ? 1 : p.variances[0]));
            }
        for (size_t r = 0; r < N; r++)
            for (size_t c = K; c < STRIDE; c++)
                assert_true(y[r * STRIDE + c] == 0); /* not touched */
    }
    mem_free(y);
    mem_free(values);
    pca_free(&p);
    genair_context_free(ctx);
}

static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    static const size_t shapes[][2] = {{1030, 300}, {140, 400}};
    for (size_t i = 0; i < COUNT(shapes); i++) {
        double *values = random_matrix(11 + i, shapes[i][0], shapes[i][1], 1);
        const struct dense d = {values, shapes[i][1]};
        const struct rows x = rows_of_dense(&d, shapes[i][0]);
        struct pca first = {0};
        for (int threads = 1; threads <= 4; threads++) {
            genair_context *ctx = context(threads);
            struct pca p = fit(ctx, &x, (struct pca_choice){.components = 50});
            if (threads == 1) {
                first = p;
            } else {
                assert_memory_equal(p.components, first.components, 50 * x.width * sizeof(double));
                assert_memory_equal(p.variances, first.variances, p.n_variances * sizeof(double));
                pca_free(&p);
            }
            genair_context_free(ctx);
        }
        pca_free(&first);
        mem_free(values);
    }
}

static void equal_rows_have_no_components(void **state) {
    (void)state;
    genair_context *ctx = context(1);
    /* 0.1 has no exact mean over 1000 rows: the rest must not be taken for a direction. */
    for (size_t width = 3; width <= 2000; width *= 600) {
        double *values = mem_array(1000 * width, sizeof *values);
        for (size_t i = 0; i < 1000 * width; i++)
            values[i] = 0.1 * (double)(1 + i % width);
        const struct dense d = {values, width};
        for (size_t n = 1; n <= 1000; n += 999) {
            const struct rows x = rows_of_dense(&d, n);
            struct pca p = fit(ctx, &x, (struct pca_choice){.variance = 0.95});
            assert_int_equal(p.rank, 0);
            assert_int_equal(p.n_components, 0);
            assert_true(p.total_variance == 0);
            assert_true(pca_explained(&p) == 1);
            pca_free(&p);
        }
        mem_free(values);
    }
    genair_context_free(ctx);
}

static void fewest_components_for_a_share(void **state) {
    (void)state;
    /* four columns of variance 4, 3, 2, 1 (shares .4, .3, .2, .1): ± their square roots in turn */
    double values[8][4] = {{0}};
    for (size_t c = 0; c < 4; c++) {
        values[2 * c][c] = sqrt((4 - (double)c) * 7 / 2);
        values[2 * c + 1][c] = -values[2 * c][c];
    }
    static const struct {
        double share;
        size_t k;
    } cases[] = {{1e-6, 1}, {0.39, 1}, {0.41, 2}, {0.69, 2},
                 {0.71, 3}, {0.89, 3}, {0.95, 4}, {1, 4}};
    genair_context *ctx = context(1);
    const struct dense d = {values[0], 4};
    const struct rows x = rows_of_dense(&d, 8);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pca p =
            fit(ctx, &x, (struct pca_choice){.components = 2, .variance = cases[i].share});
        assert_int_equal(p.n_components, cases[i].k);
        assert_true(fabs(p.variances[0] - 4) < 1e-12);
        pca_free(&p);
    }
    struct pca p = fit(ctx, &x, (struct pca_choice){.components = 2});
    assert_int_equal(p.n_components, 2);
    assert_true(fabs(pca_explained(&p) - 0.7) < 1e-12);
    pca_free(&p);
    genair_context_free(ctx);
}

static void entropies_in_closed_form(void **state) {
    (void)state;
    genair_context *ctx = context(2);
    double values[6][5] = {{0}}, p[5];
    for (size_t i = 0; i < 5; i++)
        values[i][i] = 1 + (double)i; /* the sixth row is zero */
    const struct dense d = {values[0], 5};
    const struct rows z = rows_of_dense(&d, 6);
    assert_int_equal(entropy_spectrum(ctx, &z, true, p, NULL), GENAIR_OK);
    for (size_t i = 0; i < 5; i++)
        assert_true(fabs(p[i] - 0.2) < 1e-15);
    assert_true(fabs(entropy_of_spectrum(p, 5, 1) - log(5)) < 1e-14);
    assert_true(fabs(entropy_of_spectrum(p, 5, 0.5) - log(5)) <
                1e-14); /* uniform: the same for every order */
    assert_int_equal(entropy_spectrum(ctx, &z, false, p, NULL), GENAIR_OK);
    double sum = 0; /* shares (1 + i)² / 55 */
    for (size_t i = 0; i < 5; i++)
        sum += pow((1 + (double)i) * (1 + (double)i) / 55, 2);
    assert_true(fabs(entropy_of_spectrum(p, 5, 2) + log(sum)) < 1e-14);
    const struct rows zero = {1, 5, z.read, &(struct dense){values[5], 5}};
    assert_int_equal(entropy_spectrum(ctx, &zero, false, p, NULL), GENAIR_OK);
    assert_true(p[0] == 0);
    assert_true(entropy_of_spectrum(p, 1, 1) == 0 && entropy_of_spectrum(p, 1, 2) == 0);
    genair_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(components_are_eigenvectors_of_the_covariance),
        cmocka_unit_test(projections_have_the_variances),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(equal_rows_have_no_components),
        cmocka_unit_test(fewest_components_for_a_share),
        cmocka_unit_test(entropies_in_closed_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
