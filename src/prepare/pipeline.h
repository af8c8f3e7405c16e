/* SPDX-License-Identifier: Apache-2.0 */
/* This module turns a collected click log into the workspace's dataset files: filter, order, split,
 * count, draw. It knows nothing of where the log came from. */
#ifndef GENAIR_PREPARE_PIPELINE_H
#define GENAIR_PREPARE_PIPELINE_H

#include "prepare/filter.h"
#include "prepare/split.h"

struct pipeline_options {
    struct filter_options filter;
    bool by_time;         /* split time, else last */
    double time_quantile; /* of the cut */
    double cold_share;
    double held_out_users; /* share of them that is drawn by candidate_seed to have targets */
    uint64_t seed; /* of the cold items */
    uint64_t candidate_seed;
    size_t memory_bytes;
    const char *made_from; /* 32 digits: identifies log and options */
};

/* Counted on the way; what stands in the JSON of prepare. */
struct pipeline_statistics {
    uint32_t n_users, n_items, n_cold, rounds;
    uint64_t n_interactions, n_raw_interactions, n_raw_users, n_raw_items;
    uint64_t n_training; /* interactions that training sees */
    uint64_t n_pairs;
    uint32_t max_count;
    uint32_t n_valid, n_test;       /* users with such a target */
    uint32_t tied_valid, tied_test; /* of these: decided by equal timestamps */
    uint32_t unseen_test;           /* test targets that do not occur in training */
    uint32_t cold_test;             /* test targets that are cold items */
    uint64_t n_repeated; /* interactions with an item that stands earlier in the same history */
    uint32_t shortest, longest; /* history */
    int64_t first_time, last_time; /* milliseconds, of what stays */
    int64_t cut;                /* by_time */
};

/* Writes the DATASET_… files into workspace. log: its clicks are used up, its names stay.
 * numbering: the caller's, numbering_deinit. Errors: GENAIR_FORMAT when no user stays. */
CHECKED genair_code pipeline_run(genair_context *ctx, const char *workspace, struct click_log *log,
                                 const struct pipeline_options *options,
                                 struct pipeline_statistics *out, struct numbering *numbering,
                                 genair_status *st);

#endif
