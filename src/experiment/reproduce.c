/* SPDX-License-Identifier: Apache-2.0 */
/* genair reproduce TARGET: one command a table or figure. Everything it makes are runs and sweeps like any other, so
 * that it goes on where it was stopped, and what one target trained serves the others. */
#include "experiment/reproduce.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "experiment/sweep.h"
#include "workspace/stage_result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *title;
    reproduce_target *run;
    bool of_metrics; /* its numbers are test metrics of the sampled protocol */
} targets[] = {
    {"table2", "Table 2: methods by backbone", reproduce_table2, true},
    {"table3", "Table 3: GenAIR without one of its parts", reproduce_table3, true},
    {"table5", "Table 5: trainable parameters and inference cost, SASRec", reproduce_table5, false},
    {"table6", "Table 6: the data", reproduce_table6, false},
    {"fig4", "Figure 4: alpha and gamma", reproduce_figure4, true},
};

bool reproduce_knows(const char *method) {
    genair_options *o;
    if (genair_options_create("train", &o, NULL) != GENAIR_OK) return false;
    const bool known = genair_options_set(o, "method", method, NULL) == GENAIR_OK;
    genair_options_free(o);
    return known;
}

genair_code reproduce_train_options(const struct reproduce *r, genair_options **out, genair_status *st) {
    char patience[32];
    genair_options *o;
    genair_code code = genair_options_create("train", &o, st);
    if (code != GENAIR_OK) return code;
    snprintf(patience, sizeof patience, "%lld", (long long)option_int(r->options, "patience"));
    code = options_pass_on(r->options, o, st);
    if (code == GENAIR_OK) code = genair_options_set(o, "patience", patience, st);
    if (code == GENAIR_OK)
        *out = o;
    else
        genair_options_free(o);
    return code;
}

/* ---- targets without runs of their own ---- */

genair_code reproduce_table6(const struct reproduce *r, json_t **rows, genair_status *st) {
    static const char *const keys[] = {"users", "items", "interactions", "mean_length", "sparsity"};
    json_t *ours = json_pack("{s:s}", "", "ours");
    bool sound = ours != NULL;
    for (size_t i = 0; sound && i < COUNT(keys); i++) {
        json_t *value = json_object_get(r->statistics, keys[i]);
        sound = !value || json_object_set(ours, keys[i], value) == 0;
    }
    json_t *all = sound ? json_pack("[O]", ours) : NULL;
    if (all && r->data < N_PAPER_DATA) {
        const struct paper_statistics *p = &paper_statistics[r->data];
        sound = json_array_append_new(all, json_pack("{s:s, s:I, s:I, s:f}", "", "paper", "users", (json_int_t)p->users,
                                                     "items", (json_int_t)p->items, "mean_length", p->mean_length)) == 0;
    }
    json_decref(ours);
    if (all && sound) {
        *rows = all;
        return GENAIR_OK;
    }
    json_decref(all);
    return fail_memory(st);
}

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
    genair_code code = reproduce_train_options(r, &train, st);
    if (code != GENAIR_OK) return code;
    snprintf(name, sizeof name, "fig4.%s", option_text(train, "backbone"));
    const struct sweep_options options = {.name = name, .grid = grid};
    struct workspace *w = NULL;
    json_t *result = NULL, *point;
    size_t i;
    pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
    code = workspace_open(r->workspace, "reproduce", false, &w, st);
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
    genair_code code = grid_read(COUNT(axes), axes, &grid, st);
    if (code != GENAIR_OK) return code;
    code = sweep_figure(r, &grid, rows, st);
    grid_free(&grid);
    return code;
}

/* ---- the command ---- */

static enum paper_data data_of(const genair_options *o, const json_t *statistics) {
    const char *paper = option_text(o, "paper");
    for (int d = 0; d < N_PAPER_DATA; d++)
        if (strcmp(paper_statistics[d].name, paper) == 0) return (enum paper_data)d;
    if (strcmp(paper, "none") == 0) return N_PAPER_DATA;
    return paper_data_of((uint32_t)json_integer_value(json_object_get(statistics, "users")),
                         (uint32_t)json_integer_value(json_object_get(statistics, "items")));
}

/* What prepare recorded, the caller's. */
static genair_code read_statistics(const char *workspace, json_t **out, genair_status *st) {
    struct workspace *w;
    genair_code code = workspace_open_read(workspace, &w, st);
    if (code != GENAIR_OK) return code;
    *out = json_incref(json_object_get(json_object_get(workspace_stages(w), "prepare"), "result"));
    workspace_close(w);
    if (!*out)
        return fail_line(st, GENAIR_USAGE, workspace, 0, "holds no data; run `genair prepare -w %s` first", workspace);
    return GENAIR_OK;
}

static json_t *describe(const struct reproduce *r, size_t target, json_t *rows) {
    const bool of_paper = r->data < N_PAPER_DATA;
    json_t *o = json_pack("{s:s, s:s, s:s?, s:s, s:O}", "target", targets[target].name, "title", targets[target].title,
                          "paper", of_paper ? paper_statistics[r->data].name : NULL, "note",
                          of_paper ? "the paper's numbers stand beside ours"
                                   : "this is none of the paper's data sets, so its numbers are not shown",
                          "rows", rows);
    if (!o || !targets[target].of_metrics) return o;
    if (json_object_set_new(o, "part", json_string("test")) == 0 &&
        json_object_set_new(o, "protocol", json_string("sampled")) == 0)
        return o;
    json_decref(o);
    return NULL;
}

/* WORKSPACE/reproduce/TARGET.json: what is printed, without times. */
static genair_code store(const struct reproduce *r, const char *target, const json_t *result, genair_status *st) {
    char name[64];
    snprintf(name, sizeof name, "%s.json", target);
    char *directory = path_join(r->workspace, "reproduce"), *path = directory ? path_join(directory, name) : NULL;
    char *text = json_dumps(result, JSON_INDENT(1));
    genair_code code = path && text ? directory_make(directory, st) : fail_memory(st);
    if (code == GENAIR_OK) code = file_replace(path, text, strlen(text), st);
    free(text);
    mem_free(path);
    mem_free(directory);
    return code;
}

static genair_code reproduce(struct reproduce *r, size_t target, json_t **out, genair_status *st) {
    json_t *statistics = NULL, *rows = NULL;
    genair_code code = read_statistics(r->workspace, &statistics, st);
    if (code == GENAIR_OK) {
        r->statistics = statistics;
        r->data = data_of(r->options, statistics);
        code = targets[target].run(r, &rows, st);
    }
    json_t *result = code == GENAIR_OK ? describe(r, target, rows) : NULL;
    if (code == GENAIR_OK) code = result ? store(r, targets[target].name, result, st) : fail_memory(st);
    if (code == GENAIR_OK)
        *out = result;
    else
        json_decref(result);
    json_decref(rows);
    json_decref(statistics);
    return code;
}

GENAIR_API genair_code genair_reproduce(genair_context *ctx, const genair_options *o, char **json, genair_status *st) {
    const double begin = context_seconds();
    genair_code code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "target", st);
    if (code != GENAIR_OK) return code;
    struct reproduce r = {.ctx = ctx, .options = o, .workspace = option_text(o, "workspace")};
    size_t target = 0;
    while (target + 1 < COUNT(targets) && strcmp(targets[target].name, option_text(o, "target")) != 0)
        target++;
    json_t *result = NULL;
    code = reproduce(&r, target, &result, st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}
