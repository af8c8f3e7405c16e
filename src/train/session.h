/* SPDX-License-Identifier: Apache-2.0 */
/* This module opens what training needs: data, item matrix, model, batches, objective. */
#ifndef GENAIR_TRAIN_SESSION_H
#define GENAIR_TRAIN_SESSION_H

#include "base/context.h"
#include "base/options.h"
#include "model/load.h"
#include "model/method.h"
#include "train/batches.h"
#include "workspace/npy.h"

#include <jansson.h>

struct session {
    struct dataset *data;
    struct npy *matrix;      /* ws/fused.npy, or that of --items; NULL for base */
    float *converted;        /* its rows, where the file is not plain float32 */
    struct run *base;        /* of --base-run, or NULL */
    int32_t *similar;        /* users, where the method learns from them, or NULL */
    struct method_inputs inputs; /* its matrices are the session's */
    struct model *model;
    const struct prelude *prelude; /* the method's, while that is what learns; NULL: the model learns */
    struct batches *batches;
    struct objective objective;
    struct adam_options adam; /* of the model */
    struct model_config config;
};

/* Options of `train` on which no run depends, or only through vectors that all runs of a workspace share (scft-…, model). */
bool session_neutral(const char *option);
/* Every option that a run's result depends on, by its long name, with the method's own defaults: the content of
 * config.json. Options that the method does not have are left out. NULL when memory is out. */
json_t *session_options(const genair_options *o);
/* The same for another method than the one that o names. */
json_t *session_options_of(const genair_options *o, const char *method);

/* config: from session_options, borrowed while the session is open. repeat: as in batches_options. Errors name the command to run first. */
CHECKED genair_code session_open(genair_context *ctx, const char *workspace, const json_t *config, size_t repeat,
                                 struct session *out, genair_status *st);
void session_close(struct session *s); /* {0} is fine */

/* What learns is the method's prelude, or the model. */
size_t session_steps(const struct session *s); /* in an epoch */
/* Before the steps of an epoch, from 1, or what is left of them. */
CHECKED genair_code session_start(struct session *s, uint64_t epoch, bool whole, genair_status *st);
/* Step i of the epoch, from 0: parameters move. */
CHECKED genair_code session_step(struct session *s, size_t i, struct step_losses *losses, genair_status *st);

#endif
