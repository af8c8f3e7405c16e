/* SPDX-License-Identifier: Apache-2.0 */
/* This module puts users into groups by the length of their history, items by their popularity
 * (spec §6). */
#ifndef GENAIR_RANKING_GROUPS_H
#define GENAIR_RANKING_GROUPS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { GROUPS_MAX = 16, POPULARITY_FIFTHS = 5 };
/* "most popular fifth" first */
extern const char *const popularity_fifths[POPULARITY_FIFTHS];

/* group[u] = number of thresholds that length[u] reaches: {10} gives short (< 10) and long (>= 10);
 * {5, 10, 15, 20} gives <5, 5-9, 10-14, 15-19, >=20. thresholds ascend, at most GROUPS_MAX - 1. */
void groups_by_length(const uint32_t *length, size_t n, const uint32_t *thresholds,
                      size_t n_thresholds, uint8_t *group);
/* Users by length ascending (ties: smaller index first); group = floor(n_groups * place / n). */
CHECKED genair_code groups_equal_length(const uint32_t *length, size_t n, size_t n_groups,
                                        uint8_t *group, genair_status *st);
/* Items by popularity descending (ties: smaller index first); head = the first ceil(head_share *
 * n): group 0, the rest: group 1. head_share: 0.2 in the paper. */
CHECKED genair_code groups_head_tail(const uint32_t *popularity, size_t n, double head_share,
                                     uint8_t *group, genair_status *st);
/* The same order in n_groups parts: group = floor(n_groups * place / n); 0 is the most popular. */
CHECKED genair_code groups_equal_popularity(const uint32_t *popularity, size_t n, size_t n_groups,
                                            uint8_t *group, genair_status *st);

#endif
