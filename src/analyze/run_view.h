/* SPDX-License-Identifier: Apache-2.0 */
/* This module looks at what a run has learned: the plane and the entropy of its item vectors by popularity (the
 * paper's Fig. 5), its size and cost (Table 5), its metrics by group. */
#ifndef GENAIR_ANALYZE_RUN_VIEW_H
#define GENAIR_ANALYZE_RUN_VIEW_H

#include "analyze/analysis.h"

/* Writes analysis/run-NAME.json with pictures run-NAME-plane, -entropy and, where evaluate stored ranks that are of this
 * run, -groups. result: {"run", "method", "backbone", "trainable_parameters", "inference_gflops", "width",
 * "explained_variance": [2], "entropy": {GROUP: {"items", "entropy"}}}; the file also has "coordinates" of the most and
 * the least popular fifth, and "groups", the tables of evaluate --groups.
 * Errors of run_open; GENAIR_USAGE for a method without item vectors. */
CHECKED genair_code run_view(struct analysis *a, const char *name, json_t **result, genair_status *st);

#endif
