/* SPDX-License-Identifier: Apache-2.0 */
/* CITIES (Jang et al., 2020): a function F learns, on frequent items, to infer an item's vector from the items around it in
 * histories; then rare items get F's vectors in place of their own in a base run's table.
 *
 *     L = mean over head items i and coordinates of (F(k contexts of i) - e_i)^2,  k drawn for each step
 *
 * F alone learns, before the model: method.h's prelude. The table is frozen, also where the model goes on training. */
#include "model/cities.h"

#include "base/alloc.h"
#include "base/size.h"
#include "model/backbones.h"
#include "tensor/ops.h"

#include <math.h>
#include <string.h>

enum { WARM_UP = 100, LAST_STEP = 1000000, CONTEXTS_PER_BLOCK = 512, DRAWN_PER_BLOCK = 4096, DRAW_STEP = 1, DRAW_HELD };

static const json_t *options_of(const struct model *m) {
    return m->config.inputs->options;
}

/* Stream 0 deals the items. */
static struct rng stream(const struct model *m, int use, uint64_t at) {
    return rng_start(m->seed, RNG_CITIES, (uint64_t)use << 60 | at);
}

/* ---- parts ---- */

static genair_code create(struct model *m, genair_status *st) {
    struct cities *s = mem_zeros(1, sizeof *s);
    if (!s) return fail_memory(st);
    m->state = s;
    s->window = method_count(options_of(m), "cities-window");
    s->n_heads = method_count(options_of(m), "cities-heads");
    s->n_layers = method_count(options_of(m), "cities-layers");
    s->most_contexts = method_count(options_of(m), "cities-max-shot");
    s->dropout = 0.2;
    s->attention_dropout = 0.5;
    if (m->config.hidden % s->n_heads != 0)
        return fail(st, GENAIR_USAGE, "--cities-heads %zu does not divide --hidden %zu", s->n_heads, m->config.hidden);
    return cities_deal(s, m->config.inputs->data, options_of(m), m->config.hidden, m->seed, st);
}

/* The table is a matrix like any that does not learn. */
static genair_code parameters(struct model *m, const float *matrix, genair_status *st) {
    (void)matrix;
    genair_code code = add_table(m, "item_emb", m->config.hidden, NULL, st);
    if (code != GENAIR_OK) return code;
    m->fused = m->table->value + m->config.hidden;
    m->config.fused_width = m->config.hidden;
    m->table = NULL;
    code = create(m, st);
    return code == GENAIR_OK ? cities_parameters(m, st) : code;
}

static void release(struct model *m) {
    cities_free(m->state);
}

static const float *vector_of(const struct model *m, uint32_t item) {
    return m->fused + (item - 1) * m->config.hidden;
}

/* Sum over items of the mean squared difference times weight; its gradient goes to inferred. */
static double error_of(struct model *m, struct tensor *inferred, const uint32_t *items, size_t n, double weight) {
    struct tape *t = &m->tape;
    const size_t d = m->config.hidden;
    struct tensor *truth = tape_tensor(t, n, d, false);
    float *weights = tape_array(t, n, sizeof *weights);
    if (!truth || !weights) return 0;
    for (size_t i = 0; i < n; i++) {
        memcpy(truth->value + i * d, vector_of(m, items[i]), d * sizeof *truth->value);
        weights[i] = (float)(weight / (double)d);
    }
    return square_loss(t, inferred, truth, weights);
}

/* ---- learning ---- */

static size_t batch_of(const struct model *m) {
    return method_count(options_of(m), "batch");
}

static size_t n_steps(const struct model *m) {
    const struct cities *s = m->state;
    return max_size(1, s->n_learning / batch_of(m));
}

/* Grows over the first steps, then falls to 0. */
static double rate_of(const struct model *m, uint64_t step) {
    const double lr = method_real(options_of(m), "cities-lr");
    if (step < WARM_UP) return lr * (double)step / WARM_UP;
    return step < LAST_STEP ? lr * (double)(LAST_STEP - step) / (LAST_STEP - WARM_UP) : 0;
}

static genair_code step(struct model *m, struct step_losses *losses, genair_status *st) {
    const struct cities *s = m->state;
    struct tape *t = &m->tape;
    const uint64_t number = parameters_step(m->parameters) + 1;
    const size_t n = batch_of(m);
    tape_reset(t, true, number);
    parameters_begin_step(m->parameters);
    struct rng r = stream(m, DRAW_STEP, number);
    const size_t k = 1 + rng_below(&r, s->most_contexts);
    struct cities_sample sample;
    uint32_t *items = tape_array(t, n, sizeof *items);
    if (!items || !cities_sample_open(t, s, n, n * k, &sample)) return fail_memory(st);
    for (size_t i = 0; i < n; i++) {
        items[i] = s->learning[rng_below(&r, s->n_learning)];
        cities_add_drawn(&sample, s, items[i], k, &r);
    }
    const double loss = error_of(m, cities_infer(m, &sample), items, n, 1 / (double)n);
    tape_backward(t);
    if (tape_failed(t)) return fail_memory(st);
    if (!isfinite(loss))
        return fail(st, GENAIR_INTERNAL, "step %llu: the error of inferred item vectors is not finite; use a smaller --cities-lr",
                    (unsigned long long)number);
    parameters_set_rate(m->parameters, rate_of(m, number));
    *losses = (struct step_losses){.total = loss};
    return GENAIR_OK;
}

/* The sum over items, each with 1 to the most contexts, of which it reads every one once. */
static genair_code add_error(struct model *m, const uint32_t *held, size_t n, double *sum, genair_status *st) {
    const struct cities *s = m->state;
    const size_t most = s->most_contexts;
    struct cities_sample sample;
    tape_reset(&m->tape, false, 0);
    parameters_begin_step(m->parameters);
    uint32_t *items = tape_array(&m->tape, n * most, sizeof *items);
    if (!items || !cities_sample_open(&m->tape, s, n * most, n * most * (most + 1) / 2, &sample)) return fail_memory(st);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 1; k <= most; k++) {
            struct rng r = stream(m, DRAW_HELD, (uint64_t)k << 32 | held[i]);
            items[sample.n_items] = held[i];
            cities_add_drawn(&sample, s, held[i], k, &r);
        }
    *sum += error_of(m, cities_infer(m, &sample), items, n * most, 1);
    return tape_failed(&m->tape) ? fail_memory(st) : GENAIR_OK;
}

/* Over the items held out, with the same contexts every time. */
static genair_code held_error(struct model *m, double *out, genair_status *st) {
    const struct cities *s = m->state;
    const size_t block = max_size(1, DRAWN_PER_BLOCK / (s->most_contexts * (s->most_contexts + 1) / 2));
    genair_code code = GENAIR_OK;
    double sum = 0;
    for (size_t first = 0; code == GENAIR_OK && first < s->n_held; first += block)
        code = add_error(m, s->held + first, min_size(block, s->n_held - first), &sum, st);
    *out = sum / (double)(s->n_held * s->most_contexts);
    return code;
}

/* ---- rare items ---- */

static size_t n_contexts(const struct cities *s, uint32_t item) {
    return s->seen.start[item + 1] - s->seen.start[item];
}

static bool is_replaced(const struct cities *s, uint32_t item) {
    return s->seen.count[item] <= s->threshold && n_contexts(s, item) > 0;
}

/* The vectors of items, n of them with so many contexts together, into m->item_vectors. */
static genair_code infer_block(struct model *m, const uint32_t *items, size_t n, size_t contexts, genair_status *st) {
    const struct cities *s = m->state;
    const size_t d = m->config.hidden;
    struct cities_sample sample;
    tape_reset(&m->tape, false, 0);
    parameters_begin_step(m->parameters);
    if (!cities_sample_open(&m->tape, s, n, contexts, &sample)) return fail_memory(st);
    for (size_t i = 0; i < n; i++) cities_add_whole(&sample, s, items[i]);
    const struct tensor *inferred = cities_infer(m, &sample);
    if (!inferred) return fail_memory(st);
    for (size_t i = 0; i < n; i++)
        memcpy(m->item_vectors + items[i] * d, inferred->value + i * d, d * sizeof *inferred->value);
    return GENAIR_OK;
}

/* All from the table as it was: m->item_vectors becomes the new one, then the table does. */
static genair_code finish(struct model *m, genair_status *st) {
    const struct cities *s = m->state;
    uint32_t items[CONTEXTS_PER_BLOCK];
    size_t n = 0, contexts = 0;
    genair_code code = model_refresh_items(m, st);
    for (uint32_t i = 1; code == GENAIR_OK && i <= m->config.n_items; i++) {
        if (!is_replaced(s, i)) continue;
        if (n > 0 && contexts + n_contexts(s, i) > CONTEXTS_PER_BLOCK) {
            code = infer_block(m, items, n, contexts, st);
            n = contexts = 0;
        }
        items[n++] = i;
        contexts += n_contexts(s, i);
    }
    if (code == GENAIR_OK && n > 0) code = infer_block(m, items, n, contexts, st);
    if (code != GENAIR_OK) return code;
    struct parameter *table = parameters_find(m->parameters, "item_emb");
    memcpy(table->value, m->item_vectors, table->rows * table->cols * sizeof *table->value);
    return GENAIR_OK;
}

static const struct prelude prelude = {
    .adam = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-6}, .patience = "cities-patience", .epochs = "cities-finetune",
    .n_steps = n_steps, .step = step, .error = held_error, .finish = finish};

const struct method method_cities = {.name = "cities", .base_run = true, .continues = true, .prelude = &prelude,
                                     .term = "inference", .weight_options = "", .parameters = parameters,
                                     .release = release};
