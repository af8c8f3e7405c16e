/* SPDX-License-Identifier: Apache-2.0 */
/* Group 04_calibration: the calibration loss (eqs. 9-14) and its gradient for raw item vectors.
 *
 * The library sums over distinct items and goes through the normalisation at once; what a case holds by
 * place or for the unit vectors (S, w, grad_in.ehat, force_first) is computed here pair by pair, so that
 * the definitions that the library's result stands for are compared too. */
#include "golden/golden_model.h"
#include "golden/groups.h"

#include "base/size.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum calibration_form form;
} forms[] = {{"kernel", CALIBRATION_KERNEL}, {"dot", CALIBRATION_DOT}, {"linear", CALIBRATION_LINEAR}};

struct places {
    size_t n, d, n_items;
    const uint32_t *row;  /* [n] of in.table */
    const double *table;  /* [n_items, d] */
    double *unit;         /* [n, d] */
    double *s, *w;        /* [n, n] eqs. 10, 11 */
    double gamma, t;
    const struct cooccurrence *cooccurrence;
};

static const char *named(char text[128], const char *array, size_t form) {
    snprintf(text, 128, "%s.%s", array, forms[form].name);
    return text;
}

static double association(const struct cooccurrence *c, uint32_t a, uint32_t b) {
    for (uint64_t e = c->start[a]; e < c->start[a + 1]; e++)
        if (c->item[e] == b) return log1p((double)c->count[e]) / log1p((double)c->max_count);
    return 0;
}

static bool read_places(struct golden *g, struct places *p) {
    p->n_items = golden_dim(g, "in.table", 0);
    p->d = golden_dim(g, "in.table", 1);
    p->row = golden_ids(g, "in.ids", (int64_t)p->n_items, 0, &p->n);
    p->table = golden_f64(g, "in.table", NULL);
    p->gamma = golden_number(g, "gamma");
    p->t = golden_number(g, "t");
    p->cooccurrence = golden_pair_counts(g, p->n_items);
    p->unit = golden_zeros(g, p->n * p->d, sizeof *p->unit);
    p->s = golden_zeros(g, p->n * p->n, sizeof *p->s);
    p->w = golden_zeros(g, p->n * p->n, sizeof *p->w);
    if (golden_failed(g)) return false;
    for (size_t i = 0; i < p->n; i++) {
        const double *x = p->table + p->row[i] * p->d;
        double square = 0;
        for (size_t k = 0; k < p->d; k++) square += x[k] * x[k];
        for (size_t k = 0; k < p->d; k++) p->unit[i * p->d + k] = x[k] / fmax(sqrt(square), 1e-12);
        for (size_t j = 0; j < p->n; j++) {
            p->s[i * p->n + j] = association(p->cooccurrence, p->row[i] + 1, p->row[j] + 1);
            p->w[i * p->n + j] = exp(-p->gamma * p->s[i * p->n + j]);
        }
    }
    return true;
}

/* The pairs i < j of a matrix. */
static void check_pairs(struct golden *g, const char *array, const struct places *p, const double *matrix) {
    double *upper = golden_zeros(g, p->n * p->n, sizeof *upper);
    size_t at = 0;
    for (size_t i = 0; upper && i < p->n; i++)
        for (size_t j = i + 1; j < p->n; j++) upper[at++] = matrix[i * p->n + j];
    if (upper) golden_expect_f64(g, array, upper, at);
}

/* Gradient for the unit vectors from the pairs with i as first argument (eq. 15): half of all. */
static void check_forces(struct golden *g, const struct places *p, size_t form) {
    char name[128];
    const size_t n = p->n, d = p->d;
    double *force = golden_zeros(g, n * d, sizeof *force), *both = golden_zeros(g, n * d, sizeof *both);
    if (!force || !both) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const double *a = p->unit + i * d, *b = p->unit + j * d;
            double product = 0, square = 0;
            for (size_t k = 0; k < d; k++) {
                product += a[k] * b[k];
                square += (a[k] - b[k]) * (a[k] - b[k]);
            }
            const double weight = p->w[i * n + j] / ((double)n * (double)(n - 1));
            for (size_t k = 0; k < d && i != j; k++) {
                const double slope[] = {exp(-p->t * square) * -2 * p->t * (a[k] - b[k]),
                                        exp(2 * p->t * product) * 2 * p->t * b[k], -2 * (a[k] - b[k])};
                force[i * d + k] += weight * slope[form];
            }
        }
    for (size_t i = 0; i < n * d; i++) both[i] = 2 * force[i];
    golden_expect_f64(g, named(name, "grad_in.ehat", form), both, n * d);
    if (golden_has(g, named(name, "out.force_first", form))) golden_expect_f64(g, name, force, n * d);
}

/* Distinct items by first appearance. */
static bool distinct(struct golden *g, const struct places *p, struct calibration *c) {
    uint32_t *row = golden_zeros(g, p->n, sizeof *row), *item = golden_zeros(g, p->n, sizeof *item);
    uint32_t *multiplicity = golden_zeros(g, p->n, sizeof *multiplicity);
    if (!row || !item || !multiplicity) return false;
    for (size_t i = 0; i < p->n; i++) {
        size_t a = 0;
        while (a < c->n_distinct && row[a] != p->row[i]) a++;
        row[a] = p->row[i];
        item[a] = p->row[i] + 1;
        multiplicity[a]++;
        c->n_distinct = max_size(c->n_distinct, a + 1);
    }
    c->row = row;
    c->item = item;
    c->multiplicity = multiplicity;
    return true;
}

/* Places that hold the same item share its gradient equally. */
static void check_rows(struct golden *g, const struct places *p, const struct calibration *c, size_t form,
                       const float *gradient) {
    char name[128];
    double *rows = golden_zeros(g, p->n * p->d, sizeof *rows);
    if (!rows) return;
    for (size_t i = 0; i < p->n; i++)
        for (size_t a = 0; a < c->n_distinct; a++)
            for (size_t k = 0; c->row[a] == p->row[i] && k < p->d; k++)
                rows[i * p->d + k] = (double)gradient[p->row[i] * p->d + k] / c->multiplicity[a];
    golden_expect_f64(g, named(name, "grad_in.rows", form), rows, p->n * p->d);
}

static void check_form(struct golden *g, const struct places *p, size_t form) {
    char name[128];
    struct tape t;
    struct calibration c = {.form = forms[form].form, .weight = 1, .gamma = p->gamma, .t = p->t,
                            .cooccurrence = p->cooccurrence};
    if (!distinct(g, p, &c) || !golden_tape(g, &t)) return;
    struct tensor *table = golden_tensor(g, &t, "in.table", p->n_items, p->d);
    const double value = calibration_loss(&t, table, &c);
    if (table) tensor_open_gradient(table); /* one item: nothing was written */
    if (!golden_failed(g) && !tape_failed(&t)) {
        golden_expect_f64(g, named(name, "out.loss", form), &value, 1);
        golden_expect_f32(g, named(name, "grad_in.table", form), table->gradient, p->n_items * p->d);
        check_rows(g, p, &c, form, table->gradient);
        check_forces(g, p, form);
    }
    tape_deinit(&t);
}

void golden_calibration(struct golden *g) {
    struct places p = {0};
    if (!read_places(g, &p)) return;
    check_pairs(g, "out.S", &p, p.s);
    check_pairs(g, "out.w", &p, p.w);
    for (size_t form = 0; form < COUNT(forms) && !golden_failed(g); form++) check_form(g, &p, form);
}
