/* SPDX-License-Identifier: Apache-2.0 */
/* How the rows of a table are shared out among processes. Row 0, which is zeros, is at all of them; rows from 1 on go in
 * blocks of SHARD_BLOCK in turn, so that popular ones spread:
 *
 *     row      0 | 1 … 64 | 65 … 128 | 129 … 192 | 193 … 256 | …
 *     owner    - |   0    |    1     |     0     |     1     |      of two
 *     place    0 | 1 … 64 | 1 … 64   | 65 … 128  | 65 … 128  |      in its owner's memory
 *
 * Of one process a row's place is the row itself. */
#ifndef GENAIR_BASE_SHARD_H
#define GENAIR_BASE_SHARD_H

#include <stdbool.h>
#include <stddef.h>

enum { SHARD_BLOCK = 64 };

struct shard {
    size_t rank, n; /* this process of so many; {0}: of one */
};

static inline size_t shard_processes(const struct shard *s) {
    return s->n ? s->n : 1;
}

/* row: from 1 on, here and below. */
static inline size_t shard_owner(const struct shard *s, size_t row) {
    return (row - 1) / SHARD_BLOCK % shard_processes(s);
}

static inline bool shard_owns(const struct shard *s, size_t row) {
    return shard_owner(s, row) == s->rank;
}

/* At its owner. */
static inline size_t shard_place(const struct shard *s, size_t row) {
    const size_t i = row - 1;
    return 1 + i / SHARD_BLOCK / shard_processes(s) * SHARD_BLOCK + i % SHARD_BLOCK;
}

/* The row at our place, from 1 on. */
static inline size_t shard_row(const struct shard *s, size_t place) {
    const size_t i = place - 1;
    return 1 + (i / SHARD_BLOCK * shard_processes(s) + s->rank) * SHARD_BLOCK + i % SHARD_BLOCK;
}

/* How many rows of a table of that many are in our memory, row 0 included. */
static inline size_t shard_rows(const struct shard *s, size_t rows) {
    const size_t turn = SHARD_BLOCK * shard_processes(s), i = rows ? rows - 1 : 0;
    const size_t first = s->rank * SHARD_BLOCK, rest = i % turn;
    const size_t more = rest < first ? 0 : rest - first;
    return (rows ? 1 : 0) + i / turn * SHARD_BLOCK + (more < SHARD_BLOCK ? more : SHARD_BLOCK);
}

#endif
