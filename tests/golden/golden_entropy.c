/* SPDX-License-Identifier: Apache-2.0 */
/* Group 09_entropy: matrix-based entropy of item vectors and of popularity groups (eqs. 24-25). */
#include "algebra/entropy.h"
#include "golden/groups.h"

#include "base/size.h"

/* The four entropies: order 1 and 2 of the rows as they are, then of the normalised ones; spectra
 * may be NULL. */
static void four_entropies(struct golden *g, const struct rows *z, double out[4],
                           double *spectra[2]) {
    const size_t n = min_size(z->n, z->width);
    for (size_t i = 0; i < 2; i++) {
        double *p = spectra ? spectra[i] : golden_zeros(g, n, sizeof *p);
        if (!p ||
            !golden_ok(g, entropy_spectrum(golden_context(g), z, i == 1, p, golden_status(g))))
            return;
        out[2 * i] = entropy_of_spectrum(p, n, 1);
        out[2 * i + 1] = entropy_of_spectrum(p, n, 2);
    }
}

/* Popularity groups as everywhere: items by popularity descending, ties by index, group floor(5 r /
 * N). */
static int64_t *popularity_groups(struct golden *g, size_t n) {
    size_t n_pop;
    const int64_t *pop = golden_i64(g, "in.item_pop", &n_pop);
    int64_t *group = golden_zeros(g, n, sizeof *group);
    if (golden_failed(g) || n_pop != n) return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t place = 0; /* items that stand before i */
        for (size_t j = 0; j < n; j++)
            place += pop[j] > pop[i] || (pop[j] == pop[i] && j < i);
        group[i] = (int64_t)(5 * place / n);
    }
    return group;
}

static void check_groups(struct golden *g, const double *z, size_t n, size_t width) {
    const int64_t *group = popularity_groups(g, n);
    double *rows = golden_zeros(g, n * width, sizeof *rows),
           *found = golden_zeros(g, 20, sizeof *found);
    for (int64_t k = 0; k < 5 && group && !golden_failed(g); k++) {
        size_t n_rows = 0;
        for (size_t i = 0; i < n; i++)
            for (size_t c = 0; c < width && group[i] == k; c++)
                rows[n_rows++] = z[i * width + c];
        const struct dense d = {rows, width};
        const struct rows x = rows_of_dense(&d, n_rows / width);
        if (x.n) four_entropies(g, &x, found + 4 * k, NULL);
    }
    if (golden_failed(g)) return;
    golden_expect_i64(g, "out.group", group, n);
    golden_expect_f64(g, "out.group_entropy", found, 20);
}

void golden_entropy(struct golden *g) {
    const struct dense d = {golden_f64(g, "in.Z", NULL), golden_dim(g, "in.Z", 1)};
    const size_t n = golden_dim(g, "in.Z", 0), n_spectrum = min_size(n, d.width);
    double *spectra[2] = {golden_zeros(g, n_spectrum, sizeof(double)),
                          golden_zeros(g, n_spectrum, sizeof(double))};
    if (golden_failed(g)) return;
    const struct rows z = rows_of_dense(&d, n);
    double found[4] = {0};
    four_entropies(g, &z, found, spectra);
    if (golden_failed(g)) return;
    golden_expect_f64(g, "out.entropy", found, 4);
    golden_expect_f64(g, "out.p_raw", spectra[0], n_spectrum);
    golden_expect_f64(g, "out.p_normalised", spectra[1], n_spectrum);
    if (golden_has(g, "out.group")) check_groups(g, d.values, n, d.width);
}
