/* SPDX-License-Identifier: Apache-2.0 */
/* A model encodes one history at a time and the archetypes have one reader, so each stands behind a lock; scoring
 * the catalogue, which is most of the work, does not. */
#include "recommend/recommender.h"

#include "base/alloc.h"
#include "base/size.h"
#include "model/new_items.h"
#include "ranking/index.h"
#include "ranking/rank.h"
#include "recommend/likeness.h"
#include "recommend/pick.h"
#include "workspace/archetypes.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct recommender {
    struct catalogue catalogue;
    struct run *run;
    struct archetypes *archetypes; /* NULL: none in the workspace */
    struct index index;            /* {0}: every item is scored */
    char left_out[1200];           /* why added items are not there */
    pthread_mutex_t encoding, reading;
};

/* Those that do not fit are left out, and told; *components also on failure, then to be freed as well. */
static genair_code sift_added(const char *workspace, const char *name, struct recommender *r,
                              struct fused_components *components, genair_status *st) {
    genair_status why = {0};
    uint32_t n = catalogue_added(&r->catalogue);
    genair_code code = new_items_components(workspace, name, components, &why);
    if (code == GENAIR_USAGE) { /* the run can have none */
        catalogue_leave_out_added(&r->catalogue);
        snprintf(r->left_out, sizeof r->left_out, "%u added items are left out: %s", n, why.message);
        return GENAIR_OK;
    }
    if (code != GENAIR_OK) return fail_like(st, &why);
    code = new_items_sift(components, &r->catalogue, &n, &why, st);
    if (code == GENAIR_OK && n)
        snprintf(r->left_out, sizeof r->left_out, "%u added items are left out, the first because %s", n, why.message);
    return code;
}

static genair_code open_run(genair_context *ctx, const char *workspace, const char *name, struct recommender *r,
                            genair_status *st) {
    struct fused_components components = {0};
    genair_code code = catalogue_added(&r->catalogue) ? sift_added(workspace, name, r, &components, st) : GENAIR_OK;
    if (code == GENAIR_OK && *r->left_out) context_warn(ctx, "%s", r->left_out);
    if (code == GENAIR_OK)
        code = catalogue_added(&r->catalogue)
                   ? run_open_with_added(ctx, workspace, name, &components, &r->catalogue, &r->run, st)
                   : run_open(ctx, workspace, name, r->catalogue.data, &r->run, st);
    pca_file_free(&components);
    return code;
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

genair_code recommender_index(struct recommender *r, const struct index_setting *setting, genair_context *ctx,
                              genair_status *st) {
    return index_create(&r->run->scorer, setting, context_parallel(ctx), &r->index, st);
}

void recommender_close(struct recommender *r) {
    if (!r) return;
    index_free(&r->index);
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
    mem_free(w->likeness);
    mem_free(w->listed);
    mem_free(w->because);
    mem_free(w->nearness);
    mem_free(w->basis);
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

/* For each recommendation the item of the history that the run holds most alike; the smaller id among
 * equals. */
static genair_code explain(struct work *w, genair_status *st) {
    const struct run *run = w->r->run;
    for (size_t i = 0; i < w->best.n; i++)
        w->listed[i] = w->best.entries[i].id;
    if (!likeness_measure(run)) return GENAIR_OK;
    float *row = mem_array((size_t)run->scorer.n_items + 1, sizeof *row);
    genair_code code = row ? GENAIR_OK : fail_memory(st);
    for (size_t h = 0; code == GENAIR_OK && h < w->n_basis; h++) {
        code = likeness_of(run, w->basis[h], w->listed, w->best.n, row, w->likeness, st);
        for (size_t i = 0; code == GENAIR_OK && i < w->best.n; i++) {
            if (w->because[i] && !(w->likeness[i] > w->nearness[i])) continue;
            w->because[i] = w->basis[h];
            w->nearness[i] = w->likeness[i];
        }
    }
    mem_free(row);
    return code;
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

static struct pick pick_of(const struct work *w, const struct wish *wish) {
    const struct recommender *r = w->r;
    return (struct pick){.run = r->run, .catalogue = &r->catalogue, .screen = r->index.screen,
                         .probe = r->index.probe, .wish = wish, .basis = w->basis, .n_basis = w->n_basis};
}

static genair_code answer(struct work *w, const struct wish *wish, json_t *out, genair_status *st) {
    const struct scorer *s = &w->r->run->scorer;
    genair_code code = create(w, wish, st);
    if (code != GENAIR_OK) return code;
    struct pick p = pick_of(w, wish);
    float *user = NULL;
    if (s->encode && wish->n_history > 0) {
        p.user = user = mem_array(s->width, sizeof *user);
        code = user ? recommender_encode(w->r, wish, user, st) : fail_memory(st);
    }
    if (code == GENAIR_OK) code = pick_best(&p, &w->best, st);
    mem_free(user);
    if (code == GENAIR_OK && wish->explain) code = explain(w, st);
    if (code != GENAIR_OK) return code;
    if (wish->n_history == 0 &&
        json_object_set_new(out, "fallback", json_string(pick_goes_by_viewed(&p) ? "items like those viewed: no history"
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
    const struct wish wish = {.k = k, .viewed = &item, .n_viewed = 1};
    struct work w = {.r = r};
    genair_code code = create(&w, &wish, st);
    const struct pick p = pick_of(&w, &wish);
    if (code == GENAIR_OK) code = pick_best(&p, &w.best, st);
    if (code == GENAIR_OK &&
        (json_object_set_new(out, "run", json_string(r->run->name)) != 0 ||
         json_object_set_new(out, "measure", json_string(measure)) != 0 ||
         !catalogue_describe(&r->catalogue, item, "of", "of_name", out) ||
         json_object_set_new(out, "items", list_json(&w)) != 0))
        code = fail_memory(st);
    destroy(&w);
    return code;
}
