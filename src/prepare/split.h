/* SPDX-License-Identifier: Apache-2.0 */
/* This module cuts histories into training, validation and test. */
#ifndef GENAIR_PREPARE_SPLIT_H
#define GENAIR_PREPARE_SPLIT_H

#include "workspace/dataset_write.h"

struct split {
    bool by_time;
    int64_t cut; /* by_time: nothing at or after it is used in training */
    double held_out_users; /* share of them that has targets */
    uint64_t seed;         /* by which they are drawn */
};

/* last: the last item is the test, the one before the validation, the rest training; with fewer
 * than 3, all is training. time: of what lies before the cut, the last item is the validation (if
 * another stands before it), the rest training. The test is the first item at or after the cut,
 * predicted from all that lies before; later ones are not used. A user without history before the
 * cut has no targets: nothing is known of them. A user who is not drawn has none either: all that the targets
 * could have been taken from is training. times: ascending. tied_time: a neighbour of the
 * target has its timestamp, so that the order in the file, not time, made it the target. */
struct split_user split_history(const struct split *split, uint32_t user, size_t n, const int64_t *times);

/* A seeded choice of floor(share * n_items) items: cold[i] = 1; cold: [n_items + 1]. */
CHECKED genair_code choose_cold_items(uint32_t n_items, double share, uint64_t seed, uint8_t *cold,
                                      uint32_t *n_cold, genair_status *st);

#endif
