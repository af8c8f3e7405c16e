/* SPDX-License-Identifier: Apache-2.0 */
/* genair recommend: the items most likely to come next, for users of the log or for a history typed
 * in. */
#include "genair.h"

#include "base/alloc.h"
#include "base/options.h"
#include "recommend/recommender.h"
#include "workspace/stage_result.h"

struct asked {
    struct recommender *recommender;
    size_t k;
    bool explain;
};

static genair_code recommend_for(const struct asked *a, const uint32_t *history, size_t n, const uint32_t *known,
                                 json_t *out, genair_status *st) {
    const struct wish w = {.history = history, .n_history = n, .known = known, .k = a->k, .explain = a->explain};
    return recommender_answer(a->recommender, &w, out, st);
}

static genair_code for_users(genair_context *ctx, const struct asked *a, size_t n,
                             const char *const *names, json_t *out, genair_status *st) {
    const struct catalogue *c = recommender_catalogue(a->recommender);
    const struct dataset *d = c->data;
    json_t *users = json_array();
    if (json_object_set_new(out, "users", users) != 0) return fail_memory(st);
    for (size_t i = 0; i < n; i++) {
        uint32_t u, known;
        if (context_stopped(ctx)) return context_interrupted(st);
        genair_code code = catalogue_user(c, names[i], &u, st);
        if (code != GENAIR_OK) return code;
        const size_t length = d->start[u + 1] - d->start[u];
        json_t *one =
            json_pack("{s:s, s:I}", "user", names[i], "history_length", (json_int_t)length);
        if (json_array_append_new(users, one) != 0) return fail_memory(st);
        (void)dataset_training(d, u, &known);
        code = recommend_for(a, d->item + d->start[u], length, &known, one, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

static genair_code for_history(const struct asked *a, size_t n, const char *const *names, json_t *out,
                               genair_status *st) {
    uint32_t *history = mem_array(n, sizeof *history);
    genair_code code = history ? GENAIR_OK : fail_memory(st);
    for (size_t i = 0; i < n && code == GENAIR_OK; i++)
        code = catalogue_item(recommender_catalogue(a->recommender), names[i], &history[i], st);
    if (code == GENAIR_OK) code = recommend_for(a, history, n, NULL, out, st);
    mem_free(history);
    return code;
}

static genair_code with_run(genair_context *ctx, const genair_options *o, struct recommender *r,
                            json_t *out, genair_status *st) {
    const char *const *users, *const *items;
    const size_t n_users = option_list(o, "user", &users),
                 n_items = option_list(o, "history", &items);
    const struct asked a = {r, (size_t)option_int(o, "k"), option_flag(o, "explain")};
    if (json_object_set_new(out, "run", json_string(recommender_run(r)->name)) != 0)
        return fail_memory(st);
    return n_users ? for_users(ctx, &a, n_users, users, out, st)
                   : for_history(&a, n_items, items, out, st);
}

static genair_code recommend(genair_context *ctx, const genair_options *o, json_t *out,
                             genair_status *st) {
    const char *const *names;
    const bool users = option_list(o, "user", &names) > 0,
               items = option_list(o, "history", &names) > 0;
    if (users == items)
        return fail(
            st, GENAIR_USAGE,
            "recommend needs --user ID..., or --history ITEM...%s; 'genair help recommend' shows "
            "an example",
            users ? ", not both" : "");
    struct recommender *r;
    genair_code code =
        recommender_open(ctx, option_text(o, "workspace"), option_text(o, "run"), option_flag(o, "explain"), &r, st);
    if (code != GENAIR_OK) return code;
    code = with_run(ctx, o, r, out, st);
    recommender_close(r);
    return code;
}

GENAIR_API genair_code genair_recommend(genair_context *ctx, const genair_options *o, char **json,
                                        genair_status *st) {
    const double begin = context_seconds();
    genair_code code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "run", st);
    if (code != GENAIR_OK) return code;
    json_t *result = json_object();
    code = result ? recommend(ctx, o, result, st) : fail_memory(st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}
