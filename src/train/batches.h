/* SPDX-License-Identifier: Apache-2.0 */
/* This module deals an epoch of training sequences into batches, with targets, masks and negatives.
 *
 * Everything is a function of (seed, epoch, place in the epoch): no order of threads, no state. SASRec learns the
 * next item at every position, GRU4Rec at the last or at every one, BERT4Rec the items it hides; for it a
 * user is two samples an epoch, one masked at random and one with the last item masked (spec §5). */
#ifndef GENAIR_TRAIN_BATCHES_H
#define GENAIR_TRAIN_BATCHES_H

#include "base/parallel.h"
#include "model/model.h"
#include "workspace/dataset.h"

struct batches_options {
    enum backbone backbone;
    bool seq2seq;            /* of GRU4Rec */
    size_t max_len;
    size_t batch;            /* samples in a batch */
    size_t n_negatives;      /* 0 with the full softmax */
    double mask_probability; /* of BERT4Rec */
    uint64_t seed;
    size_t repeat;           /* 1; a benchmark deals every user so many times */
};

struct batches;

/* Borrows data and parallel. Users with fewer than two training items have nothing to learn from. */
CHECKED genair_code batches_create(const struct batches_options *options, const struct dataset *data,
                                   struct parallel *parallel, struct batches **out, genair_status *st);
void batches_free(struct batches *b);
size_t batches_count(const struct batches *b);       /* in an epoch */
uint64_t batches_positions(const struct batches *b); /* real input positions in an epoch */
/* Shuffles for an epoch, from 1. */
void batches_start(struct batches *b, uint64_t epoch);
/* Batch i of the epoch; its arrays live until the next call. */
CHECKED genair_code batches_get(struct batches *b, size_t i, struct batch *out, genair_status *st);

#endif
