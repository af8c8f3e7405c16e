/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the table of golden case kinds: one function a kind, one file a group. */
#ifndef GENAIR_TESTS_GOLDEN_GROUPS_H
#define GENAIR_TESTS_GOLDEN_GROUPS_H

#include "golden/golden.h"

golden_run golden_entropy;
golden_run golden_pca, golden_pooling_fusion;

static const struct {
    const char *kind; /* as in case.json */
    golden_run *run;
} golden_groups[] = {
    {"pca", golden_pca},
    {"entropy", golden_entropy},
    {"pooling_fusion", golden_pooling_fusion},
};

#endif
