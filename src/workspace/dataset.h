/* SPDX-License-Identifier: Apache-2.0 */
/* This module opens what `prepare` left in a workspace: id maps, sequences, split, co-occurrence.
 *
 * Users are 0-based rows; items are 1..n_items, 0 is padding and n_items + 1 the mask (spec §2). All
 * arrays point into read-only mappings (or belong to the dataset) and live until dataset_close. */
#ifndef GENAIR_WORKSPACE_DATASET_H
#define GENAIR_WORKSPACE_DATASET_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Symmetric sparse counts C (eq. 10), both triangles, rows 0..n_items (row 0 empty), columns ascending. */
struct cooccurrence {
    uint32_t n_items;
    uint32_t max_count;
    uint64_t n_pairs;       /* unordered pairs with a count, self pairs included */
    const uint64_t *start;  /* [n_items + 2] row offsets into item and count */
    const uint32_t *item;
    const uint32_t *count;
};

struct dataset {
    uint32_t n_users, n_items;
    uint64_t n_interactions;
    const uint64_t *start;   /* [n_users + 1]: user u's history is item[start[u] .. start[u + 1] - 1] */
    const uint32_t *item;    /* in time order, 1-based ids */
    /* The user's leading positions that training sees: n - 2 under leave-one-out, fewer than 3: all. */
    const uint32_t *n_train; /* [n_users] */
    /* Target positions in the history, or UINT32_MAX where the user has none. Validation predicts
     * item[start + valid] from what stands before it, test likewise. */
    const uint32_t *valid, *test; /* [n_users] */
    const uint8_t *tied_time;     /* [n_users] bit 0: validation target decided by equal timestamps, bit 1: test */
    const uint32_t *popularity;   /* [n_items + 1] occurrences in the training parts */
    const uint8_t *cold;          /* [n_items + 1] 1: held out of training by --cold-items */
    struct cooccurrence cooccurrence;
    const char *hash;             /* of what this dataset was made from: a run remembers it */
    void *private_;
};

/* Verifies checksums and bounds of every array before returning. Errors name the file and the command to
 * run again. Any thread may read an open dataset. */
CHECKED genair_code dataset_open(const char *workspace, struct dataset **out, genair_status *st);
void dataset_close(struct dataset *d);

/* The names of the log. false when there is none such. */
bool dataset_item_named(const struct dataset *d, struct text name, uint32_t *item);
bool dataset_user_named(const struct dataset *d, struct text name, uint32_t *user);
struct text dataset_item_name(const struct dataset *d, uint32_t item);
struct text dataset_user_name(const struct dataset *d, uint32_t user);

/* 100 evaluation negatives of each user and part (0 validation, 1 test), uniform without replacement over
 * items the user never touched, drawn once by prepare (spec §6). n is below 100 where the catalogue is
 * too small. Borrowed. */
const uint32_t *dataset_candidates(const struct dataset *d, int part, uint32_t user, uint32_t *n);

#endif
