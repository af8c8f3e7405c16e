/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps the archetypes of a workspace: for every item the prompt, the text, the counts
 * and both vectors, in one SQLite file, committed item by item.
 *
 * A row is there whole or not at all, whenever the process ends. One store holds archetypes of one
 * kind: what they were made with (model, template, …) is written in it and compared when it is
 * opened. Each row carries a checksum, since SQLite has none. One thread at a time. */
#ifndef GENAIR_WORKSPACE_ARCHETYPES_H
#define GENAIR_WORKSPACE_ARCHETYPES_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARCHETYPES_FILE "archetypes.sqlite"
#define ARCHETYPES_RANK_FILE "archetypes.rank%d.sqlite" /* of one of several processes that share out the items */

struct archetypes;

struct archetype {
    struct text item; /* its id in the log */
    bool done;        /* false: it failed, finish says why, there is no text and no vectors */
    struct text prompt, text;
    uint64_t n_prompt, n_generated; /* tokens */
    struct text finish;             /* how the answer ended */
    const float *prefill, *decoding; /* [width of the store] */
};

/* What all archetypes of a store have in common. Fixed ones must be equal when the store is opened
 * again; the others only tell. */
struct archetype_setting {
    const char *name, *value;
    bool fixed;
};

/* Opens the workspace's store of that name for writing, under the workspace's lock, or makes it; one process writes a
 * store. width: floats of a vector. GENAIR_USAGE names each fixed setting that differs. */
CHECKED genair_code archetypes_open(const char *workspace, const char *file, size_t width,
                                    const struct archetype_setting *settings, size_t n_settings,
                                    struct archetypes **out, genair_status *st);
/* For reading, also while another process writes. *out is NULL when there is no store. */
CHECKED genair_code archetypes_open_read(const char *workspace, const char *file, struct archetypes **out,
                                         genair_status *st);
void archetypes_close(struct archetypes *a); /* NULL is fine */
/* Throws the store away. */
CHECKED genair_code archetypes_remove(const char *workspace, const char *file, genair_status *st);
/* What was put is on disk afterwards, whatever happens to the machine. */
CHECKED genair_code archetypes_settle(struct archetypes *a, genair_status *st);
/* Calls visit for the name of each store that a rank left in the workspace, by rank. */
typedef genair_code archetypes_file(void *user, const char *file, genair_status *st);
CHECKED genair_code archetypes_each_rank(const char *workspace, archetypes_file *visit, void *user, genair_status *st);

size_t archetypes_width(const struct archetypes *a);
/* The value of a setting, borrowed; NULL when there is none of that name. */
const char *archetypes_setting(const struct archetypes *a, const char *name);

/* Whether the fixed ones are these; one that an earlier version did not write down counts as the same. */
bool archetypes_made_with(const struct archetypes *a, const struct archetype_setting *settings,
                          size_t n_settings);

/* Archetypes that are done. */
CHECKED genair_code archetypes_count(struct archetypes *a, int64_t *n, genair_status *st);

/* Commits one archetype; an earlier one of the item is replaced. */
CHECKED genair_code archetypes_put(struct archetypes *a, const struct archetype *archetype,
                                   genair_status *st);
/* The archetype of an item; *found is false when there is none. Borrowed until the next call.
 * GENAIR_FORMAT when the row is damaged. */
CHECKED genair_code archetypes_get(struct archetypes *a, struct text item, struct archetype *out,
                                   bool *found, genair_status *st);
/* Calls visit for every row; sound is false when the row's checksum is wrong: then only the item's
 * id may be looked at. */
typedef void archetypes_visit(void *user, const struct archetype *archetype, bool sound);
CHECKED genair_code archetypes_each(struct archetypes *a, archetypes_visit *visit, void *user,
                                    genair_status *st);

#endif
