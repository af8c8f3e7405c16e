/* SPDX-License-Identifier: Apache-2.0 */
/* The public handle of an opened run. */
#include "genair.h"

#include "base/alloc.h"
#include "base/context.h"
#include "base/options.h"
#include "ranking/index.h"
#include "recommend/asked.h"
#include "workspace/stage_result.h"

struct genair_recommender {
    struct recommender *inner;
};

GENAIR_API genair_code genair_recommender_open(genair_context *ctx, const genair_options *o, genair_recommender **out,
                                               genair_status *st) {
    struct index_setting index;
    genair_code code = options_check_command(o, "recommend", st);
    if (code == GENAIR_OK) code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "run", st);
    if (code == GENAIR_OK) code = index_asked(o, &index, st);
    if (code != GENAIR_OK) return code;
    genair_recommender *r = mem_zeros(1, sizeof *r);
    if (!r) return fail_memory(st);
    code = recommender_open(ctx, option_text(o, "workspace"), option_text(o, "run"), true, &r->inner, st);
    if (code == GENAIR_OK) code = recommender_index(r->inner, &index, ctx, st);
    if (code == GENAIR_OK)
        *out = r;
    else
        genair_recommender_free(r);
    return code;
}

GENAIR_API void genair_recommender_free(genair_recommender *r) {
    if (!r) return;
    recommender_close(r->inner);
    mem_free(r);
}

GENAIR_API genair_code genair_recommender_recommend(genair_recommender *r, const genair_options *o, char **json,
                                                    genair_status *st) {
    const double begin = context_seconds();
    json_t *result = json_object();
    genair_code code = result ? options_check_command(o, "recommend", st) : fail_memory(st);
    if (code == GENAIR_OK) code = recommend_asked(NULL, r->inner, o, result, st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}

GENAIR_API genair_code genair_recommender_similar(genair_recommender *r, const genair_options *o, char **json,
                                                  genair_status *st) {
    const double begin = context_seconds();
    json_t *result = json_object();
    genair_code code = result ? options_check_command(o, "similar", st) : fail_memory(st);
    if (code == GENAIR_OK) code = option_require(o, "item", st);
    if (code == GENAIR_OK) code = similar_asked(r->inner, o, result, st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}

/* ---- the catalogue and the vectors ---- */

GENAIR_API size_t genair_recommender_items(const genair_recommender *r) {
    return catalogue_items(recommender_catalogue(r->inner));
}

GENAIR_API const char *genair_recommender_item(const genair_recommender *r, size_t row, size_t *size) {
    const struct catalogue *c = recommender_catalogue(r->inner);
    if (row >= catalogue_items(c)) return NULL;
    const struct text name = catalogue_name(c, (uint32_t)row + 1);
    *size = name.n;
    return name.p;
}

GENAIR_API const float *genair_recommender_vectors(const genair_recommender *r, size_t *columns) {
    const struct scorer *s = &recommender_run(r->inner)->scorer;
    if (!s->encode) return NULL;
    *columns = s->width;
    return s->item_vectors + s->width; /* row 0 there is no item */
}

static genair_code encode_user(struct recommender *r, const char *name, float *out, genair_status *st) {
    const struct catalogue *c = recommender_catalogue(r);
    uint32_t u, known;
    struct wish w = {0};
    const genair_code code = catalogue_user(c, name, &u, st);
    if (code != GENAIR_OK) return code;
    wish_user(&w, c->data, u, &known);
    return recommender_encode(r, &w, out, st);
}

static genair_code encode_history(struct recommender *r, const genair_options *o, float *out, genair_status *st) {
    uint32_t *history;
    struct wish w = {0};
    genair_code code = items_asked(r, o, "history", &history, &w.n_history, st);
    w.history = history;
    if (code == GENAIR_OK) code = recommender_encode(r, &w, out, st);
    mem_free(history);
    return code;
}

GENAIR_API genair_code genair_recommender_encode(genair_recommender *r, const genair_options *o, float *out,
                                                 genair_status *st) {
    const genair_code code = options_check_command(o, "recommend", st);
    if (code != GENAIR_OK) return code;
    const struct run *run = recommender_run(r->inner);
    if (!run->scorer.encode)
        return fail(st, GENAIR_USAGE, "run '%s' is of a method without vectors", run->name);
    const char *const *users, *const *items;
    const size_t n_users = option_list(o, "user", &users), n_items = option_list(o, "history", &items);
    if (n_users + (n_items > 0) != 1) return fail(st, GENAIR_USAGE, "one user or a history of one item at least is needed");
    return n_users ? encode_user(r->inner, users[0], out, st) : encode_history(r->inner, o, out, st);
}
