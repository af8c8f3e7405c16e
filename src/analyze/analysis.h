/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what the analyses share: the workspace, the staging directory, and making one only when its
 * inputs changed. */
#ifndef GENAIR_ANALYZE_ANALYSIS_H
#define GENAIR_ANALYZE_ANALYSIS_H

#include "analyze/picture.h"
#include "base/options.h"
#include "workspace/dataset.h"
#include "workspace/manifest.h"

#include <jansson.h>

#define ANALYSIS_DIRECTORY "analysis"
enum { ANALYSIS_MAX_OUTPUTS = 16, ANALYSIS_NAME = 128 };

struct analysis {
    genair_context *ctx;
    const genair_options *options;
    struct workspace *workspace;
    const struct dataset *data;
    bool pictures;   /* gnuplot is there */
    bool undrawn;    /* it failed */
    char *staging;   /* directory for this analysis's files, moved into WORKSPACE/analysis at its end */
    char outputs[ANALYSIS_MAX_OUTPUTS][ANALYSIS_NAME]; /* relative to the workspace */
    size_t n_outputs;
};

/* One analysis: fills *result (what is recorded and printed, with "files" added) and writes its files through the functions below. */
typedef genair_code analysis_make(struct analysis *a, void *user, json_t **result, genair_status *st);
/* Takes the recorded result when inputs are those of the record, else makes it. Borrows inputs, whose "pictures" say whether
 * some can be drawn; *result is the
 * caller's. what: for the message that there is nothing to do. */
CHECKED genair_code analysis_bring_up_to_date(struct analysis *a, const char *stage, const json_t *inputs,
                                              const char *what, analysis_make *make, void *user, json_t **result,
                                              genair_status *st);

/* Writes analysis/NAME.json. */
CHECKED genair_code analysis_put_json(struct analysis *a, const char *name, const json_t *value, genair_status *st);
/* draw puts data and plot commands into a script; analysis/NAME.png and NAME.svg come of it where gnuplot is. */
typedef genair_code analysis_draw(struct writer *script, const void *user, genair_status *st);
CHECKED genair_code analysis_put_picture(struct analysis *a, const char *name, int width, int height,
                                         analysis_draw *draw, const void *user, genair_status *st);

/* [[x, y], …] of n points, in 6 digits; NULL when memory is out. y: pairs. */
json_t *analysis_points_json(const double *y, size_t n);

#endif
