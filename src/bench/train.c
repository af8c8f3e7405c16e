/* SPDX-License-Identifier: Apache-2.0 */
/* Training epochs, evaluation and checkpoints left out. The floor is the useful operations of the epoch's
 * matrix products (counted while they run: real positions, distinct items, the seen half of causal
 * attention) at the machine's SGEMM peak; the rest is memory traffic and random numbers. */
#include "bench/bench.h"

#include "base/group.h"
#include "base/size.h"
#include "base/sort.h"
#include "train/session.h"


enum { EPOCHS = 5 }; /* after one that warms up */

static genair_code epoch(genair_context *ctx, struct session *s, uint64_t number, genair_status *st) {
    const size_t n = session_steps(s);
    genair_code code = session_start(s, number, true, st);
    for (size_t i = 0; code == GENAIR_OK && i < n; i++) {
        struct step_losses losses;
        code = session_step(s, i, &losses, st);
        context_progress(ctx, "training", (double)(number * n + i), (double)((EPOCHS + 1) * n));
        if (code == GENAIR_OK && context_stopped(ctx)) code = context_interrupted(st);
    }
    return code;
}

/* Of all processes; the first one tells. */
static genair_code measure(genair_context *ctx, const genair_options *options, double peak, json_t **result,
                           genair_status *st) {
    const char *const method = option_text(options, "method");
    genair_code code = options_check_methods(options, 1, &method, st);
    if (code != GENAIR_OK) return code;
    json_t *config = session_options(options);
    struct session s = {0};
    code = config ? session_open(ctx, option_text(options, "workspace"), config,
                                 (size_t)option_int(options, "data-scale"), &s, st)
                  : fail_memory(st);
    double seconds[EPOCHS], processor[EPOCHS], flops = 0;
    if (code == GENAIR_OK) code = epoch(ctx, &s, 1, st);
    for (uint64_t i = 0; code == GENAIR_OK && i < EPOCHS; i++) {
        const double start = context_seconds(), used = context_processor_seconds(), counted = s.model->tape.flops;
        code = epoch(ctx, &s, i + 2, st);
        seconds[i] = context_seconds() - start;
        processor[i] = context_processor_seconds() - used;
        flops = s.model->tape.flops - counted;
    }
    double sums[] = {flops, peak};
    if (code == GENAIR_OK) code = group_sum(context_group(ctx), sums, COUNT(sums), st);
    flops = sums[0];
    peak = sums[1];
    if (code == GENAIR_OK && group_rank(context_group(ctx)) == 0) {
        const double typical = median(seconds, EPOCHS), achieved = flops / typical * 1e-9;
        *result = json_pack("{s:f, s:f, s:f, s:s, s:f, s:f, s:f, s:I, s:I, s:f}", "achieved", achieved, "peak", peak,
                            "utilization", achieved / peak, "unit", "GFLOP/s", "seconds_per_epoch",
                            typical, "processor_seconds_per_epoch", median(processor, EPOCHS), "gflop_per_epoch", flops * 1e-9, "steps_per_epoch",
                            (json_int_t)session_steps(&s), "tokens_per_epoch",
                            (json_int_t)batches_positions(s.batches), "peak_rss_mb", context_peak_rss_mb());
        if (!*result) code = fail_memory(st);
    }
    session_close(&s);
    json_decref(config);
    return code;
}

genair_code bench_train(genair_context *ctx, const genair_options *options, double peak, json_t **result,
                        genair_status *st) {
    struct group *group;
    genair_code code = group_open(&group, st);
    if (code != GENAIR_OK) return code;
    context_set_group(ctx, group);
    code = measure(ctx, options, peak, result, st);
    context_set_group(ctx, NULL);
    group_close(group, code == GENAIR_OK);
    return code;
}
