/* SPDX-License-Identifier: Apache-2.0 */
/* Group 03_rank_loss: BPR (eq. 17) and BCE from user states and item vectors, or straight from scores. */
#include "golden/golden_model.h"
#include "golden/groups.h"

#include "base/size.h"
#include "tensor/ops.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum pair_form form;
} forms[] = {{"bpr_sum", PAIR_BPR_SUM}, {"bpr_mean", PAIR_BPR}, {"bce", PAIR_BCE}};

struct targets {
    size_t n, n_negatives;
    uint32_t *position, *positive, *negatives; /* [n], [n], [n, n_negatives] rows of in.table */
};

static const char *named(char text[128], const char *array, size_t form) {
    snprintf(text, 128, "%s.%s", array, forms[form].name);
    return text;
}

/* The places whose pos is not -1, in order. */
static bool read_targets(struct golden *g, size_t n_items, struct targets *t) {
    size_t n, n_all;
    const int64_t *pos = golden_i64(g, "in.pos", &n), *neg = golden_i64(g, "in.neg", &n_all);
    t->n_negatives = n ? n_all / n : 0;
    t->position = golden_zeros(g, n, sizeof *t->position);
    t->positive = golden_zeros(g, n, sizeof *t->positive);
    t->negatives = golden_zeros(g, n_all, sizeof *t->negatives);
    if (golden_failed(g)) return false;
    for (size_t i = 0; i < n; i++) {
        if (pos[i] < 0) continue;
        t->position[t->n] = (uint32_t)i;
        t->positive[t->n] = (uint32_t)pos[i];
        for (size_t k = 0; k < t->n_negatives; k++) {
            const int64_t negative = neg[i * t->n_negatives + k];
            if (pos[i] >= (int64_t)n_items || negative < 0 || negative >= (int64_t)n_items) {
                golden_fail(g, "in.pos or in.neg holds no item at %zu", i);
                return false;
            }
            t->negatives[t->n * t->n_negatives + k] = (uint32_t)negative;
        }
        t->n++;
    }
    golden_expect_number(g, "positions with a target", golden_number(g, "real_positions"), (double)t->n, 0);
    return !golden_failed(g);
}

static void check_scores(struct golden *g, const struct targets *targets, const float *scores) {
    const size_t k = targets->n_negatives;
    float *positive = golden_zeros(g, targets->n, sizeof *positive);
    float *negative = golden_zeros(g, targets->n * k, sizeof *negative);
    if (!positive || !negative) return;
    for (size_t r = 0; r < targets->n; r++) {
        positive[r] = scores[r * (k + 1)];
        memcpy(negative + r * k, scores + r * (k + 1) + 1, k * sizeof *negative);
    }
    golden_expect_f32(g, "out.s_pos", positive, targets->n);
    golden_expect_f32(g, "out.s_neg", negative, targets->n * k);
}

static void check_form(struct golden *g, size_t form, const struct targets *targets) {
    char name[128];
    struct tape t;
    const size_t rows = golden_dim(g, "in.u", 0), d = golden_dim(g, "in.u", 1);
    const size_t n_items = golden_dim(g, "in.table", 0);
    float *scores = golden_zeros(g, targets->n * (targets->n_negatives + 1), sizeof *scores);
    if (golden_failed(g) || !golden_tape(g, &t)) return;
    struct tensor *states = golden_tensor(g, &t, "in.u", rows, d);
    struct tensor *table = golden_tensor(g, &t, "in.table", n_items, d);
    struct tensor *u = op_gather(&t, states, NULL, targets->position, targets->n);
    const struct pair_loss loss = {.form = forms[form].form, .n_negatives = targets->n_negatives,
                                   .positive = targets->positive, .negatives = targets->negatives,
                                   .scores = scores};
    const double value = pair_loss(&t, u, table, &loss);
    tape_backward(&t);
    if (!golden_failed(g) && !tape_failed(&t)) {
        check_scores(g, targets, scores);
        golden_expect_f64(g, named(name, "out.loss", form), &value, 1);
        golden_expect_f32(g, named(name, "grad_in.u", form), states->gradient, rows * d);
        golden_expect_f32(g, named(name, "grad_in.table", form), table->gradient, n_items * d);
    }
    tape_deinit(&t);
}

void golden_rank_loss(struct golden *g) {
    struct targets targets = {0};
    if (!read_targets(g, golden_dim(g, "in.table", 0), &targets)) return;
    for (size_t form = 0; form < COUNT(forms) && !golden_failed(g); form++) check_form(g, form, &targets);
}

/* Scores become products: u = (s+, s-) with the vectors (1, 0) and (0, 1), so that du is their gradient. */
static void check_form_of_scores(struct golden *g, size_t form, const float *s_pos, const float *s_neg, size_t n) {
    char name[128];
    struct tape t;
    uint32_t *positive = golden_zeros(g, n, sizeof *positive), *negative = golden_zeros(g, n, sizeof *negative);
    float *slope_pos = golden_zeros(g, n, sizeof *slope_pos), *slope_neg = golden_zeros(g, n, sizeof *slope_neg);
    if (golden_failed(g) || !golden_tape(g, &t)) return;
    struct tensor *u = tape_tensor(&t, n, 2, true), *table = tape_tensor(&t, 2, 2, true);
    memcpy(table->value, (const float[]){1, 0, 0, 1}, 4 * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        u->value[2 * i] = s_pos[i];
        u->value[2 * i + 1] = s_neg[i];
        negative[i] = 1;
    }
    const struct pair_loss loss = {.form = forms[form].form, .n_negatives = 1, .positive = positive,
                                   .negatives = negative};
    const double value = pair_loss(&t, u, table, &loss);
    for (size_t i = 0; i < n; i++) {
        slope_pos[i] = u->gradient[2 * i];
        slope_neg[i] = u->gradient[2 * i + 1];
    }
    tape_deinit(&t);
    golden_expect_f64(g, named(name, "out.loss", form), &value, 1);
    golden_expect_f32(g, named(name, "grad_in.s_pos", form), slope_pos, n);
    golden_expect_f32(g, named(name, "grad_in.s_neg", form), slope_neg, n);
}

void golden_rank_loss_scores(struct golden *g) {
    size_t n, n_negatives;
    const float *s_pos = golden_f32(g, "in.s_pos", &n), *s_neg = golden_f32(g, "in.s_neg", &n_negatives);
    if (n != n_negatives) golden_fail(g, "in.s_pos and in.s_neg have different lengths");
    for (size_t form = 0; form < COUNT(forms) && !golden_failed(g); form++)
        check_form_of_scores(g, form, s_pos, s_neg, n);
}
