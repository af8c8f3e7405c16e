/* SPDX-License-Identifier: Apache-2.0 */
/* This module makes the paper's tables from a workspace: it trains what is missing and sets ours beside theirs. */
#ifndef GENAIR_EXPERIMENT_REPRODUCE_H
#define GENAIR_EXPERIMENT_REPRODUCE_H

#include "base/context.h"
#include "base/options.h"
#include "experiment/published.h"

#include <jansson.h>

struct reproduce {
    genair_context *ctx;
    const genair_options *options; /* of `reproduce`; those of `train` among them hold for every run */
    const char *workspace;
    const json_t *statistics; /* what prepare printed */
    enum paper_data data;     /* N_PAPER_DATA: none of the paper's, so theirs is not shown */
};

/* One target: *rows, an array of flat objects, the caller's. */
typedef genair_code reproduce_target(const struct reproduce *r, json_t **rows, genair_status *st);
reproduce_target reproduce_table2, reproduce_table3, reproduce_table4, reproduce_table5, reproduce_table6,
    reproduce_figure2, reproduce_figure4, reproduce_figure5;

/* Options of `train` for a run of the method in the paper's set-up, of those given to `reproduce` the ones that it has;
 * released with genair_options_free. */
CHECKED genair_code reproduce_train_options(const struct reproduce *r, const char *method, genair_options **out,
                                            genair_status *st);
/* Whether this program's `train` has the method. */
bool reproduce_knows(const char *method);

#endif
