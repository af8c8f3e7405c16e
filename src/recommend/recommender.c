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
#include <string.h>

struct recommender {
    struct catalogue catalogue;
    struct run *run;
    struct archetypes *archetypes; /* NULL: none in the workspace */
    struct screen *screen;         /* NULL: every item is scored */
    pthread_mutex_t encoding, reading;
};

genair_code recommender_open(genair_context *ctx, const char *workspace, const char *run, bool archetypes,
                             struct recommender **out, genair_status *st) {
    struct recommender *r = mem_zeros(1, sizeof *r);
    if (!r) return fail_memory(st);
    pthread_mutex_init(&r->encoding, NULL);
    pthread_mutex_init(&r->reading, NULL);
    genair_code code = catalogue_open(workspace, &r->catalogue, st);
    if (code == GENAIR_OK) code = run_open(ctx, workspace, run, r->catalogue.data, &r->run, st);
    if (code == GENAIR_OK && archetypes) code = archetypes_open_read(workspace, &r->archetypes, st);
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
    uint32_t *history; /* [n_history] distinct, ascending */
    size_t n_history;
    struct topk best;
};

static genair_code create(struct work *w, const struct wish *wish, genair_status *st) {
    const size_t k = min_size(wish->k, w->r->run->data->n_items);
    w->best.k = k;
    w->best.entries = mem_array(k, sizeof *w->best.entries);
    w->likeness = mem_array(k, sizeof *w->likeness);
    w->listed = mem_array(k, sizeof *w->listed);
    w->because = mem_zeros(k, sizeof *w->because);
    w->nearness = mem_array(k, sizeof *w->nearness);
    w->history = mem_array(wish->n_history, sizeof *w->history);
    if (!w->best.entries || !w->likeness || !w->listed || !w->because || !w->nearness ||
        !w->history)
        return fail_memory(st);
    if (wish->n_history) memcpy(w->history, wish->history, wish->n_history * sizeof *w->history);
    w->n_history = ids_distinct(w->history, wish->n_history);
    return GENAIR_OK;
}

static void destroy(struct work *w) {
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

/* Leaves out what was not asked for. */
static genair_code filter(struct work *w, const struct wish *wish, genair_status *st) {
    for (size_t i = 0; i < w->n_history; i++)
        w->row[w->history[i]] = -INFINITY;
    for (size_t i = 0; i < wish->n_deny; i++)
        w->row[wish->deny[i]] = -INFINITY;
    if (wish->n_allow == 0) return GENAIR_OK;
    const size_t columns = (size_t)w->r->run->data->n_items + 1;
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
    for (size_t h = 0; h < w->n_history; h++) {
        const genair_code code =
            likeness_of(run, w->history[h], w->listed, w->best.n, w->row, w->likeness, st);
        if (code != GENAIR_OK) return code;
        for (size_t i = 0; i < w->best.n; i++) {
            if (w->because[i] && !(w->likeness[i] > w->nearness[i])) continue;
            w->because[i] = w->history[h];
            w->nearness[i] = w->likeness[i];
        }
    }
    return GENAIR_OK;
}

static genair_code add_archetype(const struct recommender *r, uint32_t item, json_t *out,
                                 genair_status *st) {
    struct archetype row;
    bool found;
    const genair_code code =
        archetypes_get(r->archetypes, dataset_item_name(r->run->data, item), &row, &found, st);
    if (code != GENAIR_OK || !found || !row.done) return code;
    json_t *text = json_stringn(row.text.p, row.text.n);
    return json_object_set_new(out, "archetype", text) == 0 ? GENAIR_OK : fail_memory(st);
}

static genair_code add_archetypes(const struct work *w, json_t *items, genair_status *st) {
    if (!w->r->archetypes) return GENAIR_OK;
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
    w->row = mem_array((size_t)w->r->run->data->n_items + 1, sizeof *w->row);
    return w->row ? GENAIR_OK : fail_memory(st);
}

static void pick(struct work *w) {
    topk_push_row(&w->best, kernels_select(NULL), w->row, (size_t)w->r->run->data->n_items + 1, 0);
    topk_sort(&w->best);
}

static genair_code best_of_all(struct work *w, const struct wish *wish, genair_status *st) {
    genair_code code = row_create(w, st);
    if (code == GENAIR_OK && wish->n_history > 0) code = score(w->r, wish, w->row, st);
    if (code == GENAIR_OK && wish->n_history == 0) score_by_popularity(w->r->run->data, w->row);
    if (code == GENAIR_OK) code = filter(w, wish, st);
    if (code == GENAIR_OK) pick(w);
    return code;
}

static genair_code best_by_screen(struct work *w, const struct wish *wish, genair_status *st) {
    const size_t n = w->n_history + wish->n_deny;
    uint32_t *excluded = mem_array(n, sizeof *excluded);
    float *user = mem_array(w->r->run->scorer.width, sizeof *user);
    genair_code code = excluded && user ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) {
        memcpy(excluded, w->history, w->n_history * sizeof *excluded);
        if (wish->n_deny) memcpy(excluded + w->n_history, wish->deny, wish->n_deny * sizeof *excluded);
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
    code = w->r->screen && wish->n_history > 0 && wish->n_allow == 0 ? best_by_screen(w, wish, st)
                                                                     : best_of_all(w, wish, st);
    if (code == GENAIR_OK && wish->explain) code = explain(w, st);
    if (code != GENAIR_OK) return code;
    if (wish->n_history == 0 &&
        json_object_set_new(out, "fallback", json_string("popular items: no history")) != 0)
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
