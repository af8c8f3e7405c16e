/* SPDX-License-Identifier: Apache-2.0 */
/* This module says which items may be listed. */
#ifndef GENAIR_RANKING_CHOICE_H
#define GENAIR_RANKING_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ids in ascending order, each once, borrowed. {0}: every item. */
struct choice {
    const uint32_t *excluded, *allowed;
    size_t n_excluded, n_allowed;
    bool only_allowed; /* else allowed is not looked at */
};

bool choice_admits(const struct choice *c, uint32_t id); /* O(log n) */
/* -INFINITY for items that may not be listed. row: [n_items + 1] */
void choice_apply(const struct choice *c, float *row, size_t n_items);

#endif
