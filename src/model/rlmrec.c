/* SPDX-License-Identifier: Apache-2.0 */
/* RLMRec (Ren et al., 2024) for sequences: a plain model whose item vectors e are drawn towards language vectors z
 * seen through a projector g, two linear layers with a leaky ReLU between, which is thrown away after training.
 *
 *     cosine   mean over places of 1 - cos(e, g(z))      gen   mean over places of 1 - cos(g(e), z)
 *     infonce  mean over items of -log softmax_j(cos(e_i, g(z_j)) / tau)_i
 *
 * Places are the positives of the batch, or all items once. */
#include "model/backbones.h"
#include "model/method.h"
#include "tensor/ops.h"

#include <string.h>

#define LEAK 0.01f

static double beta_of(const struct model *m) {
    const json_t *options = m->config.inputs->options;
    if (json_object_get(options, "rlmrec-beta")) return method_real(options, "rlmrec-beta");
    return method_is(options, "rlmrec-align", "infonce") ? 0.01 : 0.1;
}

static genair_code parameters(struct model *m, const float *semantic, genair_status *st) {
    (void)semantic;
    const size_t d = m->config.hidden, width = m->config.inputs->matrix[0].width;
    const size_t given = method_count(m->config.inputs->options, "rlmrec-hidden"), h = given ? given : (width + d) / 2;
    const bool gen = method_is(m->config.inputs->options, "rlmrec-align", "gen");
    genair_code code = add_table(m, "item_emb", d, NULL, st);
    if (code == GENAIR_OK) code = add_linear(m, "rlmrec.lin1", h, gen ? d : width, st);
    if (code == GENAIR_OK) code = add_linear(m, "rlmrec.lin2", gen ? width : d, h, st);
    return code;
}

static struct item_list begin_step(struct model *m, const struct batch *b) {
    (void)b;
    const bool all = beta_of(m) > 0 && method_is(m->config.inputs->options, "rlmrec-items", "all");
    return all ? (struct item_list){m->catalogue, m->n_catalogue} : (struct item_list){0};
}

static struct tensor *project(struct model *m, struct tensor *x) {
    return linear_named(m, op_leaky_relu(&m->tape, linear_named(m, x, "rlmrec.lin1"), LEAK), "rlmrec.lin2");
}

/* The language vectors of the places, constants. */
static struct tensor *language(struct model *m, const struct positives *p) {
    const struct method_matrix *s = &m->config.inputs->matrix[0];
    return model_constants(m, s->values, s->width, 1, p->item, p->n);
}

static bool places(struct model *m, const struct batch *b, struct tensor *table, struct positives *out) {
    if (!method_is(m->config.inputs->options, "rlmrec-items", "all")) return model_positives(m, b, table, false, out);
    const size_t n = m->n_catalogue;
    uint32_t *row = tape_array(&m->tape, n, sizeof *row), *once = tape_array(&m->tape, n, sizeof *once);
    for (size_t i = 0; row && once && i < n; i++) {
        row[i] = model_row(m, m->catalogue[i]);
        once[i] = 1;
    }
    *out = (struct positives){n, n, row, m->catalogue, once};
    return row && once;
}

static void loss(struct model *m, const struct method_step *s, struct step_losses *losses) {
    const double beta = beta_of(m);
    struct tape *t = &m->tape;
    struct positives p;
    if (beta == 0 || !places(m, s->batch, s->table, &p) || p.n == 0) return;
    struct tensor *e = op_gather(t, s->table, NULL, p.row, p.n), *z = language(m, &p);
    float *weight = tape_array(t, p.n, sizeof *weight);
    if (tape_failed(t)) return;
    const bool infonce = method_is(m->config.inputs->options, "rlmrec-align", "infonce"), gen = method_is(m->config.inputs->options, "rlmrec-align", "gen");
    const double tau = infonce ? method_real(m->config.inputs->options, "rlmrec-tau") : 1;
    struct tensor *a = op_unit_rows(t, gen ? project(m, e) : e, (float)(1 / tau));
    struct tensor *b = op_unit_rows(t, gen ? z : project(m, z), 1);
    double value;
    if (infonce) {
        for (size_t i = 0; i < p.n; i++) weight[i] = (float)(beta / (double)p.n);
        uint32_t *own = tape_array(t, p.n, sizeof *own);
        for (size_t i = 0; own && i < p.n; i++) own[i] = (uint32_t)i;
        value = own ? weighted_softmax_loss(t, a, b, own, weight, 0) : 0;
    } else {
        for (size_t i = 0; i < p.n; i++) weight[i] = (float)(beta * (double)p.multiplicity[i] / (double)p.n_places);
        value = direction_loss(t, a, b, weight);
    }
    losses->calibration += value / beta;
    losses->total += value;
}

static const struct method_default defaults[] = {{"semantic-components", "384"}, {0}};

const struct method method_rlmrec = {.name = "rlmrec", .n_matrices = 1, .matrix = method_matrix, .defaults = defaults,
                                     .term = "alignment", .weight_options = ", --rlmrec-beta",
                                     .parameters = parameters, .begin_step = begin_step, .loss = loss};
