/* SPDX-License-Identifier: Apache-2.0 */
/* This module opens the finished base run that --base-run names, for the methods that build on one. */
#ifndef GENAIR_TRAIN_BASE_RUN_H
#define GENAIR_TRAIN_BASE_RUN_H

#include "model/load.h"
#include "model/method.h"

/* Refuses a run of another method, width or, where the method continues it, backbone and shape. */
CHECKED genair_code base_run_open(genair_context *ctx, const char *workspace, const json_t *config,
                                  const struct method *method, const struct dataset *data, struct run **out,
                                  genair_status *st);
const struct model *base_run_model(const struct run *r);
/* Copies the parameters that both models have under one name. */
void base_run_copy(const struct run *r, struct model *to);

#endif
