/* SPDX-License-Identifier: Apache-2.0 */
/* Groups 06_pca and 10_llm_side: pooling over tokens (eq. 6), principal components, concatenation
 * (eq. 7). */
#include "algebra/pca.h"
#include "golden/groups.h"

#include "base/size.h"

#include <stdio.h>
#include <string.h>

/* Array names of one matrix: "out.", "prefill." or nothing, "fixed.", "Y". */
struct names {
    const char *part; /* "" or "prefill." */
    char text[128];
};

static const char *name_of(struct names *n, const char *choice, const char *what) {
    snprintf(n->text, sizeof n->text, "out.%s%s%s", n->part, choice, what);
    return n->text;
}

/* Components, projection and scalars of one choice. y: [n, k] with zeros past the rank, given out.
 */
static const float *check_choice(struct golden *g, const struct rows *x, struct pca_choice choice,
                                 size_t k, const char *part, const char *label, struct pca *p) {
    struct names names = {.part = part};
    if (!golden_ok(g, pca_fit(golden_context(g), x, choice, p, golden_status(g)))) return NULL;
    if (!k) k = p->n_components;
    float *y = golden_zeros(g, x->n * k, sizeof *y);
    if (!y ||
        !golden_ok(g, pca_project(golden_context(g), p, x, 0, x->n, false, y, k, golden_status(g))))
        return NULL;
    golden_expect_f64(g, name_of(&names, label, "components"), p->components,
                      p->n_components * p->width);
    golden_expect_f32(g, name_of(&names, label, "Y"), y, x->n * k);
    golden_expect_scalar(g, name_of(&names, label, "k") + strlen("out."), (double)k, 0);
    golden_expect_scalar(g, name_of(&names, label, "explained") + strlen("out."), pca_explained(p),
                         1e-5);
    return y;
}

/* Both choices for one matrix; ys[0], ys[1] and ks receive the projections for the 95 % rule and
 * the fixed number. */
static void check_matrix(struct golden *g, const struct rows *x, const char *part,
                         const float *ys[2], size_t ks[2]) {
    const size_t fixed = (size_t)golden_number(g, "fixed_k");
    const struct {
        const char *label;
        struct pca_choice choice;
        size_t k;
    } choices[] = {{"p95.", {.variance = golden_number(g, "rule")}, 0},
                   {"fixed.", {.components = fixed}, fixed}};
    struct names names = {.part = part};
    for (size_t i = 0; i < COUNT(choices) && !golden_failed(g); i++) {
        struct pca p = {0};
        ys[i] = check_choice(g, x, choices[i].choice, choices[i].k, part, choices[i].label, &p);
        ks[i] = choices[i].k ? choices[i].k : p.n_components;
        double *ratio = golden_zeros(g, p.n_variances, sizeof *ratio);
        for (size_t v = 0; ratio && v < p.n_variances && p.total_variance > 0; v++)
            ratio[v] = p.variances[v] / p.total_variance;
        if (i == 0 && ys[i] && ratio) {
            golden_expect_f64(g, name_of(&names, "", "mean"), p.mean, p.width);
            golden_expect_f64(g, name_of(&names, "", "variance"), p.variances, p.n_variances);
            golden_expect_f64(g, name_of(&names, "", "ratio"), ratio, p.n_variances);
        }
        pca_free(&p);
    }
}

void golden_pca(struct golden *g) {
    const struct dense d = {golden_f64(g, "in.X", NULL), golden_dim(g, "in.X", 1)};
    if (golden_failed(g)) return;
    const struct rows x = rows_of_dense(&d, golden_dim(g, "in.X", 0));
    const float *ys[2];
    size_t ks[2];
    check_matrix(g, &x, "", ys, ks);
}

/* Mean over each item's tokens, in double. */
static double *pool(struct golden *g, const char *states, const char *offsets) {
    size_t n, n_values;
    const double *h = golden_f64(g, states, &n_values);
    const int64_t *o = golden_i64(g, offsets, &n);
    const size_t width = golden_dim(g, states, 1), tokens = golden_dim(g, states, 0);
    if (golden_failed(g)) return NULL;
    double *mean = golden_zeros(g, (n - 1) * width, sizeof *mean);
    for (size_t i = 0; mean && i + 1 < n; i++) {
        if (o[i] < 0 || o[i] >= o[i + 1] || (size_t)o[i + 1] > tokens) {
            golden_fail(g, "%s[%zu] is out of order", offsets, i);
            return NULL;
        }
        for (int64_t t = o[i]; t < o[i + 1]; t++)
            for (size_t c = 0; c < width; c++)
                mean[i * width + c] += h[(size_t)t * width + c];
        for (size_t c = 0; c < width; c++)
            mean[i * width + c] /= (double)(o[i + 1] - o[i]);
    }
    return mean;
}

static void check_fused(struct golden *g, const char *name, size_t n, const float *a, size_t ka,
                        const float *b, size_t kb) {
    float *fused = golden_zeros(g, n * (ka + kb), sizeof *fused);
    for (size_t r = 0; fused && r < n; r++) {
        memcpy(fused + r * (ka + kb), a + r * ka, ka * sizeof *a);
        memcpy(fused + r * (ka + kb) + ka, b + r * kb, kb * sizeof *b);
    }
    if (fused) golden_expect_f32(g, name, fused, n * (ka + kb));
}

void golden_pooling_fusion(struct golden *g) {
    static const char *const parts[] = {"prefill", "decoding"};
    const float *ys[2][2] = {{0}};
    size_t ks[2][2] = {{0}};
    const size_t n = golden_dim(g, "in.prefill_offsets", 0) - 1;
    for (size_t i = 0; i < COUNT(parts) && !golden_failed(g); i++) {
        char states[64], offsets[64], pooled[64], part[64];
        snprintf(states, sizeof states, "in.%s", parts[i]);
        snprintf(offsets, sizeof offsets, "in.%s_offsets", parts[i]);
        snprintf(pooled, sizeof pooled, "out.E_%s", parts[i]);
        snprintf(part, sizeof part, "%s.", parts[i]);
        const struct dense d = {pool(g, states, offsets), golden_dim(g, states, 1)};
        if (golden_failed(g)) return;
        const struct rows x = rows_of_dense(&d, golden_dim(g, offsets, 0) - 1);
        golden_expect_f64(g, pooled, d.values, x.n * x.width);
        check_matrix(g, &x, part, ys[i], ks[i]);
    }
    if (golden_failed(g)) return;
    check_fused(g, "out.E_p95", n, ys[0][0], ks[0][0], ys[1][0], ks[1][0]);
    check_fused(g, "out.E_fixed", n, ys[0][1], ks[0][1], ys[1][1], ks[1][1]);
}
