/* SPDX-License-Identifier: Apache-2.0 */
/* This module trains many runs of one workspace, as many at once as the context has threads, each on one thread:
 * runs are small, and two side by side take less time than one after the other on two threads each. A run's bytes do
 * not depend on that. */
#ifndef GENAIR_EXPERIMENT_MANY_H
#define GENAIR_EXPERIMENT_MANY_H

#include "base/context.h"
#include "base/options.h"
#include "workspace/manifest.h"

#include <jansson.h>
#include <pthread.h>

struct many {
    genair_context *ctx;
    struct workspace *workspace; /* open for writing */
    pthread_mutex_t *guard;      /* of the manifest: to be held by whoever else uses workspace meanwhile */
    const char *what;            /* of the progress line: "runs" */
    size_t n;
    /* Options of `train` for run i; one call at a time. *out is released with genair_options_free. */
    genair_code (*make)(void *user, size_t i, genair_options **out, genair_status *st);
    /* Run i is over, in any order, one call at a time: result is the object that train prints, borrowed, or NULL
     * and outcome says why. A failure returned stops the others, which save their state. */
    genair_code (*done)(void *user, size_t i, const json_t *result, const genair_status *outcome, genair_status *st);
    void *user;
};

/* Runs that were begun earlier go on from their checkpoint. Returns the first failure of make or done, or
 * GENAIR_INTERRUPTED when the context was stopped. */
CHECKED genair_code many_train(const struct many *m, genair_status *st);

#endif
