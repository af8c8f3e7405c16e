/* SPDX-License-Identifier: Apache-2.0 */
/* This module makes what a command wants to find items by: the codes of all of them, and for an approximate index their
 * lists. */
#ifndef GENAIR_RANKING_INDEX_H
#define GENAIR_RANKING_INDEX_H

#include "base/options.h"
#include "ranking/partition.h"
#include "ranking/screen.h"

struct index_setting {
    bool approximate;
    size_t probe; /* lists that are read */
    uint64_t seed;
};

/* Options "index", "probe", "seed". GENAIR_USAGE for an approximate one where FAISS is missing. */
CHECKED genair_code index_asked(const genair_options *o, struct index_setting *out, genair_status *st);

struct index {
    struct screen *screen;       /* NULL: it does not pay (ranking/screen.h) */
    struct partition *partition; /* NULL: exact */
    size_t probe;                /* 0: exact */
};

/* Borrows the scorer's item vectors until index_free. */
CHECKED genair_code index_create(const struct scorer *s, const struct index_setting *setting, struct parallel *parallel,
                                 struct index *out, genair_status *st);
void index_free(struct index *i); /* {0} is fine */

#endif
