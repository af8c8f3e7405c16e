/* SPDX-License-Identifier: Apache-2.0 */
/* genair reproduce TARGET: one command a table or figure. Everything it makes are runs and sweeps like any other, so
 * that it goes on where it was stopped, and what one target trained serves the others. */
#include "experiment/run_table.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/size.h"
#include "workspace/manifest.h"
#include "workspace/stage_result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of which data, or backbone, the paper prints numbers. */
enum printed { OF_ALL, OF_FASHION, OF_SASREC, OF_NONE };

static const struct {
    const char *name, *title;
    reproduce_target *run;
    enum printed printed;
    bool of_metrics; /* its numbers are test metrics of the sampled protocol */
} targets[] = {
    {"table2", "Table 2: methods by backbone", reproduce_table2, OF_ALL, true},
    {"table3", "Table 3: GenAIR without one of its parts", reproduce_table3, OF_FASHION, true},
    {"table4", "Table 4: GenAIR with several language models", reproduce_table4, OF_FASHION, true},
    {"table5", "Table 5: trainable parameters and inference cost", reproduce_table5, OF_SASREC, false},
    {"table6", "Table 6: the data", reproduce_table6, OF_ALL, false},
    {"fig2", "Figure 2: a t-SNE map of prompts and answers", reproduce_figure2, OF_NONE, false},
    {"fig4", "Figure 4: alpha and gamma", reproduce_figure4, OF_NONE, true},
    {"fig5", "Figure 5: entropy of item vectors by popularity, in nats", reproduce_figure5, OF_NONE, false},
};

bool reproduce_knows(const char *method) {
    genair_options *o;
    if (genair_options_create("train", &o, NULL) != GENAIR_OK) return false;
    const bool known = genair_options_set(o, "method", method, NULL) == GENAIR_OK;
    genair_options_free(o);
    return known;
}

genair_code reproduce_train_options(const struct reproduce *r, const char *method, genair_options **out, genair_status *st) {
    genair_options *o;
    genair_code code = genair_options_create("train", &o, st);
    if (code != GENAIR_OK) return code;
    code = options_pass_on(r->options, o, method, st);
    if (code == GENAIR_OK)
        *out = o;
    else
        genair_options_free(o);
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
    genair_code code = workspace_open_read(NULL, workspace, &w, st);
    if (code != GENAIR_OK) return code;
    *out = json_incref(json_object_get(json_object_get(workspace_stages(w), "prepare"), "result"));
    workspace_close(w);
    if (!*out)
        return fail_line(st, GENAIR_USAGE, workspace, 0, "holds no data; run `genair prepare -w %s` first", workspace);
    return GENAIR_OK;
}

static const char *note_of(const struct reproduce *r, enum printed printed) {
    if (printed == OF_NONE) return "the paper's figure is a picture without numbers, so there are ours alone";
    if (r->data == N_PAPER_DATA) return "this is none of the paper's data sets, so its numbers are not shown";
    if (printed == OF_FASHION && r->data != FASHION) return "the paper has these numbers of fashion alone, so there are ours alone";
    if (printed == OF_SASREC && !row_wanted(r, "backbone", "sasrec")) return "the paper has these numbers of SASRec alone, so there are ours alone";
    return "the paper's numbers stand beside ours";
}

static json_t *describe(const struct reproduce *r, size_t target, json_t *rows) {
    const bool of_paper = r->data < N_PAPER_DATA;
    json_t *o = json_pack("{s:s, s:s, s:s?, s:s, s:O}", "target", targets[target].name, "title", targets[target].title,
                          "paper", of_paper ? paper_statistics[r->data].name : NULL, "note",
                          note_of(r, targets[target].printed), "rows", rows);
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
    char *text = json_text(result, JSON_INDENT(1));
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
    genair_code code = options_check_command(o, "reproduce", st);
    if (code == GENAIR_OK) code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "target", st);
    if (code != GENAIR_OK) return code;
    struct reproduce r = {.ctx = ctx, .options = o, .workspace = option_text(o, "workspace")};
    size_t target = 0;
    while (target + 1 < COUNT(targets) && strcmp(targets[target].name, option_text(o, "target")) != 0)
        target++;
    const char *const *models;
    if (option_list(o, "items", &models) && targets[target].run != reproduce_table4)
        return fail(st, GENAIR_USAGE, "%s has no option --items; it is of table4", targets[target].name);
    json_t *result = NULL;
    code = reproduce(&r, target, &result, st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}
