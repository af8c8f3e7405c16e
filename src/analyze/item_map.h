/* SPDX-License-Identifier: Apache-2.0 */
/* This module draws the map of the language model's item vectors: prompts against answers, by t-SNE (the paper's
 * Fig. 2). */
#ifndef GENAIR_ANALYZE_ITEM_MAP_H
#define GENAIR_ANALYZE_ITEM_MAP_H

#include "analyze/analysis.h"

/* Needs the stage "embed". Both parts go into one map; into one each where they have not the same number of
 * columns. Writes analysis/tsne.json, .png, .svg. result: {"items", "maps": [{"parts" (as of fuse), "points", "perplexity",
 * "theta", "iterations", "kl_divergence"}]}; the file also has "shown", the items' ids, and each map's
 * "coordinates" by part, in that order. */
CHECKED genair_code item_map(struct analysis *a, json_t **result, genair_status *st);

#endif
