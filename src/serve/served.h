/* SPDX-License-Identifier: Apache-2.0 */
/* This module is a run while it is served: what answers requests, and what is made of its catalogue when it is first
 * asked for. Any thread. */
#ifndef GENAIR_SERVE_SERVED_H
#define GENAIR_SERVE_SERVED_H

#include "base/status.h"
#include "base/text.h"

#include <jansson.h>

struct served;
struct recommender;
struct catalogue;
struct search;
struct facets;
struct index_setting; /* ranking/index.h */

/* workspace: borrowed. Held once; it is closed when nobody holds it any more. */
CHECKED genair_code served_open(const char *workspace, const char *run, const struct index_setting *index,
                                struct served **out, genair_status *st);
struct served *served_hold(struct served *v);
void served_drop(struct served *v);

struct recommender *served_recommender(const struct served *v);
const struct catalogue *served_catalogue(const struct served *v);

/* Made once, then kept; borrowed. */
CHECKED genair_code served_search(struct served *v, const struct search **out, genair_status *st);
/* GENAIR_USAGE for an attribute that no item has. Those of all attributes together are about as large as their texts. */
CHECKED genair_code served_facets(struct served *v, struct text attribute, const struct facets **out, genair_status *st);
CHECKED genair_code served_map(struct served *v, json_t **out, genair_status *st);

#endif
