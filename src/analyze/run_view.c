/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/run_view.h"

#include "base/alloc.h"
#include "base/size.h"
#include "evaluate/group_tables.h"
#include "algebra/entropy.h"
#include "algebra/pca.h"
#include "model/load.h"
#include "ranking/groups.h"
#include "ranking/ranks_file.h"

#include <string.h>

enum { GROUPS = POPULARITY_FIFTHS, HEAD = 0, TAIL = GROUPS - 1 };

struct run_view {
    struct analysis *a;
    const struct run *run;
    const json_t *trained; /* what train recorded */
    uint8_t *group;        /* [n_items] of item i + 1 */
    double *plane;         /* [n_items, 2] */
    double shares[2];      /* of the variance */
    double entropy[GROUPS];
    size_t group_items[GROUPS];
    json_t *groups; /* tables by protocol, NULL when no ranks are stored */
};

/* Some rows of the run's item vectors. */
struct item_rows {
    const struct scorer *scorer;
    const uint32_t *item; /* NULL: all items */
};

static void read_item(const void *source, size_t r, double *out) {
    const struct item_rows *rows = source;
    const float *vector = rows->scorer->item_vectors + (rows->item ? rows->item[r] : r + 1) * rows->scorer->width;
    for (size_t c = 0; c < rows->scorer->width; c++)
        out[c] = (double)vector[c];
}

/* ---- numbers ---- */

static genair_code project(struct run_view *v, genair_status *st) {
    const struct scorer *s = &v->run->scorer;
    const struct item_rows source = {s, NULL};
    const struct rows rows = {s->n_items, s->width, read_item, &source};
    struct pca p;
    float *plane = mem_zeros(s->n_items, 2 * sizeof *plane);
    v->plane = mem_array(s->n_items, 2 * sizeof *v->plane);
    if (!plane || !v->plane) {
        mem_free(plane);
        return fail_memory(st);
    }
    genair_code code = pca_fit(v->a->ctx, &rows, (struct pca_choice){.components = 2}, &p, st);
    if (code == GENAIR_OK && p.n_components)
        code = pca_project(v->a->ctx, &p, &rows, 0, rows.n, false, plane, 2, st);
    for (size_t k = 0; code == GENAIR_OK && k < p.n_components; k++)
        v->shares[k] = p.variances[k] / p.total_variance;
    for (size_t i = 0; i < 2 * rows.n; i++)
        v->plane[i] = (double)plane[i];
    pca_free(&p);
    mem_free(plane);
    return code;
}

/* items, spectrum: scratch. */
static genair_code group_entropy(struct run_view *v, size_t g, uint32_t *items, double *spectrum, genair_status *st) {
    const struct scorer *s = &v->run->scorer;
    size_t n = 0;
    for (uint32_t i = 0; i < s->n_items; i++)
        if (v->group[i] == g) items[n++] = i + 1;
    v->group_items[g] = n;
    if (n == 0) return GENAIR_OK; /* fewer than five items */
    const struct item_rows source = {s, items};
    const struct rows rows = {n, s->width, read_item, &source};
    const genair_code code = entropy_spectrum(v->a->ctx, &rows, false, spectrum, st);
    if (code == GENAIR_OK) v->entropy[g] = entropy_of_spectrum(spectrum, min_size(n, s->width), 1);
    return code;
}

static genair_code entropies(struct run_view *v, genair_status *st) {
    const struct dataset *d = v->a->data;
    v->group = mem_array(d->n_items, sizeof *v->group);
    uint32_t *items = mem_array(d->n_items, sizeof *items);
    double *spectrum = mem_array(v->run->scorer.width, sizeof *spectrum);
    genair_code code = v->group && items && spectrum
                           ? groups_equal_popularity(d->popularity + 1, d->n_items, GROUPS, v->group, st)
                           : fail_memory(st);
    for (size_t g = 0; g < GROUPS && code == GENAIR_OK; g++)
        code = group_entropy(v, g, items, spectrum, st);
    mem_free(items);
    mem_free(spectrum);
    return code;
}

static genair_code groups_of(struct run_view *v, enum protocol protocol, genair_status *st) {
    struct ranking_result r;
    bool found;
    genair_code code = ranks_file_read(v->run->directory, v->a->data, PART_TEST, protocol, &r, &found, st);
    if (code != GENAIR_OK || !found) return code;
    json_t *tables = NULL;
    code = group_tables(v->a->options, v->a->data, &r, &tables, st);
    ranking_result_free(&r);
    if (code != GENAIR_OK) return code;
    if (!v->groups) v->groups = json_object();
    return json_object_set_new(v->groups, protocol_name(protocol), tables) == 0 ? GENAIR_OK : fail_memory(st);
}

/* ---- JSON ---- */

static json_t *describe_entropy(const struct run_view *v) {
    json_t *rows = json_object();
    for (size_t g = 0; g < GROUPS; g++)
        if (v->group_items[g] &&
            json_object_set_new(rows, popularity_fifths[g],
                                json_pack("{s:I, s:f}", "items", (json_int_t)v->group_items[g], "entropy",
                                          v->entropy[g])) != 0) {
            json_decref(rows);
            return NULL;
        }
    return rows;
}

static genair_code describe(const struct run_view *v, json_t **result, genair_status *st) {
    static const char *const of_training[] = {"method", "backbone", "trainable_parameters", "inference_gflops"};
    json_t *o = json_object();
    bool done = json_object_set_new(o, "run", json_string(v->run->name)) == 0;
    for (size_t i = 0; i < COUNT(of_training) && done; i++) {
        json_t *value = json_object_get(v->trained, of_training[i]);
        if (value) done = json_object_set(o, of_training[i], value) == 0;
    }
    done = done && json_object_set_new(o, "width", json_integer((json_int_t)v->run->scorer.width)) == 0 &&
           json_object_set_new(o, "explained_variance", json_pack("[f, f]", v->shares[0], v->shares[1])) == 0 &&
           json_object_set_new(o, "entropy", describe_entropy(v)) == 0;
    if (done)
        *result = o;
    else
        json_decref(o);
    return done ? GENAIR_OK : fail_memory(st);
}

/* Adds {"items": ids, "plane": [[x, y], …]} of a group to out. */
static bool add_group(const struct run_view *v, size_t g, const char *name, json_t *out) {
    json_t *ids = json_array(), *points = json_array();
    bool done = json_object_set_new(out, name, json_pack("{s:o, s:o}", "items", ids, "plane", points)) == 0;
    for (uint32_t i = 0; i < v->a->data->n_items && done; i++) {
        if (v->group[i] != g) continue;
        const struct text id = dataset_item_name(v->a->data, i + 1);
        done = json_array_append_new(ids, json_stringn(id.p, id.n)) == 0 &&
               json_array_append_new(points, json_pack("[f, f]", v->plane[2 * (size_t)i], v->plane[2 * (size_t)i + 1])) == 0;
    }
    return done;
}

static genair_code put_numbers(const struct run_view *v, const char *name, json_t *result, genair_status *st) {
    json_t *all = json_copy(result), *coordinates = json_object();
    bool done = json_object_set_new(all, "coordinates", coordinates) == 0 &&
                add_group(v, HEAD, "head", coordinates) && add_group(v, TAIL, "tail", coordinates);
    if (done && v->groups) done = json_object_set(all, "groups", v->groups) == 0;
    const genair_code code = done ? analysis_put_json(v->a, name, all, st) : fail_memory(st);
    json_decref(all);
    return code;
}

/* ---- pictures ---- */

static genair_code put_group_points(const struct run_view *v, struct writer *script, size_t g, const char *name,
                                    genair_status *st) {
    genair_code code = writer_printf(script, st, "$%s << END\n", name);
    for (uint32_t i = 0; i < v->a->data->n_items && code == GENAIR_OK; i++)
        if (v->group[i] == g)
            code = writer_printf(script, st, "%.5g %.5g\n", v->plane[2 * (size_t)i], v->plane[2 * (size_t)i + 1]);
    return code == GENAIR_OK ? writer_printf(script, st, "END\n") : code;
}

/* The tail lies over the head, of which there is usually more to see. */
static genair_code draw_plane(struct writer *script, const void *user, genair_status *st) {
    const struct run_view *v = user;
    genair_code code = put_group_points(v, script, HEAD, "head", st);
    if (code == GENAIR_OK) code = put_group_points(v, script, TAIL, "tail", st);
    if (code != GENAIR_OK) return code;
    return writer_printf(script, st,
                         "set title '%s'\n"
                         "set xlabel 'first component, %.1f %% of the variance'\n"
                         "set ylabel 'second, %.1f %%'\n"
                         "set key outside top center horizontal\n"
                         "plot $head with points ls 3 title 'most popular fifth', "
                         "$tail with points ls 2 title 'least popular fifth'\n",
                         v->run->name, 100 * v->shares[0], 100 * v->shares[1]);
}

/* What there is room for under a bar. */
static const char *axis_name(size_t group) {
    return group == HEAD ? "most popular" : group == TAIL ? "least popular" : popularity_fifths[group];
}

static genair_code draw_entropy(struct writer *script, const void *user, genair_status *st) {
    const struct run_view *v = user;
    genair_code code = writer_printf(script, st,
                                     "set title '%s: entropy of item vectors by popularity'\n"
                                     "set ylabel 'nats'\nset yrange [0:*]\nset style fill solid\nset boxwidth 0.6\n"
                                     "set grid noxtics\nset xtics scale 0\n$entropy << END\n",
                                     v->run->name);
    for (size_t g = 0; g < GROUPS && code == GENAIR_OK; g++)
        if (v->group_items[g])
            code = writer_printf(script, st, "%zu %.6g \"%s\"\n", g, v->entropy[g],
                                 axis_name(g));
    if (code != GENAIR_OK) return code;
    return writer_printf(script, st, "END\nplot $entropy using 1:2:xtic(3) with boxes ls 3 notitle\n");
}

/* NDCG@10 by popularity of the target: a block of bars for each group, a bar for each protocol. */
static genair_code draw_groups(struct writer *script, const void *user, genair_status *st) {
    const struct run_view *v = user;
    genair_code code = writer_printf(script, st,
                                     "set title '%s: test NDCG@10 by popularity of the target'\nset yrange [0:*]\n"
                                     "set style data histograms\nset style fill solid\nset boxwidth 0.9\n"
                                     "set grid noxtics\nset xtics scale 0\nset key top right\n$groups << END\nx",
                                     v->run->name);
    const char *protocol;
    json_t *tables;
    json_object_foreach(v->groups, protocol, tables) if (code == GENAIR_OK)
        code = writer_printf(script, st, " %s", protocol);
    for (size_t g = 0; g < GROUPS && code == GENAIR_OK; g++) {
        code = writer_printf(script, st, "\n\"%s\"", axis_name(g));
        json_object_foreach(v->groups, protocol, tables) {
            const json_t *row = json_object_get(json_object_get(tables, "pop5"), popularity_fifths[g]);
            if (code == GENAIR_OK)
                code = writer_printf(script, st, " %.6g", json_number_value(json_object_get(row, "NDCG@10")));
        }
    }
    if (code != GENAIR_OK) return code;
    return writer_printf(script, st,
                         "\nEND\nplot for [i=2:%zu] $groups using i:xtic(1) ls i title columnheader(i)\n",
                         json_object_size(v->groups) + 1);
}

/* ---- the analysis ---- */

static const struct {
    const char *suffix;
    int height;
    analysis_draw *draw;
} pictures[] = {{"plane", 480, draw_plane}, {"entropy", 360, draw_entropy}, {"groups", 360, draw_groups}};

static genair_code put_pictures(const struct run_view *v, const char *name, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < COUNT(pictures) && code == GENAIR_OK; i++) {
        char picture[ANALYSIS_NAME];
        if (pictures[i].draw == draw_groups && !v->groups) continue;
        snprintf(picture, sizeof picture, "%s-%s", name, pictures[i].suffix);
        code = analysis_put_picture(v->a, picture, 560, pictures[i].height, pictures[i].draw, v, st);
    }
    return code;
}

static genair_code make(struct analysis *a, void *user, json_t **result, genair_status *st) {
    struct run_view *v = user;
    char name[ANALYSIS_NAME / 2 + 16];
    (void)a;
    snprintf(name, sizeof name, "run-%.64s", v->run->name);
    genair_code code = project(v, st);
    if (code == GENAIR_OK) code = entropies(v, st);
    if (code == GENAIR_OK) code = groups_of(v, PROTOCOL_SAMPLED, st);
    if (code == GENAIR_OK) code = groups_of(v, PROTOCOL_FULL, st);
    if (code == GENAIR_OK) code = describe(v, result, st);
    if (code == GENAIR_OK) code = put_numbers(v, name, *result, st);
    return code == GENAIR_OK ? put_pictures(v, name, st) : code;
}

/* The hash of a ranks file, null where there is none. */
static genair_code add_ranks_hash(const struct run_view *v, enum protocol protocol, json_t *inputs,
                                  genair_status *st) {
    char digits[33];
    char *path = ranks_file_path(v->run->directory, PART_TEST, protocol);
    if (!path) return fail_memory(st);
    genair_code code = GENAIR_OK;
    if (file_exists(path)) {
        code = hash_file(v->a->ctx, path, digits, st);
        if (code == GENAIR_OK && json_object_set_new(inputs, protocol_name(protocol), json_string(digits)) != 0)
            code = fail_memory(st);
    }
    mem_free(path);
    return code;
}

static json_t *list_json(const genair_options *o, const char *name) {
    const char *const *values;
    const size_t n = option_list(o, name, &values);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, json_string(values[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static genair_code describe_inputs(const struct run_view *v, const char *stage, json_t **out, genair_status *st) {
    const genair_options *o = v->a->options;
    json_t *inputs = json_pack("{s:s, s:o, s:o, s:f, s:b}", "train", workspace_stage_hash(v->a->workspace, stage),
                               "user-thresholds", list_json(o, "user-thresholds"), "item-thresholds",
                               list_json(o, "item-thresholds"), "head-share", option_real(o, "head-share"),
                               "pictures", (int)v->a->pictures);
    genair_code code = inputs ? add_ranks_hash(v, PROTOCOL_SAMPLED, inputs, st) : fail_memory(st);
    if (code == GENAIR_OK) code = add_ranks_hash(v, PROTOCOL_FULL, inputs, st);
    if (code == GENAIR_OK)
        *out = inputs;
    else
        json_decref(inputs);
    return code;
}

static genair_code view(struct analysis *a, const struct run *run, json_t **result, genair_status *st) {
    if (!run->scorer.encode)
        return fail(st, GENAIR_USAGE,
                    "run '%s' learned no item vectors (method %s); analyze a run of method genair or base", run->name,
                    json_string_value(json_object_get(run->config, "method")));
    char trained[96], stage[96], what[96];
    snprintf(trained, sizeof trained, "train/%.64s", run->name);
    snprintf(stage, sizeof stage, "analyze/%.64s", run->name);
    snprintf(what, sizeof what, "run %.64s is", run->name);
    struct run_view v = {.a = a, .run = run};
    v.trained = json_object_get(json_object_get(workspace_stages(a->workspace), trained), "result");
    json_t *inputs = NULL;
    genair_code code = describe_inputs(&v, trained, &inputs, st);
    if (code == GENAIR_OK) code = analysis_bring_up_to_date(a, stage, inputs, what, make, &v, result, st);
    json_decref(inputs);
    json_decref(v.groups);
    mem_free(v.group);
    mem_free(v.plane);
    return code;
}

genair_code run_view(struct analysis *a, const char *name, json_t **result, genair_status *st) {
    struct run *run;
    genair_code code = run_open(a->ctx, workspace_path(a->workspace), name, a->data, &run, st);
    if (code != GENAIR_OK) return code;
    code = view(a, run, result, st);
    run_close(run);
    return code;
}
