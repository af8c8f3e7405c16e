/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the table of golden case kinds: one function a kind, one file a group. */
#ifndef GENAIR_TESTS_GOLDEN_GROUPS_H
#define GENAIR_TESTS_GOLDEN_GROUPS_H

#include "golden/golden.h"

golden_run golden_backbone, golden_layernorm;
golden_run golden_adapter;
golden_run golden_rank_loss, golden_rank_loss_scores;
golden_run golden_calibration;
golden_run golden_cooccurrence;
golden_run golden_full_model, golden_compact_model, golden_adam_alone;
golden_run golden_entropy;
golden_run golden_evaluation;
golden_run golden_pca, golden_pooling_fusion;
golden_run golden_real_counts;

static const struct {
    const char *kind; /* as in case.json */
    golden_run *run;
} golden_groups[] = {
    {"backbone.sasrec", golden_backbone},
    {"backbone.bert4rec", golden_backbone},
    {"backbone.gru4rec", golden_backbone},
    {"layernorm", golden_layernorm},
    {"adapter", golden_adapter},
    {"rank_loss", golden_rank_loss},
    {"rank_loss_logits", golden_rank_loss_scores},
    {"calibration", golden_calibration},
    {"full_model", golden_full_model},
    {"base_model", golden_full_model},
    {"full_model_compact", golden_compact_model},
    {"adam", golden_adam_alone},
    {"cooccurrence", golden_cooccurrence},
    {"pca", golden_pca},
    {"evaluation", golden_evaluation},
    {"entropy", golden_entropy},
    {"pooling_fusion", golden_pooling_fusion},
    {"real_counts", golden_real_counts},
};

#endif
