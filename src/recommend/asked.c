/* SPDX-License-Identifier: Apache-2.0 */
#include "recommend/asked.h"

#include "base/alloc.h"
#include "base/options.h"

genair_code items_asked(const struct recommender *r, const genair_options *o, const char *name, uint32_t **items,
                        size_t *n, genair_status *st) {
    const char *const *names;
    *n = option_list(o, name, &names);
    *items = mem_array(*n, sizeof **items);
    genair_code code = *items ? GENAIR_OK : fail_memory(st);
    for (size_t i = 0; i < *n && code == GENAIR_OK; i++)
        code = catalogue_item(recommender_catalogue(r), names[i], &(*items)[i], st);
    return code;
}

void wish_user(struct wish *w, const struct dataset *d, uint32_t user, uint32_t *known) {
    w->history = d->item + d->start[user];
    w->n_history = d->start[user + 1] - d->start[user];
    (void)dataset_training(d, user, known);
    w->known = known;
}

static genair_code for_users(genair_context *ctx, struct recommender *r, const struct wish *filters, size_t n,
                             const char *const *names, json_t *out, genair_status *st) {
    const struct catalogue *c = recommender_catalogue(r);
    const struct dataset *d = c->data;
    json_t *users = json_array();
    if (json_object_set_new(out, "users", users) != 0) return fail_memory(st);
    for (size_t i = 0; i < n; i++) {
        uint32_t u, known;
        if (ctx && context_stopped(ctx)) return context_interrupted(st);
        genair_code code = catalogue_user(c, names[i], &u, st);
        if (code != GENAIR_OK) return code;
        struct wish w = *filters;
        wish_user(&w, d, u, &known);
        json_t *one = json_pack("{s:s, s:I}", "user", names[i], "history_length", (json_int_t)w.n_history);
        if (json_array_append_new(users, one) != 0) return fail_memory(st);
        code = recommender_answer(r, &w, one, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

static genair_code for_history(struct recommender *r, const genair_options *o, struct wish *w, json_t *out,
                               genair_status *st) {
    uint32_t *history;
    genair_code code = items_asked(r, o, "history", &history, &w->n_history, st);
    w->history = history;
    if (code == GENAIR_OK) code = recommender_answer(r, w, out, st);
    mem_free(history);
    return code;
}

genair_code recommend_asked(genair_context *ctx, struct recommender *r, const genair_options *o, json_t *out,
                            genair_status *st) {
    const char *const *users, *const *history;
    const size_t n_users = option_list(o, "user", &users);
    if (n_users && option_list(o, "history", &history)) return fail(st, GENAIR_USAGE, "users or a history, not both");
    struct wish w = {.k = (size_t)option_int(o, "k"), .explain = option_flag(o, "explain")};
    uint32_t *allow = NULL, *deny = NULL;
    if (json_object_set_new(out, "run", json_string(recommender_run(r)->name)) != 0) return fail_memory(st);
    genair_code code = items_asked(r, o, "allow", &allow, &w.n_allow, st);
    if (code == GENAIR_OK) code = items_asked(r, o, "deny", &deny, &w.n_deny, st);
    w.allow = allow;
    w.only_allowed = w.n_allow > 0;
    w.deny = deny;
    if (code == GENAIR_OK)
        code = n_users ? for_users(ctx, r, &w, n_users, users, out, st) : for_history(r, o, &w, out, st);
    mem_free(allow);
    mem_free(deny);
    return code;
}

genair_code similar_asked(struct recommender *r, const genair_options *o, json_t *out, genair_status *st) {
    uint32_t item;
    const genair_code code = catalogue_item(recommender_catalogue(r), option_text(o, "item"), &item, st);
    return code == GENAIR_OK ? recommender_similar(r, item, (size_t)option_int(o, "k"), out, st) : code;
}
