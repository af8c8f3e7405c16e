/* SPDX-License-Identifier: Apache-2.0 */
/* Full-ranking evaluation of all users by a model with its first parameters: what they are does not
 * matter to the speed. Useful operations are those of encoding the histories and of scoring every
 * item for every user; counting, exclusions and the best lists are the overhead. */
#include "bench/bench.h"

#include "base/sort.h"
#include "ranking/ranking.h"
#include "train/session.h"


enum { ROUNDS = 5 }; /* after one that warms up */

/* Passes on, and keeps the time. */
struct timed_encoder {
    struct scorer inner;
    double seconds;
};

static genair_code timed_encode(void *model, const struct histories *h, float *out,
                                genair_status *st) {
    struct timed_encoder *t = model;
    const double start = context_seconds();
    const genair_code code = t->inner.encode(t->inner.model, h, out, st);
    t->seconds += context_seconds() - start;
    return code;
}

struct rounds {
    double seconds[ROUNDS], encode_seconds[ROUNDS];
    double flops; /* of one round */
    size_t n_users;
};

static genair_code measure(genair_context *ctx, struct session *s, struct rounds *r,
                           genair_status *st) {
    struct timed_encoder timed = {.inner = model_scorer(s->model)};
    struct scorer scorer = timed.inner;
    scorer.model = &timed;
    scorer.encode = timed_encode;
    for (int i = -1; i < ROUNDS; i++) {
        struct ranking_result result = {0};
        const double start = context_seconds(), counted = s->model->tape.flops;
        if (context_stopped(ctx)) return context_interrupted(st);
        timed.seconds = 0;
        const genair_code code = ranking_evaluate(context_parallel(ctx), &scorer, s->data,
                                                  PART_TEST, PROTOCOL_FULL, &result, st);
        if (code != GENAIR_OK) return code;
        r->n_users = result.n;
        ranking_result_free(&result);
        r->flops = s->model->tape.flops - counted +
                   2.0 * (double)r->n_users * scorer.n_items * (double)scorer.width;
        if (i < 0) continue;
        r->seconds[i] = context_seconds() - start;
        r->encode_seconds[i] = timed.seconds;
    }
    return GENAIR_OK;
}

genair_code bench_eval(genair_context *ctx, const genair_options *options, double peak,
                       json_t **result, genair_status *st) {
    const char *const method = option_text(options, "method");
    genair_code code = options_check_methods(options, 1, &method, st);
    if (code != GENAIR_OK) return code;
    json_t *config = session_options(options);
    struct session s = {0};
    struct rounds r = {.flops = 0};
    code = config ? session_open(ctx, option_text(options, "workspace"), config,
                                             (size_t)option_int(options, "data-scale"), &s, st)
                              : fail_memory(st);
    if (code == GENAIR_OK) code = model_refresh_items(s.model, st);
    if (code == GENAIR_OK) code = measure(ctx, &s, &r, st);
    if (code == GENAIR_OK) {
        const double seconds = median(r.seconds, ROUNDS), achieved = r.flops / seconds * 1e-9;
        *result =
            json_pack("{s:f, s:f, s:f, s:s, s:f, s:f, s:f, s:I, s:I, s:f}", "achieved", achieved,
                      "peak", peak, "utilization", achieved / peak, "unit", "GFLOP/s",
                      "eval_seconds", seconds, "encode_seconds", median(r.encode_seconds, ROUNDS), "gflop",
                      r.flops * 1e-9, "users", (json_int_t)r.n_users, "items",
                      (json_int_t)s.data->n_items, "peak_rss_mb", context_peak_rss_mb());
        if (!*result) code = fail_memory(st);
    }
    session_close(&s);
    json_decref(config);
    return code;
}
