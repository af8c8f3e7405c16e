/* SPDX-License-Identifier: Apache-2.0 */
/* This module shares out items among processes, here and on other machines, that work in one workspace.
 *
 * Items are handed out in leases of a few. A lease is the kernel's (or file server's) lock on a few bytes of a file in the
 * workspace, so that it is free again the moment its process dies, whatever it died of; nobody has to notice, and nobody
 * is in charge. Beside it the file says of each item whether it is done. An item made twice does no harm: its bytes are
 * the same. One thread at a time. */
#ifndef GENAIR_ARCHETYPE_LEASES_H
#define GENAIR_ARCHETYPE_LEASES_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { LEASE_ITEMS = 8 };
enum lease_mark { ITEM_OPEN, ITEM_DONE, ITEM_FAILED };

struct leases;

/* Joins those that share out n_items of the workspace for work of that identity (32 digits), or begins. *fresh: nothing is
 * marked yet, and others that come wait until leases_ready. GENAIR_USAGE when others are at work on something else;
 * GENAIR_IO when the file system holds no locks. */
CHECKED genair_code leases_open(const char *workspace, const char *identity, uint32_t n_items, struct leases **out,
                                bool *fresh, genair_status *st);
void leases_close(struct leases *l); /* gives back what is leased; NULL is fine */
/* Between a fresh leases_open and leases_ready: the item is done already. */
void leases_note_done(struct leases *l, uint32_t item);
CHECKED genair_code leases_ready(struct leases *l, genair_status *st);

/* The lease that holds the item, unless somebody has it, or it was tried since leases_again: items *first to *last. Marks in
 * it are as of now. */
CHECKED genair_code leases_take(struct leases *l, uint32_t item, bool *taken, uint32_t *first, uint32_t *last,
                                genair_status *st);
/* All marks are as of now, and leases that others had may be tried again. */
CHECKED genair_code leases_again(struct leases *l, genair_status *st);
enum lease_mark leases_mark_of(const struct leases *l, uint32_t item);
/* After the item is committed. A lease whose items are all marked is given back. */
CHECKED genair_code leases_mark(struct leases *l, uint32_t item, enum lease_mark mark, genair_status *st);

/* Removes the file, under the workspace's own lock; it is made again from what the stores hold. */
CHECKED genair_code leases_remove(const char *workspace, genair_status *st);

#endif
