/* SPDX-License-Identifier: Apache-2.0 */
/* Group 07_full_model: whole training steps, losses, gradients, parameters after Adam; Adam alone. */
#include "golden/golden_model.h"
#include "golden/groups.h"

#include "base/size.h"
#include "tensor/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_STEPS = 10, MOST_BATCHES = 8, N_FIRST = 8 };
#define PROBE_SEED 500

static const char *batch_array(char text[128], size_t batch, const char *name) {
    snprintf(text, 128, "in.b%zu.%s", batch, name);
    return text;
}

/* pos stands at every token (-1: none) or once a sequence, for its last token. */
static bool read_batch(struct golden *g, size_t number, size_t n_items, struct batch *out) {
    char name[128];
    size_t n_tokens, n_places, n_negatives;
    out->items = golden_items(g, batch_array(name, number, "items"), n_items, &n_tokens);
    out->offsets = golden_offsets(g, batch_array(name, number, "offsets"), &out->n_sequences);
    const uint32_t *pos = golden_items(g, batch_array(name, number, "pos"), n_items, &n_places);
    const uint32_t *neg = golden_items(g, batch_array(name, number, "neg"), n_items, &n_negatives);
    uint32_t *position = golden_zeros(g, n_places, sizeof *position);
    uint32_t *positive = golden_zeros(g, n_places, sizeof *positive);
    uint32_t *negatives = golden_zeros(g, n_negatives, sizeof *negatives);
    if (golden_failed(g)) return false;
    if (n_places != n_tokens && n_places != out->n_sequences) {
        golden_fail(g, "batch %zu: %zu targets for %zu tokens", number, n_places, n_tokens);
        return false;
    }
    const size_t k = n_negatives / n_places;
    for (size_t i = 0; i < n_places; i++) {
        if (pos[i] == MASK_ROW) continue;
        position[out->n_targets] = n_places == n_tokens ? (uint32_t)i : out->offsets[i + 1] - 1;
        positive[out->n_targets] = pos[i];
        memcpy(negatives + out->n_targets * k, neg + i * k, k * sizeof *neg);
        out->n_targets++;
    }
    out->position = position;
    out->positive = positive;
    out->n_negatives = k;
    out->negatives = negatives;
    return true;
}

static size_t read_batches(struct golden *g, size_t n_items, struct batch *batches) {
    char name[128];
    size_t n = 0;
    for (; n < MOST_BATCHES && golden_has(g, batch_array(name, n, "items")); n++)
        if (!read_batch(g, n, n_items, &batches[n])) return 0;
    if (n == 0) golden_fail(g, "no batch");
    return n;
}

static struct objective objective_of(struct golden *g, size_t n_items) {
    static const struct {
        const char *name;
        enum rank_loss loss;
    } losses[] = {{"bce", LOSS_BCE}, {"bpr_mean", LOSS_BPR}, {"bpr_sum", LOSS_BPR_SUM}};
    static const struct {
        const char *name;
        enum calibration_form form;
    } forms[] = {{"kernel", CALIBRATION_KERNEL}, {"dot", CALIBRATION_DOT}, {"linear", CALIBRATION_LINEAR}};
    struct objective o = {.loss = N_LOSSES};
    for (size_t i = 0; i < COUNT(losses); i++)
        if (strcmp(losses[i].name, golden_text(g, "rank_form")) == 0) o.loss = losses[i].loss;
    if (o.loss == N_LOSSES) golden_fail(g, "unknown rank_form");
    if (!golden_has_hyper(g, "cal_form")) return o;
    for (size_t i = 0; i < COUNT(forms); i++)
        if (strcmp(forms[i].name, golden_text(g, "cal_form")) == 0) o.calibration = forms[i].form;
    if (o.calibration == CALIBRATION_NONE) golden_fail(g, "unknown cal_form");
    o.unique_items = strcmp(golden_text(g, "cal_batch"), "unique") == 0;
    o.alpha = golden_number(g, "alpha");
    o.gamma = golden_number(g, "gamma");
    o.t = golden_number(g, "t");
    o.cooccurrence = golden_pair_counts(g, n_items);
    return o;
}

/* ---- the steps, the same for stored and generated cases ---- */

struct steps {
    struct golden *g;
    struct model *m;
    struct batch batches[MOST_BATCHES];
    size_t n_batches;
    struct objective objective;
    void (*check_gradients)(struct golden *g, struct model *m);
    double total[N_STEPS], rank[N_STEPS], calibration[N_STEPS];
};

static void check_scalar(struct golden *g, const char *name, const char *trace, double found) {
    const json_t *entry = json_object_get(json_object_get(golden_json(g), "tolerance"), trace);
    golden_expect_scalar(g, name, found, json_number_value(json_object_get(entry, "max_abs")));
}

static void run_steps(struct steps *s) {
    struct golden *g = s->g;
    for (size_t i = 0; i < N_STEPS && !golden_failed(g); i++) {
        struct step_losses losses;
        if (!golden_ok(g, model_step(s->m, &s->batches[i % s->n_batches], &s->objective, &losses,
                                     golden_status(g))))
            return;
        s->total[i] = losses.total;
        s->rank[i] = losses.rank;
        s->calibration[i] = losses.calibration;
        if (i == 0) s->check_gradients(g, s->m);
        if (!golden_ok(g, parameters_adam(s->m->parameters, golden_status(g)))) return;
        char step[16], first[128];
        snprintf(step, sizeof step, "step%zu", i + 1);
        snprintf(first, sizeof first, "%s.%s", step, parameters_at(s->m->parameters, 0)->name);
        if (golden_has(g, first)) golden_expect_parameters(g, s->m, step);
    }
    golden_expect_f64(g, "out.trace_total", s->total, N_STEPS);
    golden_expect_f64(g, "out.trace_rank", s->rank, N_STEPS);
    golden_expect_f64(g, "out.trace_cal", s->calibration, N_STEPS);
    check_scalar(g, "total", "out.trace_total", s->total[0]);
    check_scalar(g, "rank", "out.trace_rank", s->rank[0]);
    check_scalar(g, "cal", "out.trace_cal", s->calibration[0]);
}

static void check_stored_gradients(struct golden *g, struct model *m) {
    golden_expect_gradients(g, m, "");
    if (!m->table) return;
    const size_t d = m->table->cols, n = m->table->rows * d;
    float *gradient = golden_zeros(g, n, sizeof *gradient);
    for (size_t i = 0; gradient && i < m->table->n_touched; i++)
        memcpy(gradient + m->table->touched[i] * d, m->table->touched_gradient + i * d, d * sizeof *gradient);
    if (gradient) golden_expect_f32(g, "grad.item_emb", gradient + d, n - d);
}

void golden_full_model(struct golden *g) {
    struct model_config config = golden_config(g);
    const struct adam_options adam = golden_adam(g);
    const bool base = !golden_has(g, "in.E");
    const float *fused = base ? NULL : golden_f32(g, "in.E", NULL);
    config.fused_width = base ? 0 : golden_dim(g, "in.E", 1);
    struct steps s = {.g = g, .check_gradients = check_stored_gradients};
    s.n_batches = read_batches(g, config.n_items, s.batches);
    s.objective = objective_of(g, config.n_items);
    s.m = golden_model(g, &config, fused, &adam);
    if (!s.m) return;
    golden_set_parameters(g, s.m, "");
    run_steps(&s);
    model_free(s.m);
}

/* ---- generated cases ---- */

static float generated_value(uint64_t seed, double scale, double shift, size_t i) {
    uint64_t z = seed + ((uint64_t)i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (float)(((double)(z >> 40) - 8388608) / 8388608 * scale + shift);
}

static const json_t *rule_of(struct golden *g, const char *group, const char *name) {
    const json_t *rule = json_object_get(json_object_get(golden_json(g), group), name);
    if (!rule) golden_fail(g, "\"%s\" has no entry for %s", group, name);
    return rule;
}

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static void generate(struct golden *g, const char *name, float *values, size_t n) {
    const json_t *rule = rule_of(g, "generated", name), *shape = json_object_get(rule, "shape"), *extent;
    size_t product = 1, axis;
    json_array_foreach(shape, axis, extent) product *= (size_t)json_integer_value(extent);
    if (product != n) golden_fail(g, "%s: generated with %zu values, the model has %zu", name, product, n);
    const uint64_t seed = (uint64_t)json_integer_value(json_object_get(rule, "seed"));
    for (size_t i = 0; i < n && !golden_failed(g); i++)
        values[i] = generated_value(seed, number(rule, "scale"), number(rule, "shift"), i);
}

/* Norm, product with a generated array, first entries. */
static void check_probe(struct golden *g, const struct parameter *p) {
    const json_t *want = rule_of(g, "gradients", p->name), *rule = rule_of(g, "generated", p->name);
    if (golden_failed(g)) return;
    const uint64_t seed = (uint64_t)json_integer_value(json_object_get(rule, "seed")) + PROBE_SEED;
    const size_t n = p->rows * p->cols;
    char label[128];
    double square = 0, product = 0;
    for (size_t i = 0; i < n; i++) {
        square += (double)p->gradient[i] * (double)p->gradient[i];
        product += (double)p->gradient[i] * (double)generated_value(seed, 1, 0, i);
    }
    snprintf(label, sizeof label, "gradient of %s: norm", p->name);
    golden_expect_number(g, label, number(want, "l2"), sqrt(square), number(want, "tol_l2"));
    snprintf(label, sizeof label, "gradient of %s: product", p->name);
    golden_expect_number(g, label, number(want, "dot"), product, number(want, "tol_dot"));
    const json_t *first = json_object_get(want, "first");
    if (json_array_size(first) != min_size(n, N_FIRST)) golden_fail(g, "%s: no first entries", p->name);
    for (size_t i = 0; i < json_array_size(first); i++) {
        snprintf(label, sizeof label, "gradient of %s[%zu]", p->name, i);
        golden_expect_number(g, label, json_number_value(json_array_get(first, i)), (double)p->gradient[i],
                             number(want, "tol_first"));
    }
}

static void check_probes(struct golden *g, struct model *m) {
    const size_t n = parameters_count(m->parameters);
    const size_t n_probes = json_object_size(json_object_get(golden_json(g), "gradients"));
    golden_expect_number(g, "number of parameters with a gradient", (double)n_probes, (double)n, 0);
    for (size_t i = 0; i < n; i++) check_probe(g, parameters_at(m->parameters, i));
}

void golden_compact_model(struct golden *g) {
    struct model_config config = golden_config(g);
    config.fused_width = (size_t)golden_number(g, "in");
    const struct adam_options adam = golden_adam(g);
    float *fused = golden_zeros(g, config.n_items * config.fused_width, sizeof *fused);
    if (golden_failed(g)) return;
    generate(g, "E", fused, config.n_items * config.fused_width);
    struct steps s = {.g = g, .check_gradients = check_probes};
    s.n_batches = read_batches(g, config.n_items, s.batches);
    s.objective = objective_of(g, config.n_items);
    s.m = golden_model(g, &config, fused, &adam);
    if (!s.m) return;
    for (size_t i = 0; i < parameters_count(s.m->parameters); i++) {
        struct parameter *p = parameters_at(s.m->parameters, i);
        generate(g, p->name, p->value, p->rows * p->cols);
    }
    run_steps(&s);
    model_free(s.m);
}

/* ---- Adam alone ---- */

/* The moments have no tolerance of their own: 1e-5 of each entry (case.json). */
static void check_moments(struct golden *g, const char *array, const float *found, size_t n) {
    const double *expected = golden_f64(g, array, NULL);
    for (size_t i = 0; expected && i < n; i++)
        golden_expect_number(g, array, expected[i], (double)found[i], 1e-5 * fabs(expected[i]) + 1e-37);
}

/* As one dense vector, or as a table with a row a number: rows without gradient are not touched, and catch
 * up when they are read. */
static void run_adam(struct golden *g, bool table) {
    size_t n, n_values;
    const float *start = golden_f32(g, "in.p0", &n), *gradients = golden_f32(g, "in.G", &n_values);
    const struct adam_options options = golden_adam(g);
    const size_t n_steps = n ? n_values / n : 0;
    uint32_t *rows = golden_zeros(g, n, sizeof *rows);
    float *touched = golden_zeros(g, n, sizeof *touched), *trace = golden_zeros(g, n_values, sizeof *trace);
    struct parameters *all = NULL;
    struct parameter *p = NULL;
    struct tape t;
    if (golden_failed(g) || !golden_tape(g, &t)) return;
    genair_status *st = golden_status(g);
    if (golden_ok(g, parameters_create(&options, context_parallel(golden_context(g)), golden_kernels(g), &all, st)) &&
        golden_ok(g, parameters_add(all, "p", table ? n : 1, table ? 1 : n, table, &p, st)))
        memcpy(p->value, start, n * sizeof *start);
    for (size_t s = 0; s < n_steps && !golden_failed(g); s++) {
        const float *gradient = gradients + s * n;
        tape_reset(&t, true, s + 1);
        parameters_begin_step(all);
        size_t n_touched = 0;
        for (size_t i = 0; i < n; i++) {
            if (gradient[i] == 0) continue;
            rows[n_touched] = (uint32_t)i;
            touched[n_touched++] = gradient[i];
        }
        if (table) {
            parameters_touch(p, rows, n_touched, touched);
        } else {
            memcpy(p->gradient, gradient, n * sizeof *gradient);
            parameter_tensor(&t, p)->written = true;
        }
        golden_ok(g, parameters_adam(all, st));
        if (table && s % 3 == 2) parameters_catch_up(all, p, NULL, 0); /* else rows fall behind further */
        memcpy(trace + s * n, p->value, n * sizeof *trace);
    }
    if (table && !golden_failed(g)) parameters_catch_up(all, p, NULL, 0);
    if (!table) golden_expect_f32(g, "out.P", trace, n_values);
    const double *last = golden_f64(g, "out.P", NULL);
    for (size_t i = 0; last && !golden_failed(g) && i < n; i++)
        golden_expect_number(g, "out.P after the last step", last[n_values - n + i], (double)p->value[i], 1.76e-6);
    if (!golden_failed(g)) check_moments(g, "out.M", p->m, n);
    if (!golden_failed(g)) check_moments(g, "out.V", p->v, n);
    parameters_free(all);
    tape_deinit(&t);
}

void golden_adam_alone(struct golden *g) {
    run_adam(g, false);
    if (!golden_failed(g)) run_adam(g, true);
}
