/* SPDX-License-Identifier: Apache-2.0 */
/* The paper's tables: what their rows are. */
#include "experiment/run_table.h"

#include "base/size.h"
#include "workspace/manifest.h"

#include <stdio.h>
#include <string.h>

static size_t seeds_of(const struct reproduce *r) {
    return (size_t)option_int(r->options, "seeds");
}

/* ---- table 2: methods by backbone ---- */

/* Base runs are there first, for the t-test and for methods that begin from one. */
static genair_code plan_table2(struct run_table *t, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (int b = 0; b < N_BACKBONES; b++) {
        if (!row_wanted(t->r, "backbone", backbone_names[b])) continue;
        const size_t base = t->n;
        for (size_t m = 0; code == GENAIR_OK && m < n_paper_methods; m++) {
            const struct paper_method *p = &paper_methods[m];
            if (!reproduce_knows(p->method) || (m > 0 && !row_wanted(t->r, "method", p->method))) continue;
            code = add_row(t, &(struct row){.backbone = (enum backbone)b, .method = p->method, .title = p->title,
                                            .begins_from = p->begins_from,
                                            .paper = t->r->data < N_PAPER_DATA ? &p->table2[t->r->data][b] : NULL,
                                            .against = m > 0 ? base : NO_ROW}, st);
        }
    }
    return code;
}

genair_code reproduce_table2(const struct reproduce *r, json_t **rows, genair_status *st) {
    return run_table_make(r, seeds_of(r), plan_table2, tell_metrics, rows, st);
}

/* ---- table 3: GenAIR without one of its parts ---- */

static const struct {
    const char *title, *variant, *option, *value, *parts; /* parts: what fuse takes in for it */
} ablations[N_ABLATIONS] = {
    [WITHOUT_PREFILL] = {"w/o prefill", "-without-prefill", "items", "without-prefill", "decoding"},
    [WITHOUT_DECODING] = {"w/o decoding", "-without-decoding", "items", "without-decoding", "prefill"},
    [WITHOUT_CALIBRATION] = {"w/o calibration", "-without-calibration", "calibration", "none", NULL},
};

/* GenAIR on a backbone; the paper has tables 3 and 4 of Fashion alone. */
static struct row genair_on(enum backbone b, const char *title, const struct paper_metrics *paper, size_t against,
                            const struct reproduce *r) {
    return (struct row){.backbone = b, .method = "genair", .title = title, .paper = r->data == FASHION ? paper : NULL,
                        .against = against};
}

static genair_code plan_table3(struct run_table *t, genair_status *st) {
    const struct paper_method *genair = &paper_methods[n_paper_methods - 1];
    genair_code code = GENAIR_OK;
    for (int b = 0; b < N_BACKBONES; b++) {
        if (!row_wanted(t->r, "backbone", backbone_names[b])) continue;
        const size_t whole = t->n;
        struct row row = genair_on((enum backbone)b, genair->title, &genair->table2[FASHION][b], NO_ROW, t->r);
        if (code == GENAIR_OK) code = add_row(t, &row, st);
        for (int a = 0; code == GENAIR_OK && a < N_ABLATIONS; a++) {
            row = genair_on((enum backbone)b, ablations[a].title, &paper_table3[a][b], whole, t->r);
            snprintf(row.variant, sizeof row.variant, "%s", ablations[a].variant);
            row.setting[0] = ablations[a].option;
            row.setting[1] = ablations[a].value;
            code = add_row(t, &row, st);
        }
    }
    return code;
}

/* The item matrix of one part, with the components of the workspace's own. */
static genair_code fuse_part(const struct reproduce *r, const char *name, const char *parts, genair_status *st) {
    struct workspace *w;
    genair_options *o = NULL;
    genair_code code = workspace_open_read(NULL, r->workspace, &w, st);
    if (code != GENAIR_OK) return code;
    const json_t *inputs = workspace_stage_inputs(w, "fuse");
    const json_int_t components = json_integer_value(json_object_get(inputs, "components"));
    const double variance = json_number_value(json_object_get(inputs, "variance"));
    const bool whiten = json_is_true(json_object_get(inputs, "whiten"));
    workspace_close(w);
    char number[40];
    snprintf(number, sizeof number, variance > 0 ? "%.17g" : "%.0f", variance > 0 ? variance : (double)components);
    const char *const settings[][2] = {{"workspace", r->workspace}, {"out", name}, {"parts", parts}, {"whiten", whiten ? "yes" : "no"}};
    code = genair_options_create("fuse", &o, st);
    for (size_t k = 0; code == GENAIR_OK && k < COUNT(settings); k++)
        code = genair_options_set(o, settings[k][0], settings[k][1], st);
    if (code == GENAIR_OK && (variance > 0 || components > 0))
        code = genair_options_set(o, variance > 0 ? "variance" : "components", number, st);
    if (code == GENAIR_OK) code = genair_fuse(r->ctx, o, NULL, st);
    genair_options_free(o);
    return code;
}

genair_code reproduce_table3(const struct reproduce *r, json_t **rows, genair_status *st) {
    genair_code code = check_genair(r, st);
    for (int a = 0; code == GENAIR_OK && a < N_ABLATIONS; a++)
        if (ablations[a].parts) code = fuse_part(r, ablations[a].value, ablations[a].parts, st);
    return code == GENAIR_OK ? run_table_make(r, seeds_of(r), plan_table3, tell_metrics, rows, st) : code;
}

/* ---- table 4: GenAIR with the item matrices of several language models ---- */

enum { MODEL_NAME = 25 }; /* the longest for which the names of runs are short enough */

static genair_code add_model(struct run_table *t, const char *model, size_t first, enum backbone b, genair_status *st) {
    if (strlen(model) > MODEL_NAME)
        return fail(st, GENAIR_USAGE, "the name of the item matrix '%s' is longer than %d characters; make it again under a "
                    "shorter one, `genair fuse --out NAME`", model, MODEL_NAME);
    const struct paper_metrics *paper = NULL;
    for (size_t k = 0; k < n_paper_models; k++)
        if (strcmp(paper_table4[k].model, model) == 0) paper = &paper_table4[k].metrics[b];
    struct row row = genair_on(b, model, paper, t->n == first ? NO_ROW : first, t->r);
    snprintf(row.variant, sizeof row.variant, ".%s", model);
    row.setting[0] = "items";
    row.setting[1] = model;
    return add_row(t, &row, st);
}

/* Runs are named after their matrix: two rows of one would be trained at the same time. */
static genair_code check_models(const genair_options *o, genair_status *st) {
    const char *const *models;
    const size_t n = option_list(o, "items", &models);
    if (n == 0)
        return fail(st, GENAIR_USAGE, "table4 needs --items NAME NAME...: item matrices that `genair fuse --out NAME` made, one "
                    "for each language model");
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(models[i], models[k]) == 0) return fail(st, GENAIR_USAGE, "--items %s is given twice", models[i]);
    return GENAIR_OK;
}

static genair_code plan_table4(struct run_table *t, genair_status *st) {
    const char *const *models;
    const size_t n = option_list(t->r->options, "items", &models);
    genair_code code = GENAIR_OK;
    for (int b = 0; b < N_BACKBONES; b++) {
        const size_t first = t->n;
        for (size_t i = 0; code == GENAIR_OK && i < n && row_wanted(t->r, "backbone", backbone_names[b]); i++)
            code = add_model(t, models[i], first, (enum backbone)b, st);
    }
    return code;
}

genair_code reproduce_table4(const struct reproduce *r, json_t **rows, genair_status *st) {
    genair_code code = check_genair(r, st);
    if (code == GENAIR_OK) code = check_models(r->options, st);
    return code == GENAIR_OK ? run_table_make(r, seeds_of(r), plan_table4, tell_metrics, rows, st) : code;
}

/* ---- table 5: what it costs ---- */

static genair_code plan_table5(struct run_table *t, genair_status *st) {
    const size_t base = t->n;
    genair_code code = GENAIR_OK;
    for (size_t m = 0; m < n_paper_costs; m++)
        for (size_t k = 0; code == GENAIR_OK && k < n_paper_methods; k++)
            if (strcmp(paper_methods[k].method, paper_table5[m].method) == 0 && reproduce_knows(paper_table5[m].method) &&
                (m == 0 || row_wanted(t->r, "method", paper_table5[m].method)))
                code = add_row(t, &(struct row){.backbone = backbone_wanted(t->r), .method = paper_methods[k].method,
                                                .title = paper_methods[k].title,
                                                .begins_from = paper_methods[k].begins_from, .against = base}, st);
    return code;
}

/* The paper's numbers are of SASRec; it does not say of which data set: they are shown with any of them. */
static genair_code tell_cost(const struct run_table *t, const struct row *row, json_t *out, genair_status *st) {
    static const char *const keys[] = {"trainable_parameters", "inference_gflops"};
    json_t *result = json_array_get(row->results, 0);
    bool sound = true;
    for (size_t k = 0; k < COUNT(keys); k++) {
        json_t *value = json_object_get(result, keys[k]);
        if (value) sound = json_object_set(out, keys[k], value) == 0 && sound;
    }
    for (size_t m = 0; t->r->data < N_PAPER_DATA && row->backbone == SASREC && m < n_paper_costs; m++)
        if (strcmp(paper_table5[m].method, row->method) == 0)
            sound = sound &&
                    json_object_set_new(out, "trainable_parameters_paper", json_real(paper_table5[m].parameters)) == 0 &&
                    json_object_set_new(out, "inference_gflops_paper", json_real(paper_table5[m].gflops)) == 0;
    return sound ? GENAIR_OK : fail_memory(st);
}

genair_code reproduce_table5(const struct reproduce *r, json_t **rows, genair_status *st) {
    return run_table_make(r, 1, plan_table5, tell_cost, rows, st);
}

/* ---- table 6: the data ---- */

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
