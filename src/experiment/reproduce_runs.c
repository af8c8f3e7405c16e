/* SPDX-License-Identifier: Apache-2.0 */
/* Tables whose rows are runs: each row is one method on one backbone, a run a seed, named paper.BACKBONE.METHOD.SEED. */
#include "experiment/reproduce.h"

#include "base/alloc.h"
#include "base/size.h"
#include "experiment/many.h"
#include "ranking/statistics.h"

#include <stdio.h>
#include <string.h>

enum { MAX_ROWS = 64, NAME = 65 };

struct row {
    enum backbone backbone;
    const char *method, *title;
    enum base_run begins_from;
    const char *variant;                /* of the run's name; "" */
    const char *setting[2];             /* an option of train and its value, or NULLs */
    const struct paper_metrics *paper;  /* or NULL */
    size_t against;                     /* the row that the t-test compares with; SIZE_MAX: none */
    json_t *results;                    /* what train printed, one a seed */
};

struct table {
    const struct reproduce *r;
    size_t n, n_seeds;
    struct row rows[MAX_ROWS];
    size_t todo[MAX_ROWS * 100], n_todo; /* row * n_seeds + seed */
};

static void run_name(const struct table *t, const struct row *row, size_t seed, char out[NAME]) {
    snprintf(out, NAME, "paper.%s.%s%s.%lld", backbone_names[row->backbone], row->method, row->variant,
             (long long)(option_int(t->r->options, "seed") + (int64_t)seed));
}

/* ---- rows ---- */

/* Whether --backbone or --method, where given, is this one. */
static bool wanted(const struct reproduce *r, const char *option, const char *value) {
    return !option_given(r->options, option) || strcmp(option_text(r->options, option), value) == 0;
}

static struct row *add_row(struct table *t, const struct row *row) {
    if (t->n == MAX_ROWS) return NULL;
    t->rows[t->n] = *row;
    return &t->rows[t->n++];
}

/* Base runs are there first, for the t-test and for methods that begin from one. */
static void plan_table2(struct table *t) {
    for (int b = 0; b < N_BACKBONES; b++) {
        if (!wanted(t->r, "backbone", backbone_names[b])) continue;
        const size_t base = t->n;
        for (size_t m = 0; m < n_paper_methods; m++) {
            const struct paper_method *p = &paper_methods[m];
            if (!reproduce_knows(p->method) || (m > 0 && !wanted(t->r, "method", p->method))) continue;
            add_row(t, &(struct row){.backbone = (enum backbone)b, .method = p->method, .title = p->title,
                                     .begins_from = p->begins_from, .variant = "",
                                     .paper = t->r->data < N_PAPER_DATA ? &p->table2[t->r->data][b] : NULL,
                                     .against = m > 0 ? base : SIZE_MAX});
        }
    }
}

static const struct {
    const char *title, *variant, *option, *value, *parts; /* parts: what fuse takes in for it */
} ablations[N_ABLATIONS] = {
    [WITHOUT_PREFILL] = {"w/o prefill", "-without-prefill", "items", "without-prefill", "decoding"},
    [WITHOUT_DECODING] = {"w/o decoding", "-without-decoding", "items", "without-decoding", "prefill"},
    [WITHOUT_CALIBRATION] = {"w/o calibration", "-without-calibration", "calibration", "none", NULL},
};

static void plan_table3(struct table *t) {
    const bool fashion = t->r->data == FASHION;
    const struct paper_method *genair = &paper_methods[n_paper_methods - 1];
    for (int b = 0; b < N_BACKBONES; b++) {
        if (!wanted(t->r, "backbone", backbone_names[b])) continue;
        const size_t whole = t->n;
        add_row(t, &(struct row){.backbone = (enum backbone)b, .method = genair->method, .title = genair->title,
                                 .variant = "", .paper = fashion ? &genair->table2[FASHION][b] : NULL, .against = SIZE_MAX});
        for (int a = 0; a < N_ABLATIONS; a++)
            add_row(t, &(struct row){.backbone = (enum backbone)b, .method = genair->method, .title = ablations[a].title,
                                     .variant = ablations[a].variant, .setting = {ablations[a].option, ablations[a].value},
                                     .paper = fashion ? &paper_table3[a][b] : NULL, .against = whole});
    }
}

static void plan_table5(struct table *t) {
    const size_t sasrec_base = t->n;
    for (size_t m = 0; m < n_paper_costs; m++)
        for (size_t k = 0; k < n_paper_methods; k++)
            if (strcmp(paper_methods[k].method, paper_table5[m].method) == 0 && reproduce_knows(paper_table5[m].method))
                add_row(t, &(struct row){.backbone = SASREC, .method = paper_methods[k].method,
                                         .title = paper_methods[k].title, .begins_from = paper_methods[k].begins_from,
                                         .variant = "", .against = sasrec_base});
}

/* ---- training ---- */

/* The base run of the same seed, where the method begins from one. */
static genair_code set_base_run(const struct table *t, const struct row *row, size_t seed, genair_options *o,
                                genair_status *st) {
    if (row->begins_from == NO_BASE_RUN) return GENAIR_OK;
    char name[NAME];
    const struct row base = {.backbone = row->begins_from == BASE_RUN ? row->backbone : SASREC, .method = "base", .variant = ""};
    run_name(t, &base, seed, name);
    return genair_options_set(o, "base-run", name, st);
}

static genair_code make(void *user, size_t i, genair_options **out, genair_status *st) {
    const struct table *t = user;
    const struct row *row = &t->rows[t->todo[i] / t->n_seeds];
    const size_t seed = t->todo[i] % t->n_seeds;
    char name[NAME], number[32];
    run_name(t, row, seed, name);
    snprintf(number, sizeof number, "%lld", (long long)(option_int(t->r->options, "seed") + (int64_t)seed));
    const char *const settings[][2] = {{"run", name},           {"backbone", backbone_names[row->backbone]},
                                       {"method", row->method}, {"seed", number},
                                       {row->setting[0], row->setting[1]}};
    genair_options *o;
    genair_code code = reproduce_train_options(t->r, &o, st);
    if (code != GENAIR_OK) return code;
    for (size_t k = 0; code == GENAIR_OK && k < COUNT(settings); k++)
        if (settings[k][0]) code = genair_options_set(o, settings[k][0], settings[k][1], st);
    if (code == GENAIR_OK) code = set_base_run(t, row, seed, o, st);
    if (code == GENAIR_OK)
        *out = o;
    else
        genair_options_free(o);
    return code;
}

static genair_code done(void *user, size_t i, const json_t *result, const genair_status *outcome, genair_status *st) {
    struct table *t = user;
    char name[NAME];
    struct row *row = &t->rows[t->todo[i] / t->n_seeds];
    const size_t seed = t->todo[i] % t->n_seeds;
    run_name(t, row, seed, name);
    if (!result) return fail(st, outcome->code, "run %s: %s", name, outcome->message);
    json_t *copy = json_deep_copy(result);
    if (!copy || json_array_set_new(row->results, seed, copy) != 0) return fail_memory(st);
    const json_t *test = json_object_get(json_object_get(result, "test"), "sampled");
    context_info(t->r->ctx, "run %s: test sampled HR@10 %.4f, NDCG@10 %.4f", name,
                 json_number_value(json_object_get(test, "HR@10")), json_number_value(json_object_get(test, "NDCG@10")));
    return GENAIR_OK;
}

/* A wave of runs: base alone, then what may begin from it. */
static genair_code train_wave(struct table *t, struct workspace *w, bool base, genair_status *st) {
    pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
    t->n_todo = 0;
    for (size_t i = 0; i < t->n; i++)
        for (size_t s = 0; (strcmp(t->rows[i].method, "base") == 0) == base && s < t->n_seeds; s++)
            t->todo[t->n_todo++] = i * t->n_seeds + s;
    const struct many m = {.ctx = t->r->ctx, .workspace = w, .guard = &guard, .what = base ? "base runs" : "runs",
                           .n = t->n_todo, .make = make, .done = done, .user = t};
    return many_train(&m, st);
}

static genair_code train_all(struct table *t, genair_status *st) {
    for (size_t i = 0; i < t->n; i++) {
        t->rows[i].results = json_array();
        for (size_t s = 0; s < t->n_seeds; s++)
            if (json_array_append_new(t->rows[i].results, json_null()) != 0) return fail_memory(st);
    }
    struct workspace *w;
    genair_code code = workspace_open(t->r->workspace, "reproduce", false, &w, st);
    if (code != GENAIR_OK) return code;
    code = train_wave(t, w, true, st);
    if (code == GENAIR_OK) code = train_wave(t, w, false, st);
    workspace_close(w);
    return code;
}

/* ---- what is told of a row ---- */

static bool set(json_t *o, const char *key, json_t *value) {
    return json_object_set_new(o, key, value) == 0;
}

static double metric_at(const struct row *row, size_t seed, const char *metric) {
    const json_t *test = json_object_get(json_object_get(json_array_get(row->results, seed), "test"), "sampled");
    return json_number_value(json_object_get(test, metric));
}

static bool add_metric(const struct table *t, const struct row *row, const char *metric, const double *paper, json_t *out) {
    double values[100], mean, sd;
    char key[64];
    for (size_t s = 0; s < t->n_seeds; s++)
        values[s] = metric_at(row, s, metric);
    mean_and_sd(values, t->n_seeds, &mean, &sd);
    bool sound = set(out, metric, json_real(mean));
    snprintf(key, sizeof key, "%s_sd", metric);
    if (t->n_seeds > 1) sound = set(out, key, json_real(sd)) && sound;
    if (!paper) return sound;
    snprintf(key, sizeof key, "%s_paper", metric);
    sound = set(out, key, json_real(*paper)) && sound;
    snprintf(key, sizeof key, "%s_difference", metric);
    return set(out, key, json_real(mean - *paper)) && sound;
}

/* Copies a test's p-value: null where it is not defined. */
static bool add_p(json_t *comparison, const char *over, const char *key, json_t *out) {
    json_t *test = json_object_get(json_object_get(json_object_get(comparison, over), "sampled"), "NDCG@10");
    return !test || json_object_set(out, key, json_object_get(test, "p")) == 0;
}

static genair_code add_runs(const struct table *t, const struct row *row, genair_options *o, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t s = 0; code == GENAIR_OK && s < t->n_seeds; s++) {
        char name[NAME];
        run_name(t, row, s, name);
        code = genair_options_set(o, "run", name, st);
    }
    return code;
}

/* The paired t-tests of `compare`, of NDCG@10 against the other row. */
static genair_code add_significance(const struct table *t, const struct row *row, json_t *out, genair_status *st) {
    genair_options *o;
    char *text = NULL;
    genair_code code = genair_options_create("compare", &o, st);
    if (code != GENAIR_OK) return code;
    code = genair_options_set(o, "workspace", t->r->workspace, st);
    if (code == GENAIR_OK) code = genair_options_set(o, "protocol", "sampled", st);
    if (code == GENAIR_OK) code = add_runs(t, row, o, st);
    if (code == GENAIR_OK) code = add_runs(t, &t->rows[row->against], o, st);
    if (code == GENAIR_OK) code = genair_compare(t->r->ctx, o, &text, st);
    genair_options_free(o);
    if (code != GENAIR_OK) return code;
    json_t *comparison = json_loads(text, 0, NULL);
    genair_string_free(text);
    if (!comparison || !add_p(comparison, "over_users", "p_over_users", out) ||
        !add_p(comparison, "over_seeds", "p_over_seeds", out))
        code = fail_memory(st);
    json_decref(comparison);
    return code;
}

typedef genair_code tell_row(const struct table *t, const struct row *row, json_t *out, genair_status *st);

static genair_code tell_metrics(const struct table *t, const struct row *row, json_t *out, genair_status *st) {
    const struct paper_metrics *p = row->paper;
    if (!add_metric(t, row, "HR@10", p ? &p->hr10 : NULL, out) || !add_metric(t, row, "NDCG@10", p ? &p->ndcg10 : NULL, out))
        return fail_memory(st);
    return row->against == SIZE_MAX ? GENAIR_OK : add_significance(t, row, out, st);
}

/* The paper does not say of which data set its numbers are: they are shown with any of them. */
static genair_code tell_cost(const struct table *t, const struct row *row, json_t *out, genair_status *st) {
    static const char *const keys[] = {"trainable_parameters", "inference_gflops"};
    json_t *result = json_array_get(row->results, 0);
    bool sound = true;
    for (size_t k = 0; k < COUNT(keys); k++) {
        json_t *value = json_object_get(result, keys[k]);
        if (value) sound = json_object_set(out, keys[k], value) == 0 && sound;
    }
    for (size_t m = 0; t->r->data < N_PAPER_DATA && m < n_paper_costs; m++)
        if (strcmp(paper_table5[m].method, row->method) == 0)
            sound = sound && set(out, "trainable_parameters_paper", json_real(paper_table5[m].parameters)) &&
                    set(out, "inference_gflops_paper", json_real(paper_table5[m].gflops));
    return sound ? GENAIR_OK : fail_memory(st);
}

static genair_code tell_all(const struct table *t, tell_row *tell, json_t **out, genair_status *st) {
    json_t *rows = json_array();
    genair_code code = rows ? GENAIR_OK : fail_memory(st);
    for (size_t i = 0; code == GENAIR_OK && i < t->n; i++) {
        if (context_stopped(t->r->ctx)) code = context_interrupted(st);
        json_t *row = json_pack("{s:s, s:s}", "backbone", backbone_names[t->rows[i].backbone], "method", t->rows[i].title);
        if (code == GENAIR_OK && (!row || json_array_append(rows, row) != 0)) code = fail_memory(st);
        if (code == GENAIR_OK) code = tell(t, &t->rows[i], row, st);
        json_decref(row);
    }
    if (code == GENAIR_OK)
        *out = rows;
    else
        json_decref(rows);
    return code;
}

/* ---- targets ---- */

static genair_code make_table(const struct reproduce *r, size_t n_seeds, void (*plan)(struct table *), tell_row *tell,
                              json_t **rows, genair_status *st) {
    struct table *t = mem_zeros(1, sizeof *t);
    if (!t) return fail_memory(st);
    t->r = r;
    t->n_seeds = n_seeds;
    plan(t);
    genair_code code = t->n ? GENAIR_OK : fail(st, GENAIR_USAGE, "no row of this table is of that --backbone and --method");
    if (code == GENAIR_OK) code = train_all(t, st);
    if (code == GENAIR_OK) code = tell_all(t, tell, rows, st);
    for (size_t i = 0; i < t->n; i++)
        json_decref(t->rows[i].results);
    mem_free(t);
    return code;
}

static size_t seeds_of(const struct reproduce *r) {
    return (size_t)option_int(r->options, "seeds");
}

genair_code reproduce_table2(const struct reproduce *r, json_t **rows, genair_status *st) {
    return make_table(r, seeds_of(r), plan_table2, tell_metrics, rows, st);
}

genair_code reproduce_table5(const struct reproduce *r, json_t **rows, genair_status *st) {
    return make_table(r, 1, plan_table5, tell_cost, rows, st);
}

/* The item matrix of one part, with the components of the workspace's own. */
static genair_code fuse_part(const struct reproduce *r, const char *name, const char *parts, genair_status *st) {
    struct workspace *w;
    genair_options *o = NULL;
    genair_code code = workspace_open_read(r->workspace, &w, st);
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
    genair_code code = GENAIR_OK;
    for (int a = 0; code == GENAIR_OK && a < N_ABLATIONS; a++)
        if (ablations[a].parts) code = fuse_part(r, ablations[a].value, ablations[a].parts, st);
    return code == GENAIR_OK ? make_table(r, seeds_of(r), plan_table3, tell_metrics, rows, st) : code;
}
