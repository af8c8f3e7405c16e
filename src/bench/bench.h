/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what `genair bench` can measure. */
#ifndef GENAIR_BENCH_BENCH_H
#define GENAIR_BENCH_BENCH_H

#include "base/context.h"
#include "base/options.h"

#include <jansson.h>

/* One benchmark, over the workspace that the options name if it is on data. peak: this machine's SGEMM peak, GFLOP/s,
 * measured in the same run; 0 if it is not. *result: {"achieved", "peak", "utilization", "unit", …}, or several such, the
 * caller's. */
typedef genair_code benchmark(genair_context *ctx, const genair_options *options, double peak, json_t **result,
                              genair_status *st);

benchmark bench_train; /* training epochs: useful operations a second */
benchmark bench_eval;  /* full-ranking evaluation of all users */
benchmark bench_lm;    /* the language-model engine */
benchmark bench_topk;  /* the best items of a large catalogue, one user at a time */

#endif
