/* SPDX-License-Identifier: Apache-2.0 */
/* This module ranks the targets of one run under the protocols that were asked for. */
#ifndef GENAIR_EVALUATE_RANKED_RUN_H
#define GENAIR_EVALUATE_RANKED_RUN_H

#include "base/context.h"
#include "base/options.h"
#include "ranking/ranking.h"

enum { N_PROTOCOLS = 2 };

struct ranked_run {
    char *name, *method, *backbone; /* backbone is NULL for methods without one */
    bool has[N_PROTOCOLS];          /* by enum protocol */
    struct ranking_result result[N_PROTOCOLS];
    double eval_seconds; /* ranking alone, without opening files */
};

/* All names of --run in turn, as the options --part and --protocol ask; *out: [n], the caller's, released with
 * ranked_runs_free. Errors of run_open and ranking_evaluate, with the run's name. */
CHECKED genair_code ranked_runs_make(genair_context *ctx, const genair_options *o,
                                     const struct dataset *data, size_t n, const char *const *names,
                                     struct ranked_run **out, genair_status *st);
void ranked_runs_free(struct ranked_run *runs, size_t n);

#endif
