/* SPDX-License-Identifier: Apache-2.0 */
/* t-SNE: its gradient, its maps, its bytes, and input that has no map to speak of. */
#include "analyze/points.h"

#include "analyze/tsne.h"

#include <math.h>
#include <string.h>

/* The affinities of random points over k neighbours. */
static void make_affinities(genair_context *ctx, size_t n, size_t k, double perplexity, struct affinities *out) {
    double *x = random_points(n, 5, 1);
    struct neighbours m;
    assert_int_equal(neighbours_find(ctx, x, n, 5, k, &m, NULL), GENAIR_OK);
    assert_int_equal(affinities_make(context_parallel(ctx), &m, perplexity, out, NULL), GENAIR_OK);
    neighbours_free(&m);
    mem_free(x);
}

static void the_gradient_is_that_of_the_divergence(void **state) {
    (void)state;
    genair_context *ctx = context_of(2);
    enum { N = 90 };
    for (size_t k = 20; k <= N - 1; k += N - 21) { /* sparse and full */
        struct affinities p;
        struct tsne_forces f;
        make_affinities(ctx, N, k, 6, &p);
        assert_int_equal(tsne_forces_create(context_parallel(ctx), &p, 0, &f, NULL), GENAIR_OK);
        double *y = random_points(N, 2, 2), gradient[2 * N];
        tsne_gradient(&f, y, 1, gradient);
        for (size_t i = 0; i < 2 * N; i++) {
            const double at = y[i], step = 1e-5; /* error step² · third derivative, and 1e-16 / step of rounding */
            y[i] = at + step;
            const double above = tsne_divergence(&f, y);
            y[i] = at - step;
            const double below = tsne_divergence(&f, y);
            y[i] = at;
            assert_near(gradient[i], (above - below) / (2 * step), 1e-9);
        }
        mem_free(y);
        tsne_forces_free(&f);
        affinities_free(&p);
    }
    genair_context_free(ctx);
}

/* theta, and the error of the gradient it may have, as a share of the gradient's length */
static void the_tree_is_near_the_exact_gradient(void **state) {
    (void)state;
    static const double cases[][2] = {{1e-9, 1e-10}, {0.2, 0.005}, {0.5, 0.05}}; /* measured: 2e-15, 0.002, 0.03 */
    genair_context *ctx = context_of(2);
    enum { N = 1000 };
    struct affinities p;
    make_affinities(ctx, N, 60, 20, &p);
    double *y = random_points(N, 2, 3), *gradient[2];
    for (size_t i = 0; i < 2 * N; i++)
        y[i] *= 10;
    for (size_t c = 0; c < 3; c++) {
        double length = 0, error = 0;
        for (size_t t = 0; t < 2; t++) {
            struct tsne_forces f;
            assert_int_equal(tsne_forces_create(context_parallel(ctx), &p, t ? cases[c][0] : 0, &f, NULL), GENAIR_OK);
            gradient[t] = mem_array(2 * N, sizeof(double));
            assert_non_null(gradient[t]);
            tsne_gradient(&f, y, 1, gradient[t]);
            tsne_forces_free(&f);
        }
        for (size_t i = 0; i < 2 * N; i++) {
            length += gradient[0][i] * gradient[0][i];
            error += (gradient[0][i] - gradient[1][i]) * (gradient[0][i] - gradient[1][i]);
        }
        assert_true(sqrt(error) <= cases[c][1] * sqrt(length));
        mem_free(gradient[0]);
        mem_free(gradient[1]);
    }
    mem_free(y);
    affinities_free(&p);
    genair_context_free(ctx);
}

/* Four clusters of points, point i in cluster i % 4. */
static double *clusters(size_t n, size_t width) {
    double *x = random_points(n, width, 5);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < width; c++)
            x[i * width + c] += c == i % 4 ? 20 : 0;
    return x;
}

static void map_clusters(genair_context *ctx, size_t n, struct tsne_options options, struct tsne *out) {
    double *x = clusters(n, 10);
    assert_int_equal(tsne_make(ctx, x, n, 10, options, out, NULL), GENAIR_OK);
    mem_free(x);
}

/* The nearest in the map is of the same cluster, for all points but `strays`. */
static void check_clusters(const struct tsne *t, size_t strays) {
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        size_t nearest = 0;
        double least = HUGE_VAL;
        for (size_t j = 0; j < t->n; j++) {
            const double dx = t->y[2 * i] - t->y[2 * j], dy = t->y[2 * i + 1] - t->y[2 * j + 1];
            if (j == i || dx * dx + dy * dy >= least) continue;
            least = dx * dx + dy * dy;
            nearest = j;
        }
        n += nearest % 4 != i % 4;
    }
    assert_true(n <= strays);
}

static void clusters_stay_together(void **state) {
    (void)state;
    genair_context *ctx = context_of(2);
    struct tsne exact, tree;
    struct tsne_options options = tsne_defaults(400);
    assert_true(options.theta == 0 && tsne_defaults(TSNE_EXACT_BELOW).theta == 0.5);
    options.iterations = 500;
    map_clusters(ctx, 400, options, &exact);
    options.theta = 0.5;
    map_clusters(ctx, 400, options, &tree);
    check_clusters(&exact, 0);
    check_clusters(&tree, 0);
    /* two ways to one objective; it began at the divergence from all places being equal, about log(400 / 30) */
    assert_true(exact.divergence > 0 && exact.divergence < 1.2);
    assert_near(tree.divergence, exact.divergence, 0.1);
    assert_true(exact.perplexity == 30);
    tsne_free(&exact);
    tsne_free(&tree);
    genair_context_free(ctx);
}

static void threads_do_not_matter(void **state) {
    (void)state;
    static const size_t sizes[] = {130, 2001};
    for (size_t s = 0; s < 2; s++) {
        struct tsne t[2];
        struct tsne_options options = tsne_defaults(sizes[s]);
        options.iterations = 40;
        for (int threads = 1; threads <= 2; threads++) {
            genair_context *ctx = context_of(threads);
            map_clusters(ctx, sizes[s], options, &t[threads - 1]);
            genair_context_free(ctx);
        }
        assert_memory_equal(t[0].y, t[1].y, sizes[s] * 2 * sizeof *t[0].y);
        assert_true(t[0].divergence == t[1].divergence);
        tsne_free(&t[0]);
        tsne_free(&t[1]);
    }
}

static void check_finite(const struct tsne *t) {
    for (size_t i = 0; i < 2 * t->n; i++)
        assert_true(isfinite(t->y[i]) && fabs(t->y[i]) < 1e6);
    assert_true(isfinite(t->divergence));
}

static void few_points(void **state) {
    (void)state;
    genair_context *ctx = context_of(1);
    for (size_t n = 1; n <= 5; n++)
        for (size_t width = 1; width <= 9; width += 4)
            for (int theta = 0; theta <= 1; theta++) {
                double *x = random_points(n, width, n);
                struct tsne t;
                assert_int_equal(tsne_make(ctx, x, n, width, (struct tsne_options){30, 0.5 * theta, 300}, &t, NULL),
                                 GENAIR_OK);
                check_finite(&t);
                for (size_t i = 1; i < n; i++)
                    assert_true(t.y[2 * i] != t.y[0]);
                tsne_free(&t);
                mem_free(x);
            }
    genair_context_free(ctx);
}

static void equal_vectors_share_a_place(void **state) {
    (void)state;
    genair_context *ctx = context_of(2);
    enum { N = 200 };
    for (size_t distinct = 1; distinct <= 41; distinct += 20)
        for (int theta = 0; theta <= 1; theta++) {
            double *x = random_points(N, 6, 7);
            for (size_t i = distinct; i < N; i++)
                memcpy(x + i * 6, x + (i % distinct) * 6, 6 * sizeof *x);
            struct tsne t;
            assert_int_equal(tsne_make(ctx, x, N, 6, (struct tsne_options){10, 0.5 * theta, 300}, &t, NULL),
                             GENAIR_OK);
            check_finite(&t);
            if (distinct == 1)
                for (size_t i = 1; i < N; i++)
                    assert_memory_equal(t.y, t.y + 2 * i, 2 * sizeof *t.y);
            tsne_free(&t);
            mem_free(x);
        }
    genair_context_free(ctx);
}

static void a_stop_is_heard(void **state) {
    (void)state;
    genair_context *ctx = context_of(1);
    double *x = random_points(50, 3, 1);
    struct tsne t;
    genair_context_stop(ctx);
    assert_int_equal(tsne_make(ctx, x, 50, 3, tsne_defaults(50), &t, NULL), GENAIR_INTERRUPTED);
    tsne_free(&t);
    mem_free(x);
    genair_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gradient_is_that_of_the_divergence),
        cmocka_unit_test(the_tree_is_near_the_exact_gradient),
        cmocka_unit_test(clusters_stay_together),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(few_points),
        cmocka_unit_test(equal_vectors_share_a_place),
        cmocka_unit_test(a_stop_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
