/* SPDX-License-Identifier: Apache-2.0 */
/* genair_bench: one benchmark beside the machine's own peak. */
#include "bench/bench.h"

#include "base/json_text.h"
#include "base/size.h"
#include "bench/peak.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    benchmark *run;
    bool on_data; /* of a workspace, in float32; else it measures a peak of its own */
} benchmarks[] = {
    {"train", bench_train, true},
    {"eval", bench_eval, true},
    {"lm", bench_lm, false},
    {"topk", bench_topk, false},
};

static genair_code result_json(const char *name, json_t *result, char **json, genair_status *st) {
    json_t *all = json_pack("{s:O}", name, result);
    char *text = all ? json_text(all, 0) : NULL;
    json_decref(all);
    if (!text) return fail_memory(st);
    if (json)
        *json = text;
    else
        free(text);
    return GENAIR_OK;
}

genair_code genair_bench(genair_context *ctx, const genair_options *options, char **json, genair_status *st) {
    genair_code code = options_check_command(options, "bench", st);
    if (code == GENAIR_OK) code = option_require(options, "what", st);
    if (code != GENAIR_OK) return code;
    const char *what = option_text(options, "what");
    for (size_t i = 0; i < COUNT(benchmarks); i++) {
        if (strcmp(benchmarks[i].name, what) != 0) continue;
        genair_status peak_status = {0};
        if (benchmarks[i].on_data) code = option_require(options, "workspace", st);
        if (code != GENAIR_OK) return code;
        const double peak = benchmarks[i].on_data ? bench_sgemm_peak(context_parallel(ctx), &peak_status) : 0;
        if (peak_status.code != GENAIR_OK) return fail_like(st, &peak_status);
        json_t *result = NULL;
        code = benchmarks[i].run(ctx, options, peak, &result, st);
        if (code == GENAIR_OK && result) code = result_json(what, result, json, st);
        json_decref(result);
        return code;
    }
    return fail(st, GENAIR_USAGE, "there is no benchmark '%s'", what);
}
