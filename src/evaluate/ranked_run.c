/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/ranked_run.h"

#include "base/alloc.h"
#include "model/load.h"

#include <string.h>

static bool protocol_wanted(const genair_options *o, enum protocol protocol) {
    const char *choice = option_text(o, "protocol");
    return strcmp(choice, "both") == 0 || strcmp(choice, protocol_name(protocol)) == 0;
}

static char *copy_of_key(const json_t *config, const char *key) {
    const char *text = json_string_value(json_object_get(config, key));
    return text ? mem_text(text, strlen(text)) : NULL;
}

static genair_code describe(struct ranked_run *r, const struct run *run, genair_status *st) {
    r->name = mem_text(run->name, strlen(run->name));
    r->method = copy_of_key(run->config, "method");
    /* A closed-form run's configuration holds the default backbone, which it does not have. */
    if (run->scorer.encode) r->backbone = copy_of_key(run->config, "backbone");
    return r->name && r->method ? GENAIR_OK : fail_memory(st);
}

static genair_code rank(genair_context *ctx, const genair_options *o, const struct run *run,
                        struct ranked_run *r, genair_status *st) {
    const double begin = context_seconds();
    for (int p = 0; p < N_PROTOCOLS; p++) {
        const enum protocol protocol = (enum protocol)p;
        if (!protocol_wanted(o, protocol)) continue;
        if (context_stopped(ctx)) return context_interrupted(st);
        const genair_code code = ranking_evaluate(context_parallel(ctx), &run->scorer, run->data,
                                                  part_named(option_text(o, "part")), protocol, &r->result[p], st);
        if (code != GENAIR_OK) return code;
        r->has[p] = true;
    }
    r->eval_seconds = context_seconds() - begin;
    return GENAIR_OK;
}

static void deinit(struct ranked_run *r) {
    for (int p = 0; p < N_PROTOCOLS; p++)
        ranking_result_free(&r->result[p]);
    mem_free(r->name);
    mem_free(r->method);
    mem_free(r->backbone);
    *r = (struct ranked_run){0};
}

static genair_code ranked_run_make(genair_context *ctx, const genair_options *o,
                            const struct dataset *data, const char *name, struct ranked_run *out,
                            genair_status *st) {
    struct ranked_run r = {0};
    struct run *run;
    genair_code code = run_open(ctx, option_text(o, "workspace"), name, data, &run, st);
    if (code != GENAIR_OK) return code;
    code = describe(&r, run, st);
    if (code == GENAIR_OK) code = rank(ctx, o, run, &r, st);
    run_close(run);
    if (code == GENAIR_OK)
        *out = r;
    else
        deinit(&r);
    return code;
}

/* The mean of nothing is no number. */
static genair_code require_targets(const genair_options *o, const struct dataset *data, genair_status *st) {
    const uint32_t *target = strcmp(option_text(o, "part"), "valid") == 0 ? data->valid : data->test;
    for (uint32_t u = 0; u < data->n_users; u++)
        if (target[u] != DATASET_NONE) return GENAIR_OK;
    return fail(st, GENAIR_USAGE, "no user has a %s target; 'genair prepare' with another --split or --held-out-users gives some",
                option_text(o, "part"));
}

genair_code ranked_runs_make(genair_context *ctx, const genair_options *o,
                             const struct dataset *data, size_t n, const char *const *names,
                             struct ranked_run **out, genair_status *st) {
    genair_code code = require_targets(o, data, st);
    if (code != GENAIR_OK) return code;
    struct ranked_run *runs = mem_zeros(n, sizeof *runs);
    if (!runs) return fail_memory(st);
    for (size_t i = 0; i < n && code == GENAIR_OK; i++)
        code = ranked_run_make(ctx, o, data, names[i], &runs[i], st);
    if (code == GENAIR_OK)
        *out = runs;
    else
        ranked_runs_free(runs, n);
    return code;
}

void ranked_runs_free(struct ranked_run *runs, size_t n) {
    for (size_t i = 0; runs && i < n; i++)
        deinit(&runs[i]);
    mem_free(runs);
}
