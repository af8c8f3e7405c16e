/* SPDX-License-Identifier: Apache-2.0 */
/* This module holds what a stage is run with: threads, messages, the wish to stop. */
#ifndef GENAIR_BASE_CONTEXT_H
#define GENAIR_BASE_CONTEXT_H

#include "base/parallel.h"

#include <stdbool.h>

struct group;

/* The processes that do this work together (base/group.h), borrowed; NULL: this one alone. Of several only the first tells
 * how it goes on. */
void context_set_group(genair_context *ctx, struct group *group);
struct group *context_group(const genair_context *ctx);
struct parallel *context_parallel(const genair_context *ctx);
bool context_stopped(const genair_context *ctx); /* looked at between units of work */
/* Whether genair_context_reload was called since this was asked last. */
bool context_take_reload(genair_context *ctx);
CHECKED genair_code context_interrupted(genair_status *st); /* the failure to return then */
void context_info(const genair_context *ctx, const char *format, ...) PRINTF(2, 3);
void context_warn(const genair_context *ctx, const char *format, ...) PRINTF(2, 3);
/* Share done, rate and time left, at most ten times a second; total 0 when unknown. A new `what`, or less
 * done than before, starts a new measurement. */
void context_progress(genair_context *ctx, const char *what, double done, double total);
/* The same with more to tell, at the line's end; NULL for nothing. */
void context_progress_note(genair_context *ctx, const char *what, double done, double total, const char *note);
double context_seconds(void);      /* monotonic clock */
double context_processor_seconds(void); /* of all threads of the process; whatever else the machine does */
double context_peak_rss_mb(void);  /* of this process, in MiB */

#endif
