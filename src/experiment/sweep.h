/* SPDX-License-Identifier: Apache-2.0 */
/* This module trains every point of a grid and keeps their results in one file, from which it goes on after a kill.
 *
 * WORKSPACE/sweeps/NAME.json: {"inputs": what the results depend on, "points": [{"point", "settings", "rungs":
 * [{"epochs": limit, "NDCG@10": of validation}], "epochs", "best_epoch", "valid", "test", or "failed": why}],
 * "best": a point}. Points stand in the order of the grid and hold no times: the same grid gives the same
 * bytes, however many threads worked on it and however often it was killed. */
#ifndef GENAIR_EXPERIMENT_SWEEP_H
#define GENAIR_EXPERIMENT_SWEEP_H

#include "experiment/grid.h"
#include "experiment/many.h"

struct sweep_options {
    const char *name;
    const struct grid *grid;
    uint64_t halving; /* 0: every point gets all epochs; else successive halving by this factor */
    bool keep_all;    /* runs of all points stay in the workspace instead of the best one's */
};

/* The most epochs that a run of the grid may have. */
uint64_t sweep_epochs(const struct grid *g, const genair_options *train);
/* train: options of `train` that all points share. *out: the file's content, the caller's. */
CHECKED genair_code sweep_run(genair_context *ctx, struct workspace *w, pthread_mutex_t *guard,
                              const genair_options *train, const struct sweep_options *options, json_t **out,
                              genair_status *st);

#endif
