/* SPDX-License-Identifier: Apache-2.0 */
/* genair recommend: the items most likely to come next, for users of the log or for a history typed
 * in. */
#include "genair.h"

#include "base/alloc.h"
#include "base/options.h"
#include "base/size.h"
#include "ranking/rank.h"
#include "ranking/score_row.h"
#include "workspace/archetypes.h"
#include "workspace/catalogue.h"
#include "recommend/likeness.h"
#include "workspace/stage_result.h"

#include <math.h>
#include <string.h>

struct work {
    const struct catalogue *catalogue;
    const struct run *run;
    bool explain;
    struct archetypes *archetypes; /* NULL: not asked for, or none in the workspace */
    float *row;        /* [n_items + 1] */
    uint32_t *listed;  /* [k] the recommended ids */
    float *likeness;   /* [k] */
    uint32_t *because; /* [k] history item nearest to each recommendation, 0 for none */
    float *nearness;   /* [k] */
    uint32_t *history; /* [n_history] distinct, ascending */
    size_t history_capacity;
    struct topk best;
};

static genair_code create(struct work *w, size_t k, genair_status *st) {
    const size_t columns = (size_t)w->run->data->n_items + 1;
    w->best.k = min_size(k, w->run->data->n_items);
    w->best.entries = mem_array(w->best.k, sizeof *w->best.entries);
    w->row = mem_array(columns, sizeof *w->row);
    w->likeness = mem_array(w->best.k, sizeof *w->likeness);
    w->listed = mem_array(w->best.k, sizeof *w->listed);
    w->because = mem_array(w->best.k, sizeof *w->because);
    w->nearness = mem_array(w->best.k, sizeof *w->nearness);
    if (!w->best.entries || !w->row || !w->likeness || !w->listed || !w->because || !w->nearness)
        return fail_memory(st);
    return GENAIR_OK;
}

static void destroy(struct work *w) {
    archetypes_close(w->archetypes);
    mem_free(w->best.entries);
    mem_free(w->row);
    mem_free(w->likeness);
    mem_free(w->listed);
    mem_free(w->because);
    mem_free(w->nearness);
    mem_free(w->history);
}

/* Without a history there is nothing to be personal about. */
static void score_by_popularity(const struct dataset *d, float *row) {
    for (size_t i = 1; i <= d->n_items; i++)
        row[i] = (float)d->popularity[i];
    row[0] = -INFINITY;
}

/* For each recommendation the item of the history that the run holds most alike; the smaller id among
 * equals. */
static genair_code explain(struct work *w, size_t n_history, genair_status *st) {
    for (size_t i = 0; i < w->best.n; i++) {
        w->because[i] = 0;
        w->listed[i] = w->best.entries[i].id;
    }
    if (!likeness_measure(w->run)) return GENAIR_OK;
    for (size_t h = 0; h < n_history; h++) {
        const genair_code code =
            likeness_of(w->run, w->history[h], w->listed, w->best.n, w->row, w->likeness, st);
        if (code != GENAIR_OK) return code;
        for (size_t i = 0; i < w->best.n; i++) {
            if (w->because[i] && !(w->likeness[i] > w->nearness[i])) continue;
            w->because[i] = w->history[h];
            w->nearness[i] = w->likeness[i];
        }
    }
    return GENAIR_OK;
}

static genair_code add_archetype(const struct work *w, uint32_t item, json_t *out,
                                 genair_status *st) {
    struct archetype row;
    bool found;
    const genair_code code =
        archetypes_get(w->archetypes, dataset_item_name(w->run->data, item), &row, &found, st);
    if (code != GENAIR_OK || !found || !row.done) return code;
    json_t *text = json_stringn(row.text.p, row.text.n);
    return json_object_set_new(out, "archetype", text) == 0 ? GENAIR_OK : fail_memory(st);
}

static genair_code add_archetypes(const struct work *w, json_t *items, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t i = 0; w->archetypes && i < w->best.n && code == GENAIR_OK; i++)
        code = add_archetype(w, w->best.entries[i].id, json_array_get(items, i), st);
    return code;
}

static json_t *list_json(const struct work *w) {
    json_t *items = json_array();
    for (size_t i = 0; i < w->best.n; i++) {
        json_t *o = json_object();
        bool done =
            json_array_append_new(items, o) == 0 &&
            catalogue_describe(w->catalogue, w->best.entries[i].id, "item", "name", o) &&
            json_object_set_new(o, "score", json_real((double)w->best.entries[i].score)) == 0;
        if (done && w->explain && w->because[i])
            done = catalogue_describe(w->catalogue, w->because[i], "because", "because_name", o) &&
                   json_object_set_new(o, "likeness", json_real((double)w->nearness[i])) == 0;
        if (done) continue;
        json_decref(items);
        return NULL;
    }
    return items;
}

/* Adds "items" to out, and "fallback" when there is no history to go by. */
static genair_code recommend_for(struct work *w, const uint32_t *history, size_t n, json_t *out,
                                 genair_status *st) {
    const struct dataset *d = w->run->data;
    if (!mem_grow(&w->history, &w->history_capacity, n, sizeof *w->history)) return fail_memory(st);
    genair_code code = GENAIR_OK;
    if (n > 0)
        code = score_row(&w->run->scorer, history, n, w->row, st);
    else
        score_by_popularity(d, w->row);
    if (code != GENAIR_OK) return code;
    if (n > 0) memcpy(w->history, history, n * sizeof *history);
    const size_t distinct = ids_distinct(w->history, n);
    for (size_t i = 0; i < distinct; i++)
        w->row[w->history[i]] = -INFINITY;
    w->best.n = 0;
    topk_push_row(&w->best, kernels_select(NULL), w->row, (size_t)d->n_items + 1, 0);
    topk_sort(&w->best);
    if (w->explain) code = explain(w, distinct, st);
    if (code != GENAIR_OK) return code;
    if (n == 0 &&
        json_object_set_new(out, "fallback", json_string("popular items: no history")) != 0)
        return fail_memory(st);
    json_t *items = list_json(w);
    if (json_object_set_new(out, "items", items) != 0) return fail_memory(st);
    return add_archetypes(w, items, st);
}

static genair_code for_users(genair_context *ctx, struct work *w, size_t n,
                             const char *const *names, json_t *out, genair_status *st) {
    const struct dataset *d = w->run->data;
    json_t *users = json_array();
    if (json_object_set_new(out, "users", users) != 0) return fail_memory(st);
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        if (context_stopped(ctx)) return context_interrupted(st);
        genair_code code = catalogue_user(w->catalogue, names[i], &u, st);
        if (code != GENAIR_OK) return code;
        const size_t length = d->start[u + 1] - d->start[u];
        json_t *one =
            json_pack("{s:s, s:I}", "user", names[i], "history_length", (json_int_t)length);
        if (json_array_append_new(users, one) != 0) return fail_memory(st);
        code = recommend_for(w, d->item + d->start[u], length, one, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

static genair_code for_history(struct work *w, size_t n, const char *const *names, json_t *out,
                               genair_status *st) {
    uint32_t *history = mem_array(n, sizeof *history);
    genair_code code = history ? GENAIR_OK : fail_memory(st);
    for (size_t i = 0; i < n && code == GENAIR_OK; i++)
        code = catalogue_item(w->catalogue, names[i], &history[i], st);
    if (code == GENAIR_OK) code = recommend_for(w, history, n, out, st);
    mem_free(history);
    return code;
}

static genair_code with_run(genair_context *ctx, const genair_options *o, const struct catalogue *c,
                            const struct run *r, json_t *out, genair_status *st) {
    const char *const *users, *const *items;
    const size_t n_users = option_list(o, "user", &users),
                 n_items = option_list(o, "history", &items);
    struct work w = {.catalogue = c, .run = r, .explain = option_flag(o, "explain")};
    genair_code code = create(&w, (size_t)option_int(o, "k"), st);
    if (code == GENAIR_OK && w.explain)
        code = archetypes_open_read(option_text(o, "workspace"), &w.archetypes, st);
    if (code == GENAIR_OK && json_object_set_new(out, "run", json_string(r->name)) != 0)
        code = fail_memory(st);
    if (code == GENAIR_OK)
        code = n_users ? for_users(ctx, &w, n_users, users, out, st)
                       : for_history(&w, n_items, items, out, st);
    destroy(&w);
    return code;
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
    const char *workspace = option_text(o, "workspace");
    struct catalogue c;
    genair_code code = catalogue_open(workspace, &c, st);
    if (code != GENAIR_OK) return code;
    struct run *r;
    code = run_open(ctx, workspace, option_text(o, "run"), c.data, &r, st);
    if (code == GENAIR_OK) {
        code = with_run(ctx, o, &c, r, out, st);
        run_close(r);
    }
    catalogue_close(&c);
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
