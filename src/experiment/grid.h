/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads `--grid NAME=V1,V2,…` and counts through all combinations. */
#ifndef GENAIR_EXPERIMENT_GRID_H
#define GENAIR_EXPERIMENT_GRID_H

#include "base/options.h"

#include <jansson.h>
#include <stdbool.h>

enum { GRID_MAX_AXES = 16, GRID_MAX_POINTS = 1000000 };

struct grid {
    size_t n_axes, n_points;
    json_t *axes; /* [["alpha", ["1e-3", "1e-2"]], …] in the order given; the last one turns fastest */
};

/* Every value is one that `train` allows for the option NAME. Errors: GENAIR_USAGE naming axis and value. */
CHECKED genair_code grid_read(size_t n, const char *const *axes, struct grid *out, genair_status *st);
void grid_free(struct grid *g);
/* Whether the option is an axis. */
bool grid_has(const struct grid *g, const char *option);
/* The i-th value that an option of text takes over the points: of its axis, else the one that train has. NULL from the
 * last on. */
const char *grid_choice(const struct grid *g, const genair_options *train, const char *option, size_t i);
/* The value of an option of text at a point. */
const char *grid_choice_at(const struct grid *g, const genair_options *train, const char *option, size_t point);
/* Refuses options of train and axes that none of the methods of the points has. */
CHECKED genair_code grid_check_methods(const struct grid *g, const genair_options *train, genair_status *st);
/* Sets all axes of the point on options of `train`. */
CHECKED genair_code grid_apply(const struct grid *g, size_t point, genair_options *o, genair_status *st);
/* {"alpha": "1e-3", …}; NULL when memory is out. */
json_t *grid_settings(const struct grid *g, size_t point);

#endif
