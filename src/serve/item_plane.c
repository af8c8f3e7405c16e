/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/item_plane.h"

#include "algebra/pca.h"
#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/size.h"
#include "ranking/topk.h"

#include <math.h>

enum { MAX_MAP_BYTES = 256 << 20 };

static genair_code make_room(struct item_plane *p, size_t n, genair_status *st) {
    p->item = mem_array(n, sizeof *p->item);
    p->x = mem_zeros(n, sizeof *p->x);
    p->y = mem_zeros(n, sizeof *p->y);
    return p->item && p->x && p->y ? GENAIR_OK : fail_memory(st);
}

void item_plane_free(struct item_plane *p) {
    mem_free(p->item);
    mem_free(p->x);
    mem_free(p->y);
    *p = (struct item_plane){0};
}

/* ---- analysis/tsne.json ---- */

static const json_t *coordinates_of(const json_t *maps, const char *part) {
    for (size_t i = 0; i < json_array_size(maps); i++) {
        const json_t *found = json_object_get(json_object_get(json_array_get(maps, i), "coordinates"), part);
        if (json_is_array(found)) return found;
    }
    return NULL;
}

static void take_places(const json_t *shown, const json_t *coordinates, const struct dataset *d, struct item_plane *p) {
    for (size_t i = 0; i < json_array_size(shown) && p->n < PLANE_ITEMS; i++) {
        const json_t *name = json_array_get(shown, i), *pair = json_array_get(coordinates, i),
                     *x = json_array_get(pair, 0), *y = json_array_get(pair, 1);
        const struct text t = {json_string_value(name), json_string_length(name)};
        if (!t.p || !json_is_number(x) || !json_is_number(y) || !dataset_item_named(d, t, &p->item[p->n])) continue;
        p->x[p->n] = json_number_value(x);
        p->y[p->n++] = json_number_value(y);
    }
}

/* Where it cannot be read there is none: it is made anew by another command. */
static genair_code read_analysis(const char *workspace, const struct dataset *d, struct item_plane *p,
                                 genair_status *st) {
    char *path = path_join(workspace, "analysis/tsne.json");
    json_t *all = NULL;
    genair_code code = path ? json_file_try(path, MAX_MAP_BYTES, &all, st) : fail_memory(st);
    mem_free(path);
    if (!all) return code;
    const json_t *maps = json_object_get(all, "maps"), *shown = json_object_get(all, "shown"),
                 *answers = coordinates_of(maps, "decoding"), *places = answers ? answers : coordinates_of(maps, "prefill");
    if (places) {
        code = make_room(p, min_size(json_array_size(shown), PLANE_ITEMS), st);
        if (code == GENAIR_OK) take_places(shown, places, d, p);
        p->of = answers ? "t-SNE of what the language model answered: near items are for similar people."
                        : "t-SNE of the items' vectors: near items are alike.";
    }
    json_decref(all);
    return code;
}

/* ---- the run's own vectors ---- */

struct vectors {
    const struct scorer *scorer;
    const uint32_t *item;
};

static void read_vector(const void *source, size_t r, double *out) {
    const struct vectors *v = source;
    const float *row = v->scorer->item_vectors + v->item[r] * v->scorer->width;
    for (size_t c = 0; c < v->scorer->width; c++) out[c] = (double)row[c];
}

static genair_code choose_popular(const struct catalogue *c, size_t n, struct item_plane *p, genair_status *st) {
    struct topk best = {.k = n, .entries = mem_array(n, sizeof *best.entries)};
    if (!best.entries) return fail_memory(st);
    for (uint32_t i = 1; i <= catalogue_items(c); i++) topk_push(&best, (float)catalogue_popularity(c, i), i);
    topk_sort(&best);
    for (size_t i = 0; i < best.n; i++) p->item[p->n++] = best.entries[i].id;
    mem_free(best.entries);
    return GENAIR_OK;
}

static genair_code project(genair_context *ctx, const struct scorer *s, struct item_plane *p, genair_status *st) {
    const struct vectors v = {s, p->item};
    const struct rows x = {.n = p->n, .width = s->width, .read = read_vector, .source = &v};
    struct pca pca = {0};
    float *plane = mem_zeros(p->n, 2 * sizeof *plane);
    genair_code code = plane ? pca_fit(ctx, &x, (struct pca_choice){.components = 2}, &pca, st) : fail_memory(st);
    if (code == GENAIR_OK) code = pca_project(ctx, &pca, &x, 0, p->n, false, plane, 2, st);
    for (size_t i = 0; code == GENAIR_OK && i < p->n; i++) {
        p->x[i] = (double)plane[2 * i];
        p->y[i] = (double)plane[2 * i + 1];
        if (!isfinite(p->x[i]) || !isfinite(p->y[i]))
            code = fail(st, GENAIR_FORMAT, "the run's item vectors are not finite: train it again");
    }
    mem_free(plane);
    pca_free(&pca);
    return code;
}

static genair_code make_of_run(const struct recommender *r, struct item_plane *p, genair_status *st) {
    const size_t n = min_size(catalogue_items(recommender_catalogue(r)), PLANE_ITEMS);
    genair_context *ctx = NULL;
    genair_code code = make_room(p, n, st);
    if (code == GENAIR_OK) code = choose_popular(recommender_catalogue(r), n, p, st);
    if (code == GENAIR_OK) code = genair_context_create(1, NULL, NULL, &ctx, st);
    if (code == GENAIR_OK) code = project(ctx, &recommender_run(r)->scorer, p, st);
    p->of = "The two leading principal components of the run's item vectors ('genair analyze' makes a better map).";
    genair_context_free(ctx);
    return code;
}

genair_code item_plane_make(const char *workspace, const struct recommender *r, struct item_plane *out,
                            genair_status *st) {
    const struct run *run = recommender_run(r);
    *out = (struct item_plane){.of = ""};
    const genair_code code = read_analysis(workspace, run->data, out, st);
    if (code != GENAIR_OK || out->n > 0 || !run->scorer.item_vectors) return code;
    item_plane_free(out);
    return make_of_run(r, out, st);
}
