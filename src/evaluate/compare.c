/* SPDX-License-Identifier: Apache-2.0 */
/* genair compare: is one run better than another? Paired two-sided t-tests over the users, and over
 * the seeds when several runs of each are given: the first half of --run against the second, in
 * order. */
#include "genair.h"

#include "base/alloc.h"
#include "base/size.h"
#include "evaluate/compare.h"
#include "ranking/statistics.h"
#include "workspace/stage_result.h"

#include <math.h>
#include <string.h>

static double hr10(uint32_t rank) {
    return gain_hr(rank, 10);
}

static double ndcg10(uint32_t rank) {
    return gain_ndcg(rank, 10);
}

static const struct {
    const char *name;
    double (*gain)(uint32_t rank);
} compared[] = {{"HR@10", hr10}, {"NDCG@10", ndcg10}, {"MRR", gain_mrr}};

struct comparison {
    size_t n_pairs;                 /* runs on each side */
    const struct ranked_run *a, *b; /* [n_pairs] */
    size_t n_users;                 /* with a warm target */
    uint32_t *place;                /* [n_users] where they stand in the results */
    double *of_a, *of_b; /* [max(n_users, n_pairs)] scratch */
};

/* JSON has neither NaN nor infinity. */
static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

/* {"A", "B": means, "difference": A - B, "sd", "t", "p", "low", "high": 95 % interval, "n"} */
static json_t *test_json(const double *a, const double *b, size_t n) {
    struct t_test t;
    double mean_a, mean_b, sd;
    paired_t_test(a, b, n, &t);
    mean_and_sd(a, n, &mean_a, &sd);
    mean_and_sd(b, n, &mean_b, &sd);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "A", number(mean_a), "B",
                     number(mean_b), "difference", number(t.difference), "sd", number(t.sd), "t",
                     number(t.t), "p", number(t.p), "low", number(t.low), "high", number(t.high),
                     "n", (json_int_t)n);
}

/* A user's gain, averaged over the runs of one side. */
static void user_gains(const struct comparison *c, const struct ranked_run *runs, enum protocol protocol,
                       double (*gain)(uint32_t), double *out) {
    for (size_t u = 0; u < c->n_users; u++) {
        double sum = 0;
        for (size_t i = 0; i < c->n_pairs; i++)
            sum += gain(runs[i].result[protocol].rank[c->place[u]]);
        out[u] = sum / (double)c->n_pairs;
    }
}

static double mean_gain(const struct comparison *c, const struct ranking_result *r, double (*gain)(uint32_t)) {
    double sum = 0;
    for (size_t u = 0; u < c->n_users; u++)
        sum += gain(r->rank[c->place[u]]);
    return c->n_users ? sum / (double)c->n_users : 0;
}

static json_t *over_users(const struct comparison *c, enum protocol protocol,
                          double (*gain)(uint32_t)) {
    user_gains(c, c->a, protocol, gain, c->of_a);
    user_gains(c, c->b, protocol, gain, c->of_b);
    return test_json(c->of_a, c->of_b, c->n_users);
}

static json_t *over_seeds(const struct comparison *c, enum protocol protocol,
                          double (*gain)(uint32_t)) {
    for (size_t i = 0; i < c->n_pairs; i++) {
        c->of_a[i] = mean_gain(c, &c->a[i].result[protocol], gain);
        c->of_b[i] = mean_gain(c, &c->b[i].result[protocol], gain);
    }
    return test_json(c->of_a, c->of_b, c->n_pairs);
}

typedef json_t *test_of(const struct comparison *, enum protocol, double (*)(uint32_t));

/* {"sampled": {"HR@10": test, …}, "full": …} */
static json_t *all_tests(const struct comparison *c, test_of *test) {
    json_t *all = json_object();
    for (int p = 0; p < N_PROTOCOLS; p++) {
        if (!c->a[0].has[p]) continue;
        json_t *one = json_object();
        if (json_object_set_new(all, protocol_name((enum protocol)p), one) != 0) goto failed;
        for (size_t m = 0; m < COUNT(compared); m++)
            if (json_object_set_new(one, compared[m].name,
                                    test(c, (enum protocol)p, compared[m].gain)) != 0)
                goto failed;
    }
    return all;
failed:
    json_decref(all);
    return NULL;
}

static json_t *names_json(const struct ranked_run *runs, size_t n) {
    json_t *names = json_array();
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(names, json_string(runs[i].name)) != 0) {
            json_decref(names);
            return NULL;
        }
    return names;
}

genair_code compare_ranked(const struct ranked_run *runs, size_t n, enum part part, const uint8_t *cold, json_t **out,
                           genair_status *st) {
    const int p = runs[0].has[PROTOCOL_SAMPLED] ? PROTOCOL_SAMPLED : PROTOCOL_FULL;
    const struct ranking_result *r = &runs[0].result[p];
    struct comparison c = {.n_pairs = n / 2, .a = runs, .b = runs + n / 2};
    c.place = mem_array(r->n, sizeof *c.place);
    if (!c.place) return fail_memory(st);
    c.n_users = ranking_result_warm(cold, r, c.place);
    c.of_a = mem_array(max_size(c.n_users, c.n_pairs), sizeof *c.of_a);
    c.of_b = mem_array(max_size(c.n_users, c.n_pairs), sizeof *c.of_b);
    json_t *result = NULL;
    if (c.of_a && c.of_b)
        result = json_pack("{s:o, s:o, s:s, s:I, s:o}", "A", names_json(c.a, c.n_pairs), "B",
                           names_json(c.b, c.n_pairs), "part", part_name(part), "users",
                           (json_int_t)c.n_users, "over_users", all_tests(&c, over_users));
    if (result && c.n_pairs > 1 &&
        json_object_set_new(result, "over_seeds", all_tests(&c, over_seeds)) != 0) {
        json_decref(result);
        result = NULL;
    }
    mem_free(c.of_a);
    mem_free(c.of_b);
    mem_free(c.place);
    if (!result) return fail_memory(st);
    *out = result;
    return GENAIR_OK;
}

static genair_code compare(genair_context *ctx, const genair_options *o, json_t **out,
                           genair_status *st) {
    const char *const *names;
    const size_t n = option_list(o, "run", &names);
    if (n < 2 || n % 2 != 0)
        return fail(
            st, GENAIR_USAGE,
            "compare needs two runs, --run A --run B, or as many of each side: --run A1 --run "
            "A2 --run B1 --run B2; %zu %s given",
            n, n == 1 ? "is" : "are");
    struct dataset *data;
    genair_code code = dataset_open(option_text(o, "workspace"), &data, st);
    if (code != GENAIR_OK) return code;
    struct ranked_run *runs;
    code = ranked_runs_make(ctx, o, data, n, names, &runs, st);
    if (code == GENAIR_OK) {
        code = compare_ranked(runs, n, part_named(option_text(o, "part")), data->cold, out, st);
        ranked_runs_free(runs, n);
    }
    dataset_close(data);
    return code;
}

GENAIR_API genair_code genair_compare(genair_context *ctx, const genair_options *o, char **json,
                                      genair_status *st) {
    const double begin = context_seconds();
    json_t *result = NULL;
    genair_code code = options_check_command(o, "compare", st);
    if (code == GENAIR_OK) code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "run", st);
    if (code == GENAIR_OK) code = compare(ctx, o, &result, st);
    if (code != GENAIR_OK) return code;
    code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}
