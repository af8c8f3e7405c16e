/* SPDX-License-Identifier: Apache-2.0 */
/* This module finds items and users by the names that people use, and shows items by theirs. */
#ifndef GENAIR_WORKSPACE_CATALOGUE_H
#define GENAIR_WORKSPACE_CATALOGUE_H

#include "base/map.h"
#include "base/mapping.h"
#include "workspace/added_items.h"
#include "workspace/dataset.h"

#include <jansson.h>

struct catalogue {
    struct dataset *data;
    struct mapping records; /* items.jsonl: line i is item i; empty when there is none */
    uint64_t *line; /* [n_items + 2] where item i's line begins, records.size past the last */
    struct title *titles; /* [n_items + 1] the names asked for so far */
    struct added_items added;     /* see catalogue_add */
    uint32_t *added_place;        /* [n_added] in added.items */
    struct map *added_names;      /* number a is item data->n_items + 1 + a */
};

/* Opens the dataset too. */
CHECKED genair_code catalogue_open(const char *workspace, struct catalogue *out, genair_status *st);
void catalogue_close(struct catalogue *c);

/* Items that came after the workspace was prepared are numbered behind the dataset's: reads the workspace's store of
 * them. Those that the dataset knows by now are left out. */
CHECKED genair_code catalogue_add(struct catalogue *c, const char *workspace, genair_status *st);
void catalogue_leave_out_added(struct catalogue *c); /* as if there were none; before anybody asks for one */
/* As if those were not there for which out, [catalogue_added], is true; the others' numbers close up. Before anybody asks for one. */
CHECKED genair_code catalogue_leave_out(struct catalogue *c, const bool *out, genair_status *st);
uint32_t catalogue_added(const struct catalogue *c); /* how many */
const struct added_item *catalogue_added_item(const struct catalogue *c, uint32_t a); /* item data->n_items + 1 + a */

/* Of both kinds. */
uint32_t catalogue_items(const struct catalogue *c);
bool catalogue_find(const struct catalogue *c, struct text name, uint32_t *item); /* false when there is none such */
struct text catalogue_name(const struct catalogue *c, uint32_t item);
uint32_t catalogue_popularity(const struct catalogue *c, uint32_t item); /* occurrences in training */
bool catalogue_cold(const struct catalogue *c, uint32_t item); /* not in training */

/* GENAIR_USAGE with a near name, if there is one, when nobody is called that. */
CHECKED genair_code catalogue_item(const struct catalogue *c, const char *name, uint32_t *item,
                                   genair_status *st);
CHECKED genair_code catalogue_user(const struct catalogue *c, const char *name, uint32_t *user,
                                   genair_status *st);

/* The item's record, a new reference; NULL when there are no metadata. */
CHECKED genair_code catalogue_record(const struct catalogue *c, uint32_t item, json_t **out,
                                     genair_status *st);

/* Sets key to the item's id in the log and, where the metadata has one, name_key to its name, which is
 * remembered: the next time its record is not parsed. Any thread. false when memory is out. */
CHECKED bool catalogue_describe(const struct catalogue *c, uint32_t item, const char *key,
                                const char *name_key, json_t *out);

#endif
