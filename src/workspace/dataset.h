/* SPDX-License-Identifier: Apache-2.0 */
/* This module opens what `prepare` left in a workspace: id maps, sequences, split, co-occurrence.
 *
 * Users are 0-based rows; items are 1..n_items, 0 is padding and n_items + 1 the mask (spec §2).
 * All arrays point into read-only mappings (or belong to the dataset) and live until dataset_close.
 */
#ifndef GENAIR_WORKSPACE_DATASET_H
#define GENAIR_WORKSPACE_DATASET_H

#include "base/text.h"
#include "workspace/cooccurrence.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATASET_CANDIDATES = 100 };
static const uint32_t DATASET_NONE = UINT32_MAX; /* an enumerator is an int */

struct dataset {
    uint32_t n_users, n_items;
    uint64_t n_interactions;
    const uint64_t
        *start; /* [n_users + 1]: user u's history is item[start[u] .. start[u + 1] - 1] */
    const uint32_t *item; /* in time order, 1-based ids */
    const int64_t *time;  /* of each interaction, milliseconds */
    /* The user's leading positions that belong to training: without targets all (split by time: all before the cut), else those
     * before the first target. Cold items stand there too; training takes dataset_training, which leaves them out. */
    const uint32_t *n_train; /* [n_users] */
    /* Target positions in the history, or UINT32_MAX where the user has none. Validation predicts
     * item[start + valid] from what stands before it, test likewise. */
    const uint32_t *valid, *test; /* [n_users] */
    const uint8_t *
        tied_time; /* [n_users] bit 0: validation target decided by equal timestamps, bit 1: test */
    const uint32_t *popularity; /* [n_items + 1] occurrences in the training parts */
    const uint8_t *cold;        /* [n_items + 1] 1: held out of training by --cold-items */
    /* Training parts without cold items; these are the leading n_train positions where nothing is
     * cold. */
    struct item_lists training;
    struct cooccurrence cooccurrence;
    const char *hash; /* of what this dataset was made from: a run remembers it */
    void *private_;
};

/* Verifies checksums and bounds of every array before returning. Errors name the file and the
 * command to run again. Any thread may read an open dataset. */
CHECKED genair_code dataset_open(const char *workspace, struct dataset **out, genair_status *st);
void dataset_close(struct dataset *d);

/* Without co-occurrence and candidates, which only training and evaluation read. */
CHECKED genair_code dataset_open_named(const char *workspace, struct dataset **out, genair_status *st);
/* Only what stands in sequences.bin: names, co-occurrence, candidates are absent. */
CHECKED genair_code dataset_open_sequences(const char *workspace, struct dataset **out,
                                           genair_status *st);

/* What training sees of a user: *n items in time order. Borrowed. */
const uint32_t *dataset_training(const struct dataset *d, uint32_t user, uint32_t *n);

/* The names of the log. false when there is none such. */
bool dataset_item_named(const struct dataset *d, struct text name, uint32_t *item);
bool dataset_user_named(const struct dataset *d, struct text name, uint32_t *user);
struct text dataset_item_name(const struct dataset *d, uint32_t item);
struct text dataset_user_name(const struct dataset *d, uint32_t user);

/* DATASET_CANDIDATES evaluation negatives of each user and part (0 validation, 1 test), uniform
 * without replacement over items the user never touched, drawn once by prepare (spec §6). n is
 * below 100 where the catalogue is too small, 0 where the user has no target in that part.
 * Borrowed. */
const uint32_t *dataset_candidates(const struct dataset *d, int part, uint32_t user, uint32_t *n);

#endif
