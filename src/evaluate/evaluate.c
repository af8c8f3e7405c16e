/* SPDX-License-Identifier: Apache-2.0 */
/* genair evaluate: metrics of one run, or mean and standard deviation over several (seeds). Reads
 * the workspace without its lock; all it writes are the ranks, each file replaced as a whole. */
#include "genair.h"

#include "base/alloc.h"
#include "base/files.h"
#include "evaluate/group_tables.h"
#include "evaluate/ranked_run.h"
#include "ranking/list_metrics.h"
#include "ranking/ranks_file.h"
#include "ranking/statistics.h"
#include "workspace/stage_result.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool set(json_t *object, const char *key, json_t *value) {
    return value && json_object_set_new(object, key, value) == 0;
}

/* ---- one run ---- */

static json_t *protocol_json(const struct ranking_result *r) {
    return metrics_json(&r->metrics);
}

static json_t *optimistic_json(const struct ranking_result *r) {
    return metrics_json(&r->optimistic);
}

/* {"sampled": make(result), "full": …} */
static json_t *by_protocol(const struct ranked_run *r,
                           json_t *(*make)(const struct ranking_result *)) {
    json_t *o = json_object();
    bool done = o != NULL;
    for (int p = 0; p < N_PROTOCOLS && done; p++)
        if (r->has[p]) done = set(o, protocol_name((enum protocol)p), make(&r->result[p]));
    if (done) return o;
    json_decref(o);
    return NULL;
}

static json_t *ties_json(const struct ranking_result *r) {
    return json_integer((json_int_t)r->n_tied);
}

static json_t *cold_json(const struct ranking_result *r) {
    json_t *o = metrics_json(&r->cold);
    if (o && set(o, "users", json_integer((json_int_t)r->cold.n_users))) return o;
    json_decref(o);
    return NULL;
}

static const struct ranking_result *any_result(const struct ranked_run *r) {
    return r->has[PROTOCOL_SAMPLED] ? &r->result[PROTOCOL_SAMPLED] : &r->result[PROTOCOL_FULL];
}

/* Share of the users with a warm target whose target is the last by the order in the file alone. */
static double tied_time_share(const struct dataset *data, const struct ranking_result *r) {
    const unsigned bit = r->part == PART_VALID ? 1 : 2;
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += !data->cold[r->target[i]] && (data->tied_time[r->user[i]] & bit) != 0;
    return r->metrics.n_users ? (double)n / (double)r->metrics.n_users : 0;
}

static genair_code add_groups(const genair_options *o, const struct dataset *data,
                              const struct ranked_run *r, json_t *out, genair_status *st) {
    json_t *groups = json_object();
    if (!set(out, "groups", groups)) return fail_memory(st);
    for (int p = 0; p < N_PROTOCOLS; p++) {
        if (!r->has[p]) continue;
        json_t *tables;
        const genair_code code = group_tables(o, data, &r->result[p], &tables, st);
        if (code != GENAIR_OK) return code;
        if (!set(groups, protocol_name((enum protocol)p), tables)) return fail_memory(st);
    }
    return GENAIR_OK;
}

static genair_code add_lists(genair_context *ctx, const struct dataset *data, const struct ranked_run *r,
                             json_t *out, genair_status *st) {
    if (!r->has[PROTOCOL_FULL]) return GENAIR_OK;
    const struct ranking_result *full = &r->result[PROTOCOL_FULL];
    struct list_metrics m;
    const genair_code code = list_metrics_compute(context_parallel(ctx), full, data, &m, st);
    if (code != GENAIR_OK) return code;
    json_t *to = json_object_get(json_object_get(out, part_name(full->part)), protocol_name(PROTOCOL_FULL));
    return list_metrics_add(&m, to) ? GENAIR_OK : fail_memory(st);
}

static genair_code describe_run(genair_context *ctx, const genair_options *o, const struct dataset *data,
                                const struct ranked_run *r, json_t *out, genair_status *st) {
    const struct ranking_result *any = any_result(r);
    bool done = set(out, "run", json_string(r->name)) && set(out, "method", json_string(r->method));
    if (r->backbone) done = done && set(out, "backbone", json_string(r->backbone));
    done = done && set(out, "users", json_integer((json_int_t)any->metrics.n_users)) &&
           set(out, part_name(any->part), by_protocol(r, protocol_json)) &&
           set(out, "ties", by_protocol(r, ties_json)) &&
           set(out, "optimistic", by_protocol(r, optimistic_json)) &&
           set(out, "tied_time_share", json_real(tied_time_share(data, any)));
    if (any->cold.n_users) done = done && set(out, "cold", by_protocol(r, cold_json));
    done = done && set(out, "eval_seconds", json_real(r->eval_seconds));
    if (!done) return fail_memory(st);
    const genair_code code = add_lists(ctx, data, r, out, st);
    if (code != GENAIR_OK) return code;
    return option_flag(o, "groups") ? add_groups(o, data, r, out, st) : GENAIR_OK;
}

/* ---- several runs ---- */

/* Mean and standard deviation over runs of every number under one protocol. */
static bool summarise_protocol(const json_t *runs, const char *part, const char *protocol,
                               double *scratch, json_t *mean, json_t *sd) {
    const size_t n = json_array_size(runs);
    json_t *first = json_object_get(json_object_get(json_array_get(runs, 0), part), protocol);
    if (!first) return true;
    json_t *means = json_object(), *sds = json_object();
    bool done = set(mean, protocol, means);
    done = set(sd, protocol, sds) && done;
    const char *key;
    json_t *value;
    json_object_foreach(first, key, value) {
        for (size_t i = 0; i < n; i++)
            scratch[i] = json_real_value(json_object_get(
                json_object_get(json_object_get(json_array_get(runs, i), part), protocol), key));
        double m, s;
        mean_and_sd(scratch, n, &m, &s);
        done = done && set(means, key, json_real(m)) && set(sds, key, json_real(s));
    }
    return done;
}

/* {"run": [names], PART: means, "sd": standard deviations, "runs": [one run's object each]} */
static genair_code describe_runs(json_t *runs, enum part part, json_t *out, genair_status *st) {
    json_t *mean = json_object(), *sd = json_object(), *names = json_array();
    double *scratch = mem_array(json_array_size(runs), sizeof *scratch);
    bool done = set(out, "run", names) && scratch; /* out owns names from here on */
    for (size_t i = 0; i < json_array_size(runs) && done; i++)
        done = json_array_append(names, json_object_get(json_array_get(runs, i), "run")) == 0;
    done = set(out, part_name(part), mean) && done;
    done = set(out, "sd", sd) && done;
    for (int p = 0; p < N_PROTOCOLS && done; p++)
        done = summarise_protocol(runs, part_name(part), protocol_name((enum protocol)p), scratch,
                                  mean, sd);
    mem_free(scratch);
    return done && json_object_set(out, "runs", runs) == 0 ? GENAIR_OK : fail_memory(st);
}

/* ---- the stage ---- */

/* WORKSPACE/runs/RUN/ranks-PART-PROTOCOL.tsv, where the run's folder may be written to. */
static genair_code store_ranks_in(const char *directory, const struct dataset *data,
                                  const struct ranked_run *r, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (int p = 0; code == GENAIR_OK && p < N_PROTOCOLS; p++) {
        if (!r->has[p]) continue;
        char *path = ranks_file_path(directory, r->result[p].part, (enum protocol)p);
        code = path ? ranks_file_write(path, data, &r->result[p], st) : fail_memory(st);
        mem_free(path);
    }
    return code;
}

static genair_code store_ranks(genair_context *ctx, const genair_options *o,
                               const struct dataset *data, const struct ranked_run *r,
                               genair_status *st) {
    char *runs = path_join(option_text(o, "workspace"), "runs"),
         *directory = runs ? path_join(runs, r->name) : NULL;
    genair_code code = directory ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK && access(directory, W_OK) != 0)
        context_info(ctx, "the workspace is read-only: the ranks of run %s are not stored",
                     r->name);
    else if (code == GENAIR_OK)
        code = store_ranks_in(directory, data, r, st);
    mem_free(directory);
    mem_free(runs);
    return code;
}

static genair_code evaluate_runs(genair_context *ctx, const genair_options *o,
                                 const struct dataset *data, json_t *runs, genair_status *st) {
    const char *const *names;
    const size_t n = option_list(o, "run", &names);
    for (size_t i = 0; i < n; i++) {
        struct ranked_run *r;
        genair_code code = ranked_runs_make(ctx, o, data, 1, names + i, &r, st);
        if (code != GENAIR_OK) return code;
        json_t *one = json_object();
        if (!one || json_array_append_new(runs, one) != 0) code = fail_memory(st);
        if (code == GENAIR_OK) code = describe_run(ctx, o, data, r, one, st);
        if (code == GENAIR_OK) code = store_ranks(ctx, o, data, r, st);
        ranked_runs_free(r, 1);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

static genair_code evaluate(genair_context *ctx, const genair_options *o, json_t **out,
                            genair_status *st) {
    struct dataset *data;
    genair_code code = dataset_open(option_text(o, "workspace"), &data, st);
    if (code != GENAIR_OK) return code;
    json_t *runs = json_array(), *result = NULL;
    code = runs ? evaluate_runs(ctx, o, data, runs, st) : fail_memory(st);
    if (code == GENAIR_OK && json_array_size(runs) == 1) {
        result = json_incref(json_array_get(runs, 0));
    } else if (code == GENAIR_OK) {
        result = json_object();
        code = result ? describe_runs(runs, part_named(option_text(o, "part")), result, st) : fail_memory(st);
    }
    json_decref(runs);
    dataset_close(data);
    if (code == GENAIR_OK)
        *out = result;
    else
        json_decref(result);
    return code;
}

GENAIR_API genair_code genair_evaluate(genair_context *ctx, const genair_options *o, char **json,
                                       genair_status *st) {
    const double begin = context_seconds();
    json_t *result = NULL;
    genair_code code = options_check_command(o, "evaluate", st);
    if (code == GENAIR_OK) code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "run", st);
    if (code == GENAIR_OK) code = evaluate(ctx, o, &result, st);
    if (code != GENAIR_OK) return code;
    code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}
