/* SPDX-License-Identifier: Apache-2.0 */
/* The paper's figures, as the numbers in them; pictures by `analyze`. */
#include "experiment/run_table.h"
#include "experiment/sweep.h"

#include "base/json_text.h"
#include "base/size.h"
#include "ranking/groups.h"

#include <stdio.h>
#include <string.h>

/* What `analyze` says of the runs named (none: of the item vectors alone), the caller's. */
static genair_code analyze(const struct reproduce *r, size_t n, char (*runs)[RUN_TABLE_NAME], json_t **out, genair_status *st) {
    char *text = NULL, seed[32];
    genair_options *o;
    genair_code code = genair_options_create("analyze", &o, st);
    if (code != GENAIR_OK) return code;
    snprintf(seed, sizeof seed, "%lld", (long long)option_int(r->options, "seed"));
    code = genair_options_set(o, "workspace", r->workspace, st);
    if (code == GENAIR_OK) code = genair_options_set(o, "seed", seed, st);
    for (size_t i = 0; code == GENAIR_OK && i < n; i++)
        code = genair_options_set(o, "run", runs[i], st);
    if (code == GENAIR_OK) code = genair_analyze(r->ctx, o, &text, st);
    genair_options_free(o);
    if (code != GENAIR_OK) return code;
    code = json_read(text_of(text), 0, out, NULL, st);
    genair_string_free(text);
    return code;
}

/* ---- figure 2: prompts and answers on a map ---- */

genair_code reproduce_figure2(const struct reproduce *r, json_t **rows, genair_status *st) {
    json_t *analysis;
    const genair_code code = analyze(r, 0, NULL, &analysis, st);
    if (code != GENAIR_OK) return code;
    *rows = json_incref(json_object_get(json_object_get(analysis, "item_vectors"), "maps"));
    json_decref(analysis);
    return *rows ? GENAIR_OK : fail_memory(st);
}

/* ---- figure 4: alpha and gamma ---- */

static json_t *figure_row(const json_t *point, const char *protocol) {
    const json_t *settings = json_object_get(point, "settings"), *rungs = json_object_get(point, "rungs");
    const json_t *test = json_object_get(json_object_get(point, "test"), "sampled");
    char valid[64];
    snprintf(valid, sizeof valid, "valid_%s_NDCG@10", protocol);
    json_t *row = json_pack("{s:O, s:O}", "alpha", json_object_get(settings, "alpha"), "gamma", json_object_get(settings, "gamma"));
    if (row && json_array_size(rungs))
        json_object_set(row, valid, json_object_get(json_array_get(rungs, json_array_size(rungs) - 1), "NDCG@10"));
    static const char *const metrics[] = {"HR@10", "NDCG@10"};
    for (size_t i = 0; row && test && i < COUNT(metrics); i++)
        json_object_set(row, metrics[i], json_object_get(test, metrics[i]));
    return row;
}

static genair_code sweep_figure(const struct reproduce *r, const struct grid *grid, json_t **rows, genair_status *st) {
    char name[64];
    genair_options *train;
    genair_code code = reproduce_train_options(r, "genair", &train, st);
    if (code != GENAIR_OK) return code;
    snprintf(name, sizeof name, "fig4.%s", option_text(train, "backbone"));
    const struct sweep_options options = {.name = name, .grid = grid};
    struct workspace *w = NULL;
    json_t *result = NULL, *point;
    size_t i;
    pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
    code = workspace_open(r->ctx, r->workspace, "reproduce", false, &w, st);
    if (code == GENAIR_OK) code = sweep_run(r->ctx, w, &guard, train, &options, &result, st);
    workspace_close(w);
    *rows = json_array();
    json_array_foreach(json_object_get(result, "points"), i, point) {
        if (code == GENAIR_OK && json_array_append_new(*rows, figure_row(point, option_text(train, "valid-protocol"))) != 0)
            code = fail_memory(st);
    }
    genair_options_free(train);
    json_decref(result);
    return code;
}

genair_code reproduce_figure4(const struct reproduce *r, json_t **rows, genair_status *st) {
    const char *const axes[] = {paper_alphas, paper_gammas};
    struct grid grid;
    static const char *const method = "genair";
    genair_code code = check_genair(r, st);
    if (code == GENAIR_OK) code = options_check_methods(r->options, 1, &method, st);
    if (code == GENAIR_OK) code = grid_read(COUNT(axes), axes, &grid, st);
    if (code != GENAIR_OK) return code;
    code = sweep_figure(r, &grid, rows, st);
    grid_free(&grid);
    return code;
}

/* ---- figure 5: what the item vectors of runs fill, by popularity ---- */

static genair_code plan_figure5(struct run_table *t, genair_status *st) {
    static const char *const methods[] = {"base", "llmemb", "genair"};
    genair_code code = GENAIR_OK;
    for (size_t m = 0; m < n_paper_methods; m++)
        for (size_t i = 0; code == GENAIR_OK && i < COUNT(methods); i++) {
            const struct paper_method *p = &paper_methods[m];
            if (strcmp(p->method, methods[i]) != 0 || (m > 0 && !row_wanted(t->r, "method", p->method))) continue;
            code = add_row(t, &(struct row){.backbone = backbone_wanted(t->r), .method = p->method, .title = p->title,
                                            .begins_from = p->begins_from, .against = NO_ROW}, st);
        }
    return code;
}

/* Entropy by popularity, and the share of variance that the plane of the picture shows. */
static genair_code tell_shape(const struct run_table *t, const struct row *row, json_t *out, genair_status *st) {
    char run[1][RUN_TABLE_NAME];
    json_t *analysis;
    row_run(t, row, 0, run[0]);
    const genair_code code = analyze(t->r, 1, run, &analysis, st);
    if (code != GENAIR_OK) return code;
    const json_t *view = json_array_get(json_object_get(analysis, "runs"), 0);
    const json_t *shares = json_object_get(view, "explained_variance");
    bool sound = json_object_set_new(out, "run", json_string(run[0])) == 0;
    for (size_t g = 0; sound && g < POPULARITY_FIFTHS; g++) {
        json_t *group = json_object_get(json_object_get(view, "entropy"), popularity_fifths[g]);
        sound = !group || json_object_set(out, popularity_fifths[g], json_object_get(group, "entropy")) == 0;
    }
    sound = sound && json_object_set_new(out, "variance in the plane", json_real(json_number_value(json_array_get(shares, 0)) +
                                                                                json_number_value(json_array_get(shares, 1)))) == 0;
    json_decref(analysis);
    return sound ? GENAIR_OK : fail_memory(st);
}

genair_code reproduce_figure5(const struct reproduce *r, json_t **rows, genair_status *st) {
    return run_table_make(r, 1, plan_figure5, tell_shape, rows, st);
}
