/* SPDX-License-Identifier: Apache-2.0 */
/* Two ways to the same components: with more rows than columns the eigenvectors of the covariance
 * XᵀX / (n - 1), X centred first (two passes: a large common offset costs no digits); with fewer,
 * those of the small XXᵀ, carried over by v = Xᵀu / √λ. */
#include "algebra/pca.h"

#include "base/alloc.h"
#include "base/size.h"

#include <cblas.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

enum { PROJECT_ROWS = 128 };

/* An eigenvalue below this is rounding: of the eigenvalues, whose error is a few eps · largest
 * whatever the side; or of the mean, whose error, at most n · eps of it, stands in all n centred
 * rows. For scale: item vectors are float32, whose own rounding has a variance of 1e-15 of the
 * values'. */
static double rounding_floor(const struct pca *p) {
    const double n = (double)p->n, sides = (double)max_size(p->n, p->width);
    const double mean_error = n * DBL_EPSILON * cblas_dnrm2((int)p->width, p->mean, 1);
    return fmax(p->variances[0] * fmax(1e-13, 8 * DBL_EPSILON * sqrt(sides)),
                n * mean_error * mean_error);
}

static void fix_sign(double *component, size_t width) {
    size_t largest = 0;
    for (size_t c = 1; c < width; c++)
        if (fabs(component[c]) > fabs(component[largest])) largest = c;
    if (component[largest] < 0) cblas_dscal((int)width, -1, component, 1);
}

/* From eigenvalues of the centred product to variances, rank and the number of components. */
static void choose(struct pca *p, struct pca_choice choice) {
    const double scale = p->n > 1 ? 1 / (double)(p->n - 1) : 0;
    const double floor = rounding_floor(p);
    for (size_t i = 0; i < p->n_variances; i++) {
        const bool real = p->variances[i] > floor && p->variances[i] * scale > DBL_MIN;
        p->variances[i] = real ? p->variances[i] * scale : 0;
        p->rank += real;
        p->total_variance += p->variances[i];
    }
    p->n_components = min_size(choice.components, p->rank);
    if (choice.variance <= 0) return;
    double sum = 0;
    p->n_components = 0;
    while (p->n_components < p->rank && sum < choice.variance)
        sum += p->variances[p->n_components++] / p->total_variance;
}

static genair_code fit_columns(genair_context *ctx, const struct rows *x, struct pca_choice choice,
                               struct pca *p, genair_status *st) {
    size_t cells;
    if (!mul_size(x->width, x->width, &cells)) return fail_memory(st);
    p->components = mem_array(cells, sizeof *p->components);
    if (!p->components) return fail_memory(st);
    genair_code code = gram_columns(ctx, x, p->mean, p->components, st);
    double *values = mem_array(x->width, sizeof *values);
    if (code == GENAIR_OK)
        code = values ? symmetric_eigen(p->components, x->width, values, st) : fail_memory(st);
    if (code == GENAIR_OK) {
        memcpy(p->variances, values, p->n_variances * sizeof *values);
        choose(p, choice);
    }
    mem_free(values);
    return code;
}

/* x: [n, width] centred rows; u: [n, n] eigenvectors of x xᵀ with eigenvalues λ = variances · (n -
 * 1). */
static void carry_over(struct pca *p, const double *x, const double *u) {
    if (!p->n_components) return;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)p->n_components, (int)p->width,
                (int)p->n, 1, u, (int)p->n, x, (int)p->width, 0, p->components, (int)p->width);
    for (size_t k = 0; k < p->n_components; k++) {
        double *component = p->components + k * p->width;
        cblas_dscal((int)p->width, 1 / cblas_dnrm2((int)p->width, component, 1), component, 1);
    }
}

static genair_code fit_rows(genair_context *ctx, const struct rows *x, struct pca_choice choice,
                            struct pca *p, genair_status *st) {
    size_t cells, square;
    if (!mul_size(x->n, x->width, &cells) || !mul_size(x->n, x->n, &square)) return fail_memory(st);
    double *dense = mem_array(cells, sizeof *dense), *u = mem_array(square, sizeof *u);
    genair_code code = dense && u ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) {
        rows_load(x, p->mean, 0, x->n, context_parallel(ctx), dense);
        code = gram_rows(ctx, dense, x->n, x->width, u, st);
    }
    if (code == GENAIR_OK) code = symmetric_eigen(u, x->n, p->variances, st);
    if (code == GENAIR_OK) {
        choose(p, choice);
        p->components = mem_array(p->n_components, x->width * sizeof *p->components);
        if (!p->components) code = fail_memory(st);
    }
    if (code == GENAIR_OK) carry_over(p, dense, u);
    mem_free(u);
    mem_free(dense);
    return code;
}

genair_code pca_fit(genair_context *ctx, const struct rows *x, struct pca_choice choice,
                    struct pca *out, genair_status *st) {
    *out = (struct pca){.n = x->n, .width = x->width, .n_variances = min_size(x->n, x->width)};
    if (!x->n || !x->width || x->width > INT_MAX)
        return fail(st, GENAIR_FORMAT, "a matrix of %zu × %zu has no principal components", x->n,
                    x->width);
    out->mean = mem_zeros(x->width, sizeof *out->mean);
    out->variances = mem_zeros(out->n_variances, sizeof *out->variances);
    if (!out->mean || !out->variances) return fail_memory(st);
    genair_code code = rows_mean(ctx, x, out->mean, st);
    if (code == GENAIR_OK)
        code = x->n < x->width ? fit_rows(ctx, x, choice, out, st)
                               : fit_columns(ctx, x, choice, out, st);
    for (size_t k = 0; k < out->n_components && code == GENAIR_OK; k++)
        fix_sign(out->components + k * out->width, out->width);
    return code;
}

void pca_free(struct pca *p) {
    mem_free(p->mean);
    mem_free(p->variances);
    mem_free(p->components);
    *p = (struct pca){0};
}

double pca_explained(const struct pca *p) {
    if (p->total_variance <= 0) return 1;
    double sum = 0;
    for (size_t k = 0; k < p->n_components; k++)
        sum += p->variances[k];
    return sum / p->total_variance;
}

/* ---- projection ---- */

struct projection {
    const struct pca *p;
    const struct rows *x;
    size_t first, n, stride;
    bool whiten;
    float *out;
    double *scratch; /* per worker PROJECT_ROWS × (width + n_components) */
};

static void project_task(void *context, size_t i, int worker) {
    const struct projection *j = context;
    const struct pca *p = j->p;
    const size_t begin = i * PROJECT_ROWS, n = min_size(PROJECT_ROWS, j->n - begin),
                 k = p->n_components;
    double *x = j->scratch + (size_t)worker * PROJECT_ROWS * (p->width + k),
           *y = x + PROJECT_ROWS * p->width;
    for (size_t r = 0; r < n; r++) {
        j->x->read(j->x->source, j->first + begin + r, x + r * p->width);
        for (size_t c = 0; c < p->width; c++)
            x[r * p->width + c] -= p->mean[c];
    }
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)k, (int)p->width, 1, x,
                (int)p->width, p->components, (int)p->width, 0, y, (int)k);
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c < k; c++) {
            const double value = y[r * k + c];
            j->out[(begin + r) * j->stride + c] =
                (float)(j->whiten ? value / sqrt(p->variances[c]) : value);
        }
}

genair_code pca_project(genair_context *ctx, const struct pca *p, const struct rows *x,
                        size_t first, size_t n, bool whiten, float *out, size_t stride,
                        genair_status *st) {
    if (!p->n_components || !n) return GENAIR_OK;
    const size_t per_worker = PROJECT_ROWS * (p->width + p->n_components);
    double *scratch =
        mem_array((size_t)parallel_threads(context_parallel(ctx)), per_worker * sizeof *scratch);
    if (!scratch) return fail_memory(st);
    struct projection j = {p, x, first, n, stride, whiten, out, scratch};
    parallel_run(context_parallel(ctx), (n + PROJECT_ROWS - 1) / PROJECT_ROWS, project_task, &j);
    mem_free(scratch);
    return GENAIR_OK;
}
