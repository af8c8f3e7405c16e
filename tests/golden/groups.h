/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the table of golden case kinds: one function a kind, one file a group. */
#ifndef GENAIR_TESTS_GOLDEN_GROUPS_H
#define GENAIR_TESTS_GOLDEN_GROUPS_H

#include "golden/golden.h"

golden_run golden_cooccurrence;
golden_run golden_entropy;
golden_run golden_evaluation;
golden_run golden_pca, golden_pooling_fusion;
golden_run golden_real_counts;

static const struct {
    const char *kind; /* as in case.json */
    golden_run *run;
} golden_groups[] = {
    {"cooccurrence", golden_cooccurrence},     {"pca", golden_pca},
    {"evaluation", golden_evaluation},         {"entropy", golden_entropy},
    {"pooling_fusion", golden_pooling_fusion}, {"real_counts", golden_real_counts},
};

#endif
