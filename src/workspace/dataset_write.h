/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes the files that dataset_open reads (layouts: docs/formats.md). */
#ifndef GENAIR_WORKSPACE_DATASET_WRITE_H
#define GENAIR_WORKSPACE_DATASET_WRITE_H

#include "base/map.h"
#include "workspace/dataset.h"

/* File names in a workspace. */
#define DATASET_SEQUENCES "sequences.bin"
#define DATASET_IDS "ids.bin"
#define DATASET_COOCCURRENCE "cooccurrence.bin"
#define DATASET_CANDIDATES_FILE "candidates.bin"
#define ITEM_RECORDS "items.jsonl"

/* ---- sequences.bin, user by user ---- */

struct split_user { /* as in struct dataset */
    uint32_t n_train, valid, test;
    uint8_t tied_time;
};

struct sequences_writer;
/* cold: [n_items + 1], borrowed until commit. made_from: 32 digits. memory_bytes: for what waits
 * until the items are written; more goes to temporary files. */
CHECKED genair_code sequences_create(const char *workspace, const char *made_from, uint32_t n_items,
                                     const uint8_t *cold, size_t memory_bytes,
                                     struct sequences_writer **out, genair_status *st);
/* The next user's history, in time order. */
CHECKED genair_code sequences_put(struct sequences_writer *w, size_t n, const uint32_t *items,
                                  const int64_t *times, const struct split_user *split,
                                  genair_status *st);
CHECKED genair_code sequences_commit(struct sequences_writer *w,
                                     genair_status *st); /* frees w in any case */
void sequences_abandon(struct sequences_writer *w);      /* NULL is fine */

/* ---- the others ---- */

/* users, items: names by number; user u is users' name user_name[u], item i is items' name
 * item_name[i]. */
CHECKED genair_code dataset_write_ids(const char *workspace, const char *made_from,
                                      const struct map *users, const uint32_t *user_name,
                                      uint32_t n_users, const struct map *items,
                                      const uint32_t *item_name, uint32_t n_items,
                                      genair_status *st);
/* Counts over d->training. */
CHECKED genair_code dataset_write_cooccurrence(genair_context *ctx, const char *workspace,
                                               const struct dataset *d, size_t memory_bytes,
                                               struct cooccurrence *summary, genair_status *st);
/* Draws them: a function of seed, user and part. Warns where there are fewer than DATASET_CANDIDATES to draw from. */
CHECKED genair_code dataset_write_candidates(genair_context *ctx, const char *workspace,
                                             const struct dataset *d, uint64_t seed,
                                             genair_status *st);

#endif
