/* SPDX-License-Identifier: Apache-2.0 */
/* A model encodes one history at a time and the archetypes have one reader, so each stands behind a lock; scoring
 * the catalogue, which is most of the work, does not. */
#include "recommend/recommender.h"

#include "base/alloc.h"
#include "base/size.h"
#include "ranking/rank.h"
#include "ranking/score_row.h"
#include "ranking/screen.h"
#include "recommend/likeness.h"
#include "workspace/archetypes.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct recommender {
    struct catalogue catalogue;
    struct run *run;
    struct archetypes *archetypes; /* NULL: none in the workspace */
    struct screen *screen;         /* NULL: every item is scored */
    char left_out[1200];           /* why added items are not there */
    pthread_mutex_t encoding, reading;
};

static genair_code open_run(genair_context *ctx, const char *workspace, const char *name, struct recommender *r,
                            genair_status *st) {
    genair_status why = {0};
    const uint32_t n_added = catalogue_added(&r->catalogue);
    if (n_added == 0) return run_open(ctx, workspace, name, r->catalogue.data, &r->run, st);
    const genair_code code = run_open_with_added(ctx, workspace, name, &r->catalogue, &r->run, &why);
    if (code != GENAIR_USAGE) {
        if (code != GENAIR_OK && st) *st = why;
        return code;
    }
    catalogue_leave_out_added(&r->catalogue);
    snprintf(r->left_out, sizeof r->left_out, "%u added items are left out: %s", n_added, why.message);
    context_warn(ctx, "%s", r->left_out);
    return run_open(ctx, workspace, name, r->catalogue.data, &r->run, st);
}

genair_code recommender_open(genair_context *ctx, const char *workspace, const char *run, bool archetypes,
                             struct recommender **out, genair_status *st) {
    struct recommender *r = mem_zeros(1, sizeof *r);
    if (!r) return fail_memory(st);
    pthread_mutex_init(&r->encoding, NULL);
    pthread_mutex_init(&r->reading, NULL);
    genair_code code = catalogue_open(workspace, &r->catalogue, st);
    if (code == GENAIR_OK) code = catalogue_add(&r->catalogue, workspace, st);
    if (code == GENAIR_OK) code = open_run(ctx, workspace, run, r, st);
    if (code == GENAIR_OK && archetypes) code = archetypes_open_read(workspace, ARCHETYPES_FILE, &r->archetypes, st);
    if (code == GENAIR_OK)
        *out = r;
    else
        recommender_close(r);
    return code;
}

genair_code recommender_screen(struct recommender *r, genair_status *st) {
    return r->screen ? GENAIR_OK : screen_create(&r->run->scorer, &r->screen, st);
}

void recommender_close(struct recommender *r) {
    if (!r) return;
    screen_free(r->screen);
    archetypes_close(r->archetypes);
    run_close(r->run);
    catalogue_close(&r->catalogue);
    pthread_mutex_destroy(&r->encoding);
    pthread_mutex_destroy(&r->reading);
    mem_free(r);
}

const char *recommender_left_out(const struct recommender *r) {
    return r->left_out;
}

const struct catalogue *recommender_catalogue(const struct recommender *r) {
    return &r->catalogue;
}

const struct run *recommender_run(const struct recommender *r) {
    return r->run;
}

/* ---- one answer ---- */

struct work {
    struct recommender *r;
    float *row;        /* [n_items + 1]; NULL until items are scored */
    uint32_t *listed;  /* [k] the recommended ids */
    float *likeness;   /* [k] */
    uint32_t *because; /* [k] history item nearest to each recommendation, 0 for none */
    float *nearness;   /* [k] */
    uint32_t *basis; /* [n_basis] what it goes by, the history or what was viewed: distinct, ascending */
    size_t n_basis;
    struct topk best;
};

static genair_code create(struct work *w, const struct wish *wish, genair_status *st) {
    const size_t k = min_size(wish->k, w->r->run->scorer.n_items);
    w->best.k = k;
    w->best.entries = mem_array(k, sizeof *w->best.entries);
    w->likeness = mem_array(k, sizeof *w->likeness);
    w->listed = mem_array(k, sizeof *w->listed);
    w->because = mem_zeros(k, sizeof *w->because);
    w->nearness = mem_array(k, sizeof *w->nearness);
    const uint32_t *basis = wish->n_history ? wish->history : wish->viewed;
    const size_t n_basis = wish->n_history ? wish->n_history : wish->n_viewed;
    w->basis = mem_array(n_basis, sizeof *w->basis);
    if (!w->best.entries || !w->likeness || !w->listed || !w->because || !w->nearness ||
        !w->basis)
        return fail_memory(st);
    if (n_basis) memcpy(w->basis, basis, n_basis * sizeof *w->basis);
    w->n_basis = ids_distinct(w->basis, n_basis);
    return GENAIR_OK;
}

static void destroy(struct work *w) {
    mem_free(w->best.entries);
    mem_free(w->row);
    mem_free(w->likeness);
    mem_free(w->listed);
    mem_free(w->because);
    mem_free(w->nearness);
    mem_free(w->basis);
}

/* Without a history there is nothing to be personal about. */
static void score_by_popularity(const struct catalogue *c, float *row) {
    for (uint32_t i = 1; i <= catalogue_items(c); i++)
        row[i] = (float)catalogue_popularity(c, i);
    row[0] = -INFINITY;
}

genair_code recommender_encode(struct recommender *r, const struct wish *wish, float *out, genair_status *st) {
    const struct scorer *s = &r->run->scorer;
    const uint64_t offsets[] = {0, wish->n_history};
    const struct histories one = {.n = 1, .offsets = offsets, .items = wish->history, .known = wish->known};
    pthread_mutex_lock(&r->encoding);
    const genair_code code = s->encode(s->model, &one, out, st);
    pthread_mutex_unlock(&r->encoding);
    return code;
}

static genair_code score(struct recommender *r, const struct wish *wish, float *row, genair_status *st) {
    const struct scorer *s = &r->run->scorer;
    if (!s->encode) return score_row(s, wish->history, wish->n_history, row, st);
    float *user = mem_array(s->width, sizeof *user);
    if (!user) return fail_memory(st);
    genair_code code = recommender_encode(r, wish, user, st);
    if (code == GENAIR_OK) code = score_row_of(s, user, row, st);
    mem_free(user);
    return code;
}

/* The sum of the likenesses to what was viewed. */
static genair_code score_by_likeness(struct work *w, genair_status *st) {
    const struct run *run = w->r->run;
    const size_t columns = (size_t)run->scorer.n_items + 1;
    float *one = mem_array(columns, sizeof *one);
    genair_code code = one ? GENAIR_OK : fail_memory(st);
    for (size_t i = 0; code == GENAIR_OK && i < columns; i++) w->row[i] = i ? 0 : -INFINITY;
    for (size_t h = 0; code == GENAIR_OK && h < w->n_basis; h++) {
        code = likeness_row(run, w->basis[h], one, st);
        for (size_t i = 1; code == GENAIR_OK && i < columns; i++) w->row[i] += one[i];
    }
    mem_free(one);
    return code;
}

/* Leaves out what was not asked for. */
static genair_code filter(struct work *w, const struct wish *wish, genair_status *st) {
    for (size_t i = 0; !wish->repeat && i < w->n_basis; i++)
        w->row[w->basis[i]] = -INFINITY;
    for (size_t i = 0; i < wish->n_deny; i++)
        w->row[wish->deny[i]] = -INFINITY;
    if (!wish->only_allowed) return GENAIR_OK;
    const size_t columns = (size_t)w->r->run->scorer.n_items + 1;
    float *all = w->row;
    w->row = mem_array(columns, sizeof *w->row);
    for (size_t i = 0; w->row && i < columns; i++)
        w->row[i] = -INFINITY;
    for (size_t i = 0; w->row && i < wish->n_allow; i++)
        w->row[wish->allow[i]] = all[wish->allow[i]];
    mem_free(all);
    return w->row ? GENAIR_OK : fail_memory(st);
}

/* For each recommendation the item of the history that the run holds most alike; the smaller id among
 * equals. */
static genair_code explain(struct work *w, genair_status *st) {
    const struct run *run = w->r->run;
    for (size_t i = 0; i < w->best.n; i++)
        w->listed[i] = w->best.entries[i].id;
    if (!likeness_measure(run)) return GENAIR_OK;
    for (size_t h = 0; h < w->n_basis; h++) {
        const genair_code code =
            likeness_of(run, w->basis[h], w->listed, w->best.n, w->row, w->likeness, st);
        if (code != GENAIR_OK) return code;
        for (size_t i = 0; i < w->best.n; i++) {
            if (w->because[i] && !(w->likeness[i] > w->nearness[i])) continue;
            w->because[i] = w->basis[h];
            w->nearness[i] = w->likeness[i];
        }
    }
    return GENAIR_OK;
}

static genair_code add_archetype(const struct recommender *r, uint32_t item, json_t *out,
                                 genair_status *st) {
    struct archetype row;
    bool found;
    const uint32_t n_items = r->run->data->n_items;
    if (item > n_items) {
        const struct text t = catalogue_added_item(&r->catalogue, item - n_items - 1)->archetype;
        return t.n == 0 || json_object_set_new(out, "archetype", json_stringn(t.p, t.n)) == 0 ? GENAIR_OK : fail_memory(st);
    }
    if (!r->archetypes) return GENAIR_OK;
    const genair_code code =
        archetypes_get(r->archetypes, dataset_item_name(r->run->data, item), &row, &found, st);
    if (code != GENAIR_OK || !found || !row.done) return code;
    json_t *text = json_stringn(row.text.p, row.text.n);
    return json_object_set_new(out, "archetype", text) == 0 ? GENAIR_OK : fail_memory(st);
}

genair_code recommender_archetype(struct recommender *r, uint32_t item, json_t *out, genair_status *st) {
    pthread_mutex_lock(&r->reading);
    const genair_code code = add_archetype(r, item, out, st);
    pthread_mutex_unlock(&r->reading);
    return code;
}

static genair_code add_archetypes(const struct work *w, json_t *items, genair_status *st) {
    genair_code code = GENAIR_OK;
    pthread_mutex_lock(&w->r->reading);
    for (size_t i = 0; i < w->best.n && code == GENAIR_OK; i++)
        code = add_archetype(w->r, w->best.entries[i].id, json_array_get(items, i), st);
    pthread_mutex_unlock(&w->r->reading);
    return code;
}

/* NULL when memory is out. */
static json_t *list_json(const struct work *w) {
    const struct catalogue *c = &w->r->catalogue;
    json_t *items = json_array();
    for (size_t i = 0; i < w->best.n; i++) {
        json_t *o = json_object();
        bool done = json_array_append_new(items, o) == 0 &&
                    catalogue_describe(c, w->best.entries[i].id, "item", "name", o) &&
                    json_object_set_new(o, "score", json_real((double)w->best.entries[i].score)) == 0;
        if (done && w->because[i])
            done = catalogue_describe(c, w->because[i], "because", "because_name", o) &&
                   json_object_set_new(o, "likeness", json_real((double)w->nearness[i])) == 0;
        if (done) continue;
        json_decref(items);
        return NULL;
    }
    return items;
}

static genair_code row_create(struct work *w, genair_status *st) {
    w->row = mem_array((size_t)w->r->run->scorer.n_items + 1, sizeof *w->row);
    return w->row ? GENAIR_OK : fail_memory(st);
}

static void pick(struct work *w) {
    topk_push_row(&w->best, kernels_select(NULL), w->row, (size_t)w->r->run->scorer.n_items + 1, 0);
    topk_sort(&w->best);
}

static bool goes_by_viewed(const struct work *w, const struct wish *wish) {
    return wish->n_history == 0 && wish->n_viewed > 0 && likeness_measure(w->r->run);
}

static genair_code best_of_all(struct work *w, const struct wish *wish, genair_status *st) {
    genair_code code = row_create(w, st);
    if (code != GENAIR_OK) return code;
    if (wish->n_history > 0)
        code = score(w->r, wish, w->row, st);
    else if (goes_by_viewed(w, wish))
        code = score_by_likeness(w, st);
    else
        score_by_popularity(&w->r->catalogue, w->row);
    if (code == GENAIR_OK) code = filter(w, wish, st);
    if (code == GENAIR_OK) pick(w);
    return code;
}

static genair_code best_by_screen(struct work *w, const struct wish *wish, genair_status *st) {
    const size_t n_known = wish->repeat ? 0 : w->n_basis, n = n_known + wish->n_deny;
    uint32_t *excluded = mem_array(n, sizeof *excluded);
    float *user = mem_array(w->r->run->scorer.width, sizeof *user);
    genair_code code = excluded && user ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) {
        if (n_known) memcpy(excluded, w->basis, n_known * sizeof *excluded);
        if (wish->n_deny) memcpy(excluded + n_known, wish->deny, wish->n_deny * sizeof *excluded);
        code = recommender_encode(w->r, wish, user, st);
    }
    if (code == GENAIR_OK)
        code = screen_best(w->r->screen, user, excluded, ids_distinct(excluded, n), &w->best, NULL, st);
    mem_free(user);
    mem_free(excluded);
    return code;
}

static genair_code answer(struct work *w, const struct wish *wish, json_t *out, genair_status *st) {
    genair_code code = create(w, wish, st);
    if (code != GENAIR_OK) return code;
    code = w->r->screen && wish->n_history > 0 && !wish->only_allowed ? best_by_screen(w, wish, st)
                                                                      : best_of_all(w, wish, st);
    if (code == GENAIR_OK && wish->explain) code = explain(w, st);
    if (code != GENAIR_OK) return code;
    if (wish->n_history == 0 &&
        json_object_set_new(out, "fallback", json_string(goes_by_viewed(w, wish) ? "items like those viewed: no history"
                                                                                 : "popular items: no history")) != 0)
        return fail_memory(st);
    json_t *items = list_json(w);
    if (json_object_set_new(out, "items", items) != 0) return fail_memory(st);
    return wish->explain ? add_archetypes(w, items, st) : GENAIR_OK;
}

genair_code recommender_answer(struct recommender *r, const struct wish *wish, json_t *out,
                               genair_status *st) {
    struct work w = {.r = r};
    const genair_code code = answer(&w, wish, out, st);
    destroy(&w);
    return code;
}

genair_code recommender_similar(struct recommender *r, uint32_t item, size_t k, json_t *out,
                                genair_status *st) {
    const char *measure = likeness_measure(r->run);
    if (!measure)
        return fail(
            st, GENAIR_USAGE,
            "run '%s' is of method pop, to which no two items are alike; use a run of another "
            "method",
            r->run->name);
    struct work w = {.r = r};
    genair_code code = create(&w, &(struct wish){.k = k}, st);
    if (code == GENAIR_OK) code = row_create(&w, st);
    if (code == GENAIR_OK) code = likeness_row(r->run, item, w.row, st);
    if (code == GENAIR_OK) {
        w.row[item] = -INFINITY;
        pick(&w);
        if (json_object_set_new(out, "run", json_string(r->run->name)) != 0 ||
            json_object_set_new(out, "measure", json_string(measure)) != 0 ||
            !catalogue_describe(&r->catalogue, item, "of", "of_name", out) ||
            json_object_set_new(out, "items", list_json(&w)) != 0)
            code = fail_memory(st);
    }
    destroy(&w);
    return code;
}
