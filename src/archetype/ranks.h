/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what several processes that make the archetypes of one workspace have beside their own work: the stores of
 * the others, when they begin and when all is made one. */
#ifndef GENAIR_ARCHETYPE_RANKS_H
#define GENAIR_ARCHETYPE_RANKS_H

#include "archetype/generate.h"
#include "workspace/archetypes.h"

/* What the archetypes are made with. */
struct ranks_settings {
    const char *workspace; /* its directory */
    const struct archetype_setting *settings;
    size_t n;
    const char *identity; /* 32 digits: of all that they are a function of, items included */
};

/* Joins the ranks at work, or begins: then all stores that are there are looked through. n_items: of the dataset. g: of this
 * rank's store. *leases is the caller's, also after a failure. GENAIR_USAGE when the workspace's own store holds
 * archetypes of other settings. */
CHECKED genair_code ranks_begin(const struct ranks_settings *s, uint32_t n_items, struct generate *g,
                                struct leases **leases, genair_status *st);
/* Alone in the workspace: takes over what the ranks' stores hold into store, g's, and removes them. *n_adopted: items. */
CHECKED genair_code ranks_adopt(const struct ranks_settings *s, struct archetypes *store, struct generate *g,
                                uint64_t *n_adopted, genair_status *st);
/* What ranks_adopt would take over counts as done in g, and nothing is changed. GENAIR_USAGE as there. */
CHECKED genair_code ranks_check(const struct ranks_settings *s, struct generate *g, genair_status *st);
/* Throws away what ranks made. */
CHECKED genair_code ranks_remove(const char *workspace, genair_status *st);

#endif
