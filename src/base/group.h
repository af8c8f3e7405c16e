/* SPDX-License-Identifier: Apache-2.0 */
/* This module exchanges numbers between the processes of one job that train one model together (MPI).
 *
 * NULL is a group of one: nothing is exchanged. All processes call the same functions in the same order with the same
 * sizes. A process that fails leaves without group_close: the program that started the job then ends the others. One
 * thread, always the same, at a time. */
#ifndef GENAIR_BASE_GROUP_H
#define GENAIR_BASE_GROUP_H

#include "base/shard.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct group;

/* *out is NULL when this process was started alone. GENAIR_USAGE when it was not and the build has no MPI. */
CHECKED genair_code group_open(struct group **out, genair_status *st);
/* Waits for the others. sound: all of them come here. */
void group_close(struct group *g, bool sound);
size_t group_rank(const struct group *g);
size_t group_size(const struct group *g);
/* What this process has of a table that the group shares out. */
struct shard group_shard(const struct group *g);

/* Process r has data[start[r]] up to data[start[r + 1]]; afterwards all have all. start: [size + 1]. */
CHECKED genair_code group_gather(struct group *g, float *data, const size_t *start, genair_status *st);
/* The same, but only process 0 gets what the others have. */
CHECKED genair_code group_collect(struct group *g, float *data, const size_t *start, genair_status *st);
/* Each has data of start[size] values, and gets what the others have at start[rank] up to start[rank + 1]: process r's goes
 * to others[r], where r is not its own. */
CHECKED genair_code group_exchange(struct group *g, const float *data, const size_t *start, float *const *others,
                                   genair_status *st);
/* values[n] become the sums over the processes, the same on all of them, added as a balanced tree: process 0 to 1, 2 to 3,
 * their sums to each other. n at most GROUP_SUMS. */
enum { GROUP_SUMS = 8 };
CHECKED genair_code group_sum(struct group *g, double *values, size_t n, genair_status *st);
/* values[n] become the sums over the processes, modulo 2^32. */
CHECKED genair_code group_count(struct group *g, uint32_t *values, size_t n, genair_status *st);
/* The bytes of process 0 go to all. */
CHECKED genair_code group_share(struct group *g, void *bytes, size_t n, genair_status *st);

#endif
