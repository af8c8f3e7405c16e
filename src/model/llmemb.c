/* SPDX-License-Identifier: Apache-2.0 */
/* LLMEmb (Liu et al., 2025), its recommendation stage: vectors of a language model, fine-tuned by tune/scft.h or elsewhere,
 * pass a linear adapter and are held near the item table of a trained SASRec. */
#include "model/backbones.h"
#include "model/method.h"
#include "tensor/ops.h"

#include <string.h>

enum { HIDDEN_PER_WIDTH = 6 }; /* 768 for 128 */
#define MASK_DEVIATION 0.01

static genair_code parameters(struct model *m, const float *semantic, genair_status *st) {
    const size_t d = m->config.hidden, in = m->config.fused_width;
    genair_code code = GENAIR_OK;
    if (m->config.trainable_fused)
        code = add_table(m, "llmemb.table", in, semantic, st);
    else
        m->fused = semantic;
    if (code == GENAIR_OK) code = add_adapter(m, "llmemb", in, HIDDEN_PER_WIDTH * d, d, st);
    return code;
}

/* The collaborative vectors are a SASRec's, whatever backbone learns here. */
static genair_code begin(struct model *m, genair_status *st) {
    const struct model *base = m->config.inputs ? m->config.inputs->base : NULL;
    struct parameter *mask = parameters_find(m->parameters, "mask_emb");
    if (mask) parameter_normal(mask, MASK_DEVIATION, m->seed);
    if (base && base->config.backbone != SASREC)
        return fail(st, GENAIR_USAGE, "--base-run is a run of %s; llmemb aligns with the items of a base run of sasrec, for "
                    "every backbone", backbone_names[base->config.backbone]);
    return GENAIR_OK;
}

static struct tensor *items(struct model *m, struct tensor *source, const uint32_t *ids) {
    (void)ids;
    return adapter_of(m, "llmemb", source);
}

/* ---- the alignment ---- */

/* Rows of the base run's table, which want no gradient. */
static struct tensor *collaborative(struct model *m, const struct positives *p) {
    const struct parameter *table = m->config.inputs->base->table;
    return model_constants(m, table->value, table->cols, 0, p->item, p->n);
}

static void loss(struct model *m, const struct method_step *s, struct step_losses *losses) {
    const json_t *options = m->config.inputs->options;
    const double alpha = method_real(options, "llmemb-alpha");
    struct tape *t = &m->tape;
    struct positives p;
    if (alpha == 0 || !model_positives(m, s->batch, s->table, false, &p)) return;
    float *tau = tape_array(t, 1, sizeof *tau);
    if (!tau) return;
    *tau = (float)method_real(options, "llmemb-tau");
    const struct contrast c = {
        .form = strcmp(method_text(options, "llmemb-align"), "infonce") == 0 ? CONTRAST_INFONCE : CONTRAST_SOFT,
        .weight = alpha, .tau = tape_view(t, 1, 1, tau, NULL), .multiplicity = p.multiplicity};
    losses->calibration = contrastive_loss(t, collaborative(m, &p), op_gather(t, s->table, NULL, p.row, p.n), &c);
    losses->total += alpha * losses->calibration;
}

static const struct method_default defaults[] = {{"semantic-components", "1536"}, {0}};

const struct method method_llmemb = {.name = "llmemb", .base_run = true, .n_matrices = 1, .matrix = method_matrix,
                                     .defaults = defaults, .term = "alignment", .weight_options = ", --llmemb-alpha",
                                     .parameters = parameters, .begin = begin, .items = items, .loss = loss};
