/* SPDX-License-Identifier: Apache-2.0 */
/* This module gives names dense numbers in the order of their first appearance.
 *
 * Memory: the names' bytes plus at most 30 bytes a name (millions of users are normal), no
 * allocation a name. Growing copies, so for a moment half as much again. */
#ifndef GENAIR_BASE_MAP_H
#define GENAIR_BASE_MAP_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct map;

struct map *map_create(void); /* NULL when memory is out */
void map_free(struct map *m);
uint32_t map_count(const struct map *m);
/* *id: the name's number, given now if it is new (then map_count - 1). */
CHECKED genair_code map_add(struct map *m, struct text name, uint32_t *id, genair_status *st);
/* The same for n names in order, n <= MAP_MANY, in about half the time on a large map: it waits for
 * memory once for all of them. */
enum { MAP_MANY = 64 };
CHECKED genair_code map_add_many(struct map *m, const struct text *names, size_t n, uint32_t *ids,
                                 genair_status *st);
bool map_find(const struct map *m, struct text name, uint32_t *id);
struct text map_name(const struct map *m, uint32_t id); /* borrowed until the next map_add */

/* ---- the same table over arrays that may lie in a file ---- */

/* Open addressing with linear probing: a slot holds number + 1, or 0. n_slots is a power of two
 * above the number of names, so that a probe always ends. */
size_t map_slots_for(size_t n_names);
/* Puts a name that is not yet there into slots, all 0 at first. */
void map_place(uint32_t *slots, size_t n_slots, struct text name, uint32_t id);
/* Name i is text[start[i]] .. text[start[i + 1] - 1]. */
bool map_lookup(const uint32_t *slots, size_t n_slots, const char *text, const uint64_t *start,
                struct text name, uint32_t *id);

#endif
