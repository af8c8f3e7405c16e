/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/item_map.h"

#include "analyze/tsne.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"
#include "workspace/item_vectors.h"

#include <string.h>

struct map {
    enum item_part parts[N_PARTS];
    size_t n_parts, n_items;
    struct tsne tsne; /* all items of the first part, then those of the second */
};

struct item_map {
    struct analysis *a;
    struct npy *matrix[N_PARTS]; /* NULL: there is none of this part */
    uint32_t *shown;             /* [n_shown] rows of the matrices, ascending */
    size_t n_items, n_shown;
    struct map maps[N_PARTS];
    size_t n_maps;
};

/* ---- what is shown ---- */

static genair_code open_parts(struct item_map *m, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < N_PARTS && code == GENAIR_OK; i++) {
        if (!item_vectors_have(m->a->workspace, (enum item_part)i)) continue;
        code = item_vectors_open(m->a->workspace, (enum item_part)i, &m->matrix[i], st);
        if (code == GENAIR_OK && m->matrix[i]->shape[0] != m->a->data->n_items)
            code = fail_line(st, GENAIR_FORMAT, m->matrix[i]->path, 0, "%zu rows for %u items; run 'genair %s' again",
                             m->matrix[i]->shape[0], m->a->data->n_items,
                             workspace_stage_maker(m->a->workspace, "embed"));
    }
    return code;
}

static void plan_maps(struct item_map *m) {
    const struct npy *a = m->matrix[PREFILL], *b = m->matrix[DECODING];
    if (a && b && a->shape[1] == b->shape[1]) {
        m->maps[m->n_maps++] = (struct map){.parts = {PREFILL, DECODING}, .n_parts = 2};
        return;
    }
    for (size_t i = 0; i < N_PARTS; i++)
        if (m->matrix[i]) m->maps[m->n_maps++] = (struct map){.parts = {(enum item_part)i}, .n_parts = 1};
}

/* Each row is taken with the probability that leaves the rest a fair choice (Knuth, volume 2, algorithm S). */
static genair_code choose_items(struct item_map *m, genair_status *st) {
    const size_t n_parts = (m->matrix[PREFILL] != NULL) + (size_t)(m->matrix[DECODING] != NULL);
    const size_t points = (size_t)option_int(m->a->options, "points");
    const size_t wanted = min_size(m->n_items, max_size(points / n_parts, 1));
    m->shown = mem_array(wanted, sizeof *m->shown);
    if (!m->shown) return fail_memory(st);
    struct rng r = rng_start((uint64_t)option_int(m->a->options, "seed"), RNG_ANALYZE, 1);
    for (size_t i = 0; i < m->n_items && m->n_shown < wanted; i++)
        if (rng_below(&r, m->n_items - i) < wanted - m->n_shown) m->shown[m->n_shown++] = (uint32_t)i;
    if (wanted < m->n_items)
        context_info(m->a->ctx, "t-SNE of %zu of the %zu items (--points)", wanted, m->n_items);
    return GENAIR_OK;
}

/* ---- maps ---- */

static genair_code make_map(struct item_map *m, struct map *map, genair_status *st) {
    const size_t width = m->matrix[map->parts[0]]->shape[1], n = m->n_shown * map->n_parts;
    size_t cells;
    double *x = mul_size(n, width, &cells) ? mem_array(cells, sizeof *x) : NULL;
    if (!x) return fail_memory(st);
    for (size_t i = 0; i < n; i++)
        npy_row_f64(m->matrix[map->parts[i / m->n_shown]], m->shown[i % m->n_shown], x + i * width);
    struct tsne_options options = tsne_defaults(n);
    options.perplexity = option_real(m->a->options, "perplexity");
    map->n_items = m->n_shown;
    const genair_code code = tsne_make(m->a->ctx, x, n, width, options, &map->tsne, st);
    mem_free(x);
    return code;
}

static json_t *describe_map(const struct map *map) {
    const struct tsne_options options = tsne_defaults(map->tsne.n);
    return json_pack("{s:s, s:I, s:f, s:f, s:i, s:f}", "parts", map->n_parts > 1 ? "both" : part_names[map->parts[0]], "points", (json_int_t)map->tsne.n,
                     "perplexity", map->tsne.perplexity, "theta", options.theta, "iterations", options.iterations,
                     "kl_divergence", map->tsne.divergence);
}

static json_t *describe(const struct item_map *m) {
    json_t *maps = json_array();
    for (size_t i = 0; i < m->n_maps; i++)
        if (json_array_append_new(maps, describe_map(&m->maps[i])) != 0) {
            json_decref(maps);
            return NULL;
        }
    return json_pack("{s:I, s:o}", "items", (json_int_t)m->n_items, "maps", maps);
}

static bool add_coordinates(const struct map *map, json_t *out) {
    json_t *by_part = json_object();
    if (json_object_set_new(out, "coordinates", by_part) != 0) return false;
    for (size_t i = 0; i < map->n_parts; i++)
        if (json_object_set_new(by_part, part_names[map->parts[i]],
                                analysis_points_json(map->tsne.y + 2 * i * map->n_items, map->n_items)) != 0)
            return false;
    return true;
}

static genair_code put_numbers(const struct item_map *m, const json_t *result, genair_status *st) {
    json_t *all = json_deep_copy(result), *shown = json_array();
    bool done = json_object_set_new(all, "shown", shown) == 0;
    for (size_t i = 0; i < m->n_shown && done; i++) {
        const struct text name = dataset_item_name(m->a->data, m->shown[i] + 1);
        done = json_array_append_new(shown, json_stringn(name.p, name.n)) == 0;
    }
    json_t *maps = json_object_get(all, "maps");
    for (size_t i = 0; i < m->n_maps && done; i++)
        done = add_coordinates(&m->maps[i], json_array_get(maps, i));
    const genair_code code = done ? analysis_put_json(m->a, "tsne", all, st) : fail_memory(st);
    json_decref(all);
    return code;
}

/* ---- picture ---- */

static genair_code put_points(struct writer *script, const struct map *map, size_t part, genair_status *st) {
    const double *y = map->tsne.y + 2 * part * map->n_items;
    genair_code code = writer_printf(script, st, "$%s << END\n", part_names[map->parts[part]]);
    for (size_t i = 0; i < map->n_items && code == GENAIR_OK; i++)
        code = writer_printf(script, st, "%.5g %.5g\n", y[2 * i], y[2 * i + 1]);
    return code == GENAIR_OK ? writer_printf(script, st, "END\n") : code;
}

/* Distances between places mean something, the places themselves do not: no numbers on the axes. */
static genair_code draw(struct writer *script, const void *user, genair_status *st) {
    const struct item_map *m = user;
    genair_code code = writer_printf(script, st, "unset tics\nunset grid\nset border 15\nset size ratio -1\n"
                                                 "set key outside top center horizontal\n"
                                                 "set multiplot layout 1,%zu\n", m->n_maps);
    for (size_t i = 0; i < m->n_maps && code == GENAIR_OK; i++) {
        const struct map *map = &m->maps[i];
        for (size_t p = 0; p < map->n_parts && code == GENAIR_OK; p++)
            code = put_points(script, map, p, st);
        for (size_t p = 0; p < map->n_parts && code == GENAIR_OK; p++) {
            const char *name = part_names[map->parts[p]];
            code = writer_printf(script, st, "%s $%s with points ls %d title '%s'", p ? "," : "plot", name,
                                 map->parts[p] == PREFILL ? 3 : 2, name);
        }
        if (code == GENAIR_OK) code = writer_printf(script, st, "\n");
    }
    return code == GENAIR_OK ? writer_printf(script, st, "unset multiplot\n") : code;
}

/* ---- the analysis ---- */

static genair_code make(struct analysis *a, void *user, json_t **result, genair_status *st) {
    struct item_map *m = user;
    genair_code code = open_parts(m, st);
    if (code != GENAIR_OK) return code;
    m->n_items = a->data->n_items;
    plan_maps(m);
    code = choose_items(m, st);
    for (size_t i = 0; i < m->n_maps && code == GENAIR_OK; i++)
        code = make_map(m, &m->maps[i], st);
    if (code != GENAIR_OK) return code;
    *result = describe(m);
    if (!*result) return fail_memory(st);
    code = put_numbers(m, *result, st);
    if (code == GENAIR_OK)
        code = analysis_put_picture(a, "tsne", m->n_maps > 1 ? 1040 : 560, 560, draw, m, st);
    return code;
}

genair_code item_map(struct analysis *a, json_t **result, genair_status *st) {
    genair_code code = item_vectors_verify(a->workspace, st);
    if (code != GENAIR_OK) return code;
    struct item_map m = {.a = a};
    json_t *inputs = json_pack("{s:s, s:I, s:f, s:I, s:b}", "embed", workspace_stage_hash(a->workspace, "embed"),
                               "points", (json_int_t)option_int(a->options, "points"), "perplexity",
                               option_real(a->options, "perplexity"), "seed",
                               (json_int_t)option_int(a->options, "seed"), "pictures", (int)a->pictures);
    code = analysis_bring_up_to_date(a, "analyze", inputs, "the item vectors are", make, &m, result, st);
    json_decref(inputs);
    for (size_t i = 0; i < N_PARTS; i++) {
        npy_close(m.matrix[i]);
        tsne_free(&m.maps[i].tsne);
    }
    mem_free(m.shown);
    return code;
}
