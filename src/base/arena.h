/* SPDX-License-Identifier: Apache-2.0 */
/* This module hands out memory that lives until the end of a phase: a training step, a block of users.
 *
 * Blocks are kept over resets, so after the largest step no step asks the system again. A failed request
 * returns NULL and sticks: a phase may check once, at its end, if it tolerates NULL until then. */
#ifndef GENAIR_BASE_ARENA_H
#define GENAIR_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct arena *arena_create(void); /* NULL when memory is out */
void arena_free(struct arena *a);
/* n * size bytes, uninitialised, 64-byte aligned. */
void *arena_array(struct arena *a, size_t n, size_t size);
void arena_reset(struct arena *a);
bool arena_failed(const struct arena *a); /* since the last reset */
size_t arena_bytes(const struct arena *a); /* held from the system */

#endif
