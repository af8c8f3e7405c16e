/* SPDX-License-Identifier: Apache-2.0 */
/* Descent with momentum and a gain for each coordinate (2008, section 3.4); exaggeration, learning rate and their
 * schedule are those that the field uses by default today (Belkina et al. 2019; scikit-learn). */
#include "analyze/tsne.h"

#include "analyze/plane.h"
#include "base/alloc.h"
#include "base/size.h"

#include <math.h>

enum { EXAGGERATED = 250 /* iterations */ };
static const double exaggeration = 12, start_deviation = 1e-4, least_gain = 0.01;

struct descent {
    size_t n;
    double rate;
    double *y, *gradient, *step, *gain; /* [n, 2] */
};

struct tsne_options tsne_defaults(size_t n) {
    return (struct tsne_options){.perplexity = 30, .theta = n < TSNE_EXACT_BELOW ? 0 : 0.5, .iterations = 1000};
}

/* mean: [width] scratch. */
static void centre(double *x, size_t n, size_t width, double *mean) {
    for (size_t c = 0; c < width; c++)
        mean[c] = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < width; c++)
            mean[c] += x[i * width + c] / (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < width; c++)
            x[i * width + c] -= mean[c];
}

static void rest(struct descent *d) {
    for (size_t i = 0; i < 2 * d->n; i++) {
        d->step[i] = 0;
        d->gain[i] = 1;
    }
}

/* The first coordinate gets the deviation that descent starts from, the second its share of it. */
static void scale_start(double *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += y[2 * i] * y[2 * i];
    const double deviation = sqrt(sum / (double)n);
    for (size_t i = 0; i < 2 * n; i++)
        y[i] = deviation > 0 ? y[i] / deviation * start_deviation : 0;
}

static void move(struct descent *d, double momentum) {
    double mean[2];
    for (size_t i = 0; i < 2 * d->n; i++) {
        const bool onward = d->gradient[i] * d->step[i] < 0;
        d->gain[i] = fmax(onward ? d->gain[i] + 0.2 : d->gain[i] * 0.8, least_gain);
        d->step[i] = momentum * d->step[i] - d->rate * d->gain[i] * d->gradient[i];
        d->y[i] += d->step[i];
    }
    centre(d->y, d->n, 2, mean);
}

static genair_code descend(genair_context *ctx, struct tsne_forces *f, struct descent *d, int iterations,
                           genair_status *st) {
    for (int i = 0; i < iterations; i++) {
        if (context_stopped(ctx)) return context_interrupted(st);
        context_progress(ctx, "t-SNE", i, iterations);
        if (i == 0 || i == EXAGGERATED) rest(d); /* each phase begins at rest */
        tsne_gradient(f, d->y, i < EXAGGERATED ? exaggeration : 1, d->gradient);
        move(d, i < EXAGGERATED ? 0.5 : 0.8);
    }
    return GENAIR_OK;
}

static genair_code optimise(genair_context *ctx, const struct affinities *p, struct tsne_options options,
                            struct tsne *out, genair_status *st) {
    struct descent d = {.n = out->n, .y = out->y};
    d.rate = fmax((double)out->n / exaggeration / 4, 50);
    d.gradient = mem_array(out->n, 2 * sizeof *d.gradient);
    d.step = mem_array(out->n, 2 * sizeof *d.step);
    d.gain = mem_array(out->n, 2 * sizeof *d.gain);
    struct tsne_forces f = {0};
    genair_code code = d.gradient && d.step && d.gain ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) code = tsne_forces_create(context_parallel(ctx), p, options.theta, &f, st);
    if (code == GENAIR_OK) code = descend(ctx, &f, &d, options.iterations, st);
    if (code == GENAIR_OK) out->divergence = tsne_divergence(&f, out->y);
    tsne_forces_free(&f);
    mem_free(d.gradient);
    mem_free(d.step);
    mem_free(d.gain);
    return code;
}

genair_code tsne_make(genair_context *ctx, double *x, size_t n, size_t width, struct tsne_options options,
                      struct tsne *out, genair_status *st) {
    *out = (struct tsne){.n = n, .perplexity = fmax(1, fmin(options.perplexity, (double)(n - 1) / 3))};
    const size_t k = options.theta > 0 ? min_size(n - 1, (size_t)(3 * out->perplexity)) : n - 1;
    struct neighbours m = {0};
    struct affinities p = {0};
    double *mean = mem_array(width, sizeof *mean);
    out->y = mem_array(n, 2 * sizeof *out->y);
    genair_code code = mean && out->y ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) {
        centre(x, n, width, mean);
        code = leading_plane(ctx, x, n, width, out->y, st);
    }
    mem_free(mean);
    if (code == GENAIR_OK) scale_start(out->y, n);
    if (code == GENAIR_OK) code = neighbours_find(ctx, x, n, width, k, &m, st);
    if (code == GENAIR_OK) code = affinities_make(context_parallel(ctx), &m, out->perplexity, &p, st);
    neighbours_free(&m);
    if (code == GENAIR_OK) code = optimise(ctx, &p, options, out, st);
    affinities_free(&p);
    return code;
}

void tsne_free(struct tsne *t) {
    mem_free(t->y);
    *t = (struct tsne){0};
}
