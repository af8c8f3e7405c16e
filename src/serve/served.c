/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/served.h"

#include "base/alloc.h"
#include "base/map.h"
#include "recommend/recommender.h"
#include "serve/facets.h"
#include "serve/item_map.h"
#include "serve/search.h"

#include <pthread.h>
#include <stdatomic.h>

struct served {
    genair_context *ctx;
    struct recommender *recommender;
    const char *workspace;
    atomic_size_t holders;
    /* What is made at need, a lock each: one takes long on a large catalogue, and others need not wait for it. */
    pthread_mutex_t search_lock, map_lock, facets_lock;
    struct search *search;
    json_t *map;
    struct map *attributes; /* that items have; NULL: not asked for yet */
    struct facets **facets; /* [map_count(attributes)] NULL: not asked for yet */
};

static void close_served(struct served *v) {
    search_free(v->search);
    json_decref(v->map);
    for (uint32_t i = 0; v->facets && i < map_count(v->attributes); i++) facets_free(v->facets[i]);
    mem_free(v->facets);
    map_free(v->attributes);
    pthread_mutex_destroy(&v->search_lock);
    pthread_mutex_destroy(&v->map_lock);
    pthread_mutex_destroy(&v->facets_lock);
    recommender_close(v->recommender);
    genair_context_free(v->ctx);
    mem_free(v);
}

/* Old and new run may encode at the same time, so each has a context; of one thread, for requests have threads. */
genair_code served_open(const char *workspace, const char *run, const struct index_setting *index, struct served **out,
                        genair_status *st) {
    struct served *v = mem_zeros(1, sizeof *v);
    if (!v) return fail_memory(st);
    pthread_mutex_init(&v->search_lock, NULL);
    pthread_mutex_init(&v->map_lock, NULL);
    pthread_mutex_init(&v->facets_lock, NULL);
    v->workspace = workspace;
    atomic_init(&v->holders, 1);
    genair_code code = genair_context_create(1, NULL, NULL, &v->ctx, st);
    if (code == GENAIR_OK) code = recommender_open(v->ctx, workspace, run, true, &v->recommender, st);
    if (code == GENAIR_OK) code = recommender_index(v->recommender, index, v->ctx, st);
    if (code == GENAIR_OK)
        *out = v;
    else
        close_served(v);
    return code;
}

struct served *served_hold(struct served *v) {
    atomic_fetch_add(&v->holders, 1);
    return v;
}

void served_drop(struct served *v) {
    if (atomic_fetch_sub(&v->holders, 1) == 1) close_served(v);
}

struct recommender *served_recommender(const struct served *v) {
    return v->recommender;
}

const struct catalogue *served_catalogue(const struct served *v) {
    return recommender_catalogue(v->recommender);
}

genair_code served_search(struct served *v, const struct search **out, genair_status *st) {
    pthread_mutex_lock(&v->search_lock);
    const genair_code code = v->search ? GENAIR_OK : search_create(served_catalogue(v), &v->search, st);
    *out = v->search;
    pthread_mutex_unlock(&v->search_lock);
    return code;
}

static genair_code know_attributes(struct served *v, genair_status *st) {
    if (v->facets) return GENAIR_OK;
    const genair_code code = v->attributes ? GENAIR_OK : facets_attributes(served_catalogue(v), &v->attributes, st);
    if (code != GENAIR_OK) return code;
    v->facets = mem_zeros((size_t)map_count(v->attributes) + 1, sizeof *v->facets);
    return v->facets ? GENAIR_OK : fail_memory(st);
}

static genair_code find_facets(struct served *v, struct text attribute, const struct facets **out, genair_status *st) {
    uint32_t number;
    genair_code code = know_attributes(v, st);
    if (code != GENAIR_OK) return code;
    if (!map_find(v->attributes, attribute, &number)) {
        char name[TEXT_EXCERPT];
        text_excerpt(attribute, name);
        return fail(st, GENAIR_USAGE, "no item has an attribute '%s'", name);
    }
    if (!v->facets[number]) code = facets_create(served_catalogue(v), attribute, &v->facets[number], st);
    *out = v->facets[number];
    return code;
}

genair_code served_facets(struct served *v, struct text attribute, const struct facets **out, genair_status *st) {
    pthread_mutex_lock(&v->facets_lock);
    const genair_code code = find_facets(v, attribute, out, st);
    pthread_mutex_unlock(&v->facets_lock);
    return code;
}

genair_code served_map(struct served *v, json_t **out, genair_status *st) {
    pthread_mutex_lock(&v->map_lock);
    const genair_code code = v->map ? GENAIR_OK : item_map_make(v->workspace, v->recommender, &v->map, st);
    *out = v->map;
    pthread_mutex_unlock(&v->map_lock);
    return code;
}
