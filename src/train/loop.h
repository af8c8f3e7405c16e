/* SPDX-License-Identifier: Apache-2.0 */
/* This module trains what learns in a session epoch by epoch until validation stops improving. */
#ifndef GENAIR_TRAIN_LOOP_H
#define GENAIR_TRAIN_LOOP_H

#include "ranking/ranking.h"
#include "train/session.h"

struct loop_options {
    uint64_t epochs, patience; /* patience 0: never stops early */
    enum protocol protocol;    /* of the validation that picks the best epoch */
    uint64_t checkpoint_every; /* epochs */
    const char *directory;     /* existing; receives checkpoint.safetensors and metrics.jsonl; NULL: another process writes */
};

/* What a checkpoint holds beside the parameters: enough to go on bit for bit, also within an epoch. */
struct loop_state {
    uint64_t epoch;            /* being trained, from 1 */
    uint64_t next_batch;       /* of that epoch */
    double loss, rank, calibration; /* sums over its batches so far */
    uint64_t best_epoch;       /* 0: none yet */
    double best_score;         /* validation's NDCG@10; of a prelude, minus its error */
    uint64_t n_lines;          /* of metrics.jsonl so far */
    float **best;              /* a copy of each parameter's values at the best epoch */
};

/* Figures of speed, this process's share of the run alone. */
struct loop_times {
    double train_seconds, eval_seconds;
    size_t n_epochs;
    double *epoch_seconds;     /* [n_epochs] training alone, of epochs run whole here */
    double flops;              /* useful, of one whole epoch */
};

CHECKED genair_code loop_init(const struct session *s, struct loop_state *state, genair_status *st);
void loop_deinit(const struct session *s, struct loop_state *state);
void loop_times_free(struct loop_times *t);

/* Runs until done, stopped or failed. When stopped it saves a checkpoint and returns GENAIR_INTERRUPTED. At
 * the end the model holds the best epoch's parameters; without validation targets the last one's, without epochs its own. */
CHECKED genair_code loop_run(genair_context *ctx, struct session *s, const struct loop_options *options,
                             struct loop_state *state, struct loop_times *times, genair_status *st);
/* After the prelude's run: the model takes over what it learned, and is what learns from now on, from epoch 1. */
CHECKED genair_code loop_end_prelude(struct session *s, struct loop_state *state, genair_status *st);

#endif
