/* SPDX-License-Identifier: Apache-2.0 */
/* This module puts the places of the items together with what a picture of them says: names, popularity, categories. */
#ifndef GENAIR_SERVE_ITEM_MAP_H
#define GENAIR_SERVE_ITEM_MAP_H

#include "recommend/recommender.h"

/* {"of", "items", "item": [], "name": [], "x": [], "y": [], "popularity": [], "groups": [names], "group": []}, all
 * but groups of equal length (serve/item_plane.h). O(n_items * width^2). */
CHECKED genair_code item_map_make(const char *workspace, const struct recommender *r, json_t **out, genair_status *st);

#endif
