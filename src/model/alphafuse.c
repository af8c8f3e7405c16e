/* SPDX-License-Identifier: Apache-2.0 */
/* AlphaFuse (Hu et al., 2025): the first d whitened components of the language vectors stay as they are; only where
 * language varies least, in the last n of them, an item has a trained vector: added to it, or in its place.
 *
 * Its authors rank by  mean over targets of -log softmax over the target and K drawn items of cos(u, e) / tau. */
#include "base/rng.h"
#include "model/backbones.h"
#include "model/method.h"
#include "tensor/ops.h"

#include <string.h>

static struct matrix_request matrix(const json_t *options, size_t which) {
    (void)which;
    return (struct matrix_request){.components = method_count(options, "hidden"), .exact = true,
                                   .whiten = strcmp(method_text(options, "alphafuse-standardize"), "no") != 0,
                                   .by_popularity = strcmp(method_text(options, "alphafuse-weight"), "popularity") == 0};
}

static genair_code parameters(struct model *m, const float *language, genair_status *st) {
    const size_t given = method_count(m->config.inputs->options, "alphafuse-null");
    const size_t n = given ? given : (m->config.hidden + 1) / 2;
    (void)language;
    if (n > m->config.hidden)
        return fail(st, GENAIR_USAGE, "--alphafuse-null %zu: allowed is 1 to --hidden, %zu", n, m->config.hidden);
    const genair_code code = add_table(m, "alphafuse.table", n, NULL, st);
    if (code != GENAIR_OK) return code;
    if (method_is(m->config.inputs->options, "alphafuse-init", "normal"))
        parameter_normal(m->table, 1, m->seed);
    else
        parameter_fill(m->table, 0);
    memset(m->table->value, 0, n * sizeof *m->table->value);
    return GENAIR_OK;
}

/* Whitened coordinates have variance 1: places and the mask start on that scale. */
static genair_code begin(struct model *m, genair_status *st) {
    (void)st;
    struct parameter *mask = parameters_find(m->parameters, "mask_emb");
    struct parameter *places = parameters_find(m->parameters, "pos_emb");
    if (mask) parameter_normal(mask, 1, m->seed);
    if (places && m->config.input_scale > 0) parameter_normal(places, 1, m->seed);
    return GENAIR_OK;
}

static struct tensor *items(struct model *m, struct tensor *source, const uint32_t *ids) {
    const float *language = m->config.inputs->matrix[0].values; /* of item 1 first */
    uint32_t *rows = tape_array(&m->tape, source->rows, sizeof *rows);
    for (size_t i = 0; rows && i < source->rows; i++) rows[i] = ids[i] - 1;
    return rows ? op_overlay(&m->tape, language, m->config.hidden, rows, source, !method_is(m->config.inputs->options, "alphafuse-fuse", "concat"))
                : NULL;
}

/* ---- the authors' loss ---- */

static bool ranks(const struct model *m) {
    return method_is(m->config.inputs->options, "alphafuse-loss", "infonce");
}

static size_t n_negatives(const struct model *m) {
    return method_count(m->config.inputs->options, "alphafuse-negatives");
}

/* Any item of training but the target; the target itself where there is no other. */
static uint32_t draw(const struct model *m, struct rng *r, uint32_t target) {
    uint32_t item = target;
    while (item == target && m->n_catalogue > 1) item = m->catalogue[rng_below(r, m->n_catalogue)];
    return item;
}

/* A target's negatives stand together. */
static struct item_list begin_step(struct model *m, const struct batch *b) {
    if (!ranks(m)) return (struct item_list){0};
    const size_t k = n_negatives(m), n = b->n_targets * k;
    uint32_t *items = tape_array(&m->tape, n, sizeof *items);
    struct rng r = rng_start(m->seed, RNG_ALPHAFUSE, b->epoch << 32 | b->number);
    for (size_t i = 0; items && i < n; i++) items[i] = draw(m, &r, b->positive[i / k]);
    return items ? (struct item_list){items, n} : (struct item_list){0};
}

static void loss(struct model *m, const struct method_step *s, struct step_losses *losses) {
    if (!ranks(m)) return;
    struct tape *t = &m->tape;
    const double tau = method_real(m->config.inputs->options, "alphafuse-tau");
    struct tensor *u = op_unit_rows(t, s->u, (float)(1 / tau)), *e = op_unit_rows(t, s->table, 1);
    const struct pair_loss infonce = {.form = PAIR_SAMPLED_SOFTMAX,
                                      .n_negatives = n_negatives(m),
                                      .positive = model_rows(m, s->batch->positive, s->batch->n_targets),
                                      .negatives = model_rows(m, s->extra.items, s->extra.n)};
    if (tape_failed(t)) return;
    losses->rank = pair_loss(t, u, e, &infonce);
    losses->total += losses->rank;
}

/* Scores of whitened coordinates are far too large at first, and shrink for a hundred epochs. */
static const struct method_default defaults[] = {{"epochs", "200"}, {0}};

const struct method method_alphafuse = {.name = "alphafuse", .n_matrices = 1, .matrix = matrix, .defaults = defaults, .term = "calibration",
                                        .weight_options = "", .parameters = parameters, .begin = begin,
                                        .items = items, .begin_step = begin_step, .ranks = ranks, .loss = loss};
