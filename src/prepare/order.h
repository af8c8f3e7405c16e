/* SPDX-License-Identifier: Apache-2.0 */
/* This module hands on each user's interactions in time order, ties in file order.
 *
 * Users are cut into ranges whose interactions fit into the memory given (16 bytes each, and 16 for
 * sorting the longest history). With one range they are placed directly; with more, one pass over
 * the log first deals them out to one temporary file a range. Only a single history larger than the
 * memory exceeds it. */
#ifndef GENAIR_PREPARE_ORDER_H
#define GENAIR_PREPARE_ORDER_H

#include "prepare/filter.h"

/* Receives user 0, 1, …, each once; arrays borrowed for the call. */
typedef genair_code ordered_history(void *context, uint32_t user, size_t n, const uint32_t *items,
                                    const int64_t *times, genair_status *st);
CHECKED genair_code order_log(genair_context *ctx, const struct click_log *log,
                              const struct numbering *n, const char *directory, size_t memory_bytes,
                              ordered_history *f, void *context, genair_status *st);

/* The cut of the time split: the time of interaction number floor(quantile * n) of those that stay,
 * in order of time. INT64_MIN without interactions. Four passes over the log, no memory to speak
 * of. */
CHECKED genair_code time_quantile(genair_context *ctx, const struct click_log *log,
                                  const struct numbering *n, double quantile, int64_t *cut,
                                  genair_status *st);

#endif
