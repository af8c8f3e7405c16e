/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbours, affinities, the tree and the plane, each against the plain way. */
#include "analyze/points.h"

#include "analyze/affinities.h"
#include "analyze/plane.h"
#include "analyze/quadtree.h"
#include "base/size.h"
#include "algebra/pca.h"

#include <math.h>
#include <string.h>

static double squared_distance(const double *a, const double *b, size_t width) {
    double sum = 0;
    for (size_t c = 0; c < width; c++)
        sum += (a[c] - b[c]) * (a[c] - b[c]);
    return sum;
}

/* Every neighbour is at the distance that is stated, and nothing that is left out is nearer. */
static void check_row(const double *x, size_t n, size_t width, const struct neighbours *m, size_t i) {
    const uint32_t *index = m->index + i * m->k;
    const double *distance = m->distance + i * m->k;
    bool *taken = mem_zeros(n, sizeof *taken);
    assert_non_null(taken);
    taken[i] = true;
    for (size_t e = 0; e < m->k; e++) {
        assert_false(taken[index[e]]);
        taken[index[e]] = true;
        assert_true(distance[e] == squared_distance(x + i * width, x + index[e] * width, width));
        if (e)
            assert_true(distance[e - 1] < distance[e] || (distance[e - 1] == distance[e] &&
                                                          (index[e - 1] + n - i) % n < (index[e] + n - i) % n));
    }
    for (size_t j = 0; j < n; j++) /* 1e-12: rounding of |x|² + |y|² - 2xy, which chose */
        if (!taken[j]) assert_true(squared_distance(x + i * width, x + j * width, width) >= distance[m->k - 1] - 1e-12);
    mem_free(taken);
}

static void neighbours_are_the_nearest(void **state) {
    (void)state;
    static const struct { size_t n, width, k; } cases[] = {{2, 3, 1}, {70, 5, 69}, {600, 3, 20}, {1100, 7, 90}};
    for (size_t t = 0; t < COUNT(cases); t++) {
        const size_t n = cases[t].n, width = cases[t].width;
        double *x = random_points(n, width, t);
        for (size_t i = n / 2; i < n / 2 + n / 8; i++) /* some twice */
            memcpy(x + i * width, x + (i - n / 4) * width, width * sizeof *x);
        struct neighbours m[2];
        for (int threads = 1; threads <= 2; threads++) {
            genair_context *ctx = context_of(threads);
            assert_int_equal(neighbours_find(ctx, x, n, width, cases[t].k, &m[threads - 1], NULL), GENAIR_OK);
            genair_context_free(ctx);
        }
        for (size_t i = 0; i < n; i++)
            check_row(x, n, width, &m[0], i);
        assert_memory_equal(m[0].index, m[1].index, n * cases[t].k * sizeof *m[0].index);
        neighbours_free(&m[0]);
        neighbours_free(&m[1]);
        mem_free(x);
    }
}

/* A thousand in one place: each is a neighbour of as many as it has neighbours. */
static void equal_vectors_share_their_neighbours(void **state) {
    (void)state;
    enum { N = 1000, K = 30, WIDTH = 7 };
    genair_context *ctx = context_of(2);
    double *x = random_points(N, WIDTH, 1);
    size_t wanted[N] = {0};
    for (size_t i = 1; i < N; i++)
        memcpy(x + i * WIDTH, x, WIDTH * sizeof *x);
    struct neighbours m;
    assert_int_equal(neighbours_find(ctx, x, N, WIDTH, K, &m, NULL), GENAIR_OK);
    for (size_t e = 0; e < N * K; e++)
        wanted[m.index[e]]++;
    for (size_t i = 0; i < N; i++)
        assert_int_equal(wanted[i], K);
    neighbours_free(&m);
    mem_free(x);
    genair_context_free(ctx);
}

static double entropy(const double *p, size_t k) {
    double sum = 0;
    for (size_t j = 0; j < k; j++)
        if (p[j] > 0) sum -= p[j] * log(p[j]);
    return sum;
}

static void a_row_has_its_perplexity(void **state) {
    (void)state;
    static const double scales[] = {1e-200, 1e-8, 1, 1e12};
    double distance[90], p[90];
    for (size_t s = 0; s < COUNT(scales); s++)
        for (size_t shift = 0; shift <= 1; shift++) {
            for (size_t j = 0; j < 90; j++)
                distance[j] = scales[s] * ((double)(j * j) + 1000 * (double)shift);
            affinity_row(distance, 90, 30, p);
            assert_near(entropy(p, 90), log(30), 1e-9);
            for (size_t j = 1; j < 90; j++)
                assert_true(p[j] < p[j - 1]);
        }
}

static void a_row_that_cannot_have_it(void **state) {
    (void)state;
    static const double equal[4] = {7, 7, 7, 7}, zero[4] = {0, 0, 0, 0}, two[4] = {0, 0, 1, 1}, one[1] = {3};
    double p[4];
    affinity_row(equal, 4, 2, p);
    for (size_t j = 0; j < 4; j++)
        assert_near(p[j], 0.25, 1e-15);
    affinity_row(zero, 4, 2, p);
    for (size_t j = 0; j < 4; j++)
        assert_near(p[j], 0.25, 1e-15);
    affinity_row(two, 4, 1.5, p); /* the two nearest are equal: at least 2 */
    assert_near(p[0] + p[1], 1, 1e-6);
    affinity_row(one, 1, 1, p);
    assert_near(p[0], 1, 1e-15);
}

static void affinities_are_a_symmetric_distribution(void **state) {
    (void)state;
    genair_context *ctx = context_of(2);
    double *x = random_points(300, 4, 1);
    struct neighbours m;
    struct affinities a;
    assert_int_equal(neighbours_find(ctx, x, 300, 4, 20, &m, NULL), GENAIR_OK);
    assert_int_equal(affinities_make(context_parallel(ctx), &m, 7, &a, NULL), GENAIR_OK);
    double *dense = mem_zeros(300 * 300, sizeof *dense), sum = 0;
    assert_non_null(dense);
    for (size_t i = 0; i < 300; i++)
        for (size_t e = a.start[i]; e < a.start[i + 1]; e++) {
            assert_true(e == a.start[i] || a.column[e] > a.column[e - 1]);
            dense[i * 300 + a.column[e]] = a.p[e];
            sum += a.p[e];
        }
    assert_near(sum, 1, 1e-12);
    for (size_t i = 0; i < 300; i++) {
        assert_true(dense[i * 300 + i] == 0);
        for (size_t j = 0; j < i; j++)
            assert_true(dense[i * 300 + j] == dense[j * 300 + i]);
    }
    double row[20]; /* the mean of both directions, as conditioned */
    affinity_row(m.distance, 20, 7, row);
    for (size_t e = 0; e < 20; e++)
        assert_true(dense[m.index[e]] >= row[e] / 600);
    mem_free(dense);
    affinities_free(&a);
    neighbours_free(&m);
    mem_free(x);
    genair_context_free(ctx);
}

static void check_repulsion(const double *y, size_t n, double theta, double tolerance) {
    struct quadtree t;
    assert_int_equal(quadtree_create(n, &t, NULL), GENAIR_OK);
    quadtree_build(&t, y);
    assert_true(t.n_cells <= 2 * n);
    for (size_t i = 0; i < n; i++) {
        double found[2] = {0}, z = 0, expected[2] = {0}, expected_z = 0;
        quadtree_repulsion(&t, y + 2 * i, theta, found, &z);
        for (size_t j = 0; j < n; j++) {
            const double q = 1 / (1 + squared_distance(y + 2 * i, y + 2 * j, 2));
            expected_z += q;
            for (size_t a = 0; a < 2; a++)
                expected[a] += q * q * (y[2 * i + a] - y[2 * j + a]);
        }
        assert_near(z, expected_z, tolerance * expected_z);
        for (size_t a = 0; a < 2; a++)
            assert_near(found[a], expected[a], tolerance * (fabs(expected[0]) + fabs(expected[1]) + 1));
    }
    quadtree_free(&t);
}

static void the_tree_sums_what_all_pairs_do(void **state) {
    (void)state;
    double *y = random_points(500, 2, 2);
    for (size_t i = 0; i < 1000; i++)
        y[i] *= 20;
    check_repulsion(y, 500, 0, 1e-11);   /* every cell is opened: rounding alone */
    check_repulsion(y, 500, 0.5, 0.03);  /* measured 0.015 */
    check_repulsion(y, 500, 0.2, 0.004); /* measured 0.001 */
    for (size_t i = 200; i < 400; i++) { /* places with many points */
        y[2 * i] = y[0];
        y[2 * i + 1] = y[1];
    }
    check_repulsion(y, 500, 0, 1e-11);
    memset(y, 0, 1000 * sizeof *y); /* one place */
    check_repulsion(y, 500, 0.5, 1e-11);
    y[0] = 1e-100;
    y[3] = 1e100;
    check_repulsion(y, 500, 0.5, 1e-11);
    check_repulsion(y, 1, 0.5, 1e-11);
    mem_free(y);
}

static void the_plane_is_that_of_the_components(void **state) {
    (void)state;
    genair_context *ctx = context_of(2);
    enum { N = 700, WIDTH = 20 };
    double *x = random_points(N, WIDTH, 3), *found = mem_array(N * 2, sizeof *found);
    float expected[N * 2];
    for (size_t i = 0; i < N * WIDTH; i++)
        x[i] *= pow(0.7, (double)(i % WIDTH));
    for (size_t c = 0; c < WIDTH; c++) {
        double mean = 0;
        for (size_t i = 0; i < N; i++)
            mean += x[i * WIDTH + c] / N;
        for (size_t i = 0; i < N; i++)
            x[i * WIDTH + c] -= mean;
    }
    const struct dense d = {x, WIDTH};
    const struct rows rows = rows_of_dense(&d, N);
    struct pca p;
    assert_int_equal(leading_plane(ctx, x, N, WIDTH, found, NULL), GENAIR_OK);
    assert_int_equal(pca_fit(ctx, &rows, (struct pca_choice){.components = 2}, &p, NULL), GENAIR_OK);
    assert_int_equal(pca_project(ctx, &p, &rows, 0, N, false, expected, 2, NULL), GENAIR_OK);
    for (size_t a = 0; a < 2; a++) { /* a component has no sign */
        const double sign = found[a] * (double)expected[a] < 0 ? -1 : 1;
        for (size_t i = 0; i < N; i++)
            assert_near(found[2 * i + a] * sign, (double)expected[2 * i + a], 1e-6);
    }
    pca_free(&p);
    mem_free(found);
    mem_free(x);
    genair_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_are_the_nearest),
        cmocka_unit_test(equal_vectors_share_their_neighbours),
        cmocka_unit_test(a_row_has_its_perplexity),
        cmocka_unit_test(a_row_that_cannot_have_it),
        cmocka_unit_test(affinities_are_a_symmetric_distribution),
        cmocka_unit_test(the_tree_sums_what_all_pairs_do),
        cmocka_unit_test(the_plane_is_that_of_the_components),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
