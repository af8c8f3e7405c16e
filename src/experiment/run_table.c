/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/run_table.h"

#include "base/alloc.h"
#include "base/json_text.h"
#include "base/size.h"
#include "experiment/many.h"
#include "ranking/statistics.h"
#include "train/train.h"

#include <stdio.h>
#include <string.h>

void row_run(const struct run_table *t, const struct row *row, size_t seed, char out[RUN_TABLE_NAME]) {
    snprintf(out, RUN_TABLE_NAME, "paper.%s.%s%s.%lld", backbone_names[row->backbone], row->method, row->variant,
             (long long)(option_int(t->r->options, "seed") + (int64_t)seed));
}

/* ---- rows ---- */

bool row_wanted(const struct reproduce *r, const char *option, const char *value) {
    return !option_given(r->options, option) || strcmp(option_text(r->options, option), value) == 0;
}

enum backbone backbone_wanted(const struct reproduce *r) {
    int b = 0;
    while (strcmp(backbone_names[b], option_text(r->options, "backbone")) != 0)
        b++;
    return (enum backbone)b;
}

genair_code check_genair(const struct reproduce *r, genair_status *st) {
    if (row_wanted(r, "method", "genair")) return GENAIR_OK;
    return fail(st, GENAIR_USAGE, "%s is of GenAIR alone; leave out --method %s", option_text(r->options, "target"),
                option_text(r->options, "method"));
}

genair_code add_row(struct run_table *t, const struct row *row, genair_status *st) {
    if (t->n == RUN_TABLE_MAX_ROWS) return fail(st, GENAIR_USAGE, "a table of more than %d rows", RUN_TABLE_MAX_ROWS);
    t->rows[t->n++] = *row;
    return GENAIR_OK;
}

static bool is_base(const struct row *row) {
    return strcmp(row->method, "base") == 0;
}

/* The backbone of the base run that a row begins from; N_BACKBONES: it begins from none. */
static enum backbone base_of(const struct row *row) {
    return row->begins_from == NO_BASE_RUN ? N_BACKBONES : row->begins_from == BASE_RUN ? row->backbone : SASREC;
}

/* Base runs that rows begin from and the plan has no row for. */
static genair_code add_base_runs(struct run_table *t, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t i = 0, n = t->n; code == GENAIR_OK && i < n; i++) {
        const struct row base = {.backbone = base_of(&t->rows[i]), .method = "base", .title = "base", .against = NO_ROW,
                                 .untold = true};
        bool there = base.backbone == N_BACKBONES;
        for (size_t k = 0; k < t->n; k++)
            there = there || (is_base(&t->rows[k]) && t->rows[k].backbone == base.backbone);
        if (!there) code = add_row(t, &base, st);
    }
    return code;
}

/* Base rows are there whatever --method says. */
static genair_code check_rows(const struct run_table *t, genair_status *st) {
    for (size_t i = 0; i < t->n; i++)
        if (row_wanted(t->r, "method", t->rows[i].method)) return GENAIR_OK;
    return fail(st, GENAIR_USAGE, "no row of this table is of that --backbone and --method");
}

/* An option that no row's method has is refused before anything is trained. */
static genair_code check_options(const struct run_table *t, genair_status *st) {
    const char *methods[RUN_TABLE_MAX_ROWS];
    for (size_t i = 0; i < t->n; i++)
        methods[i] = t->rows[i].method;
    return options_check_methods(t->r->options, t->n, methods, st);
}

/* ---- training ---- */

/* The base run of the same seed, where the method begins from one. */
static genair_code set_base_run(const struct run_table *t, const struct row *row, size_t seed, genair_options *o,
                                genair_status *st) {
    char name[RUN_TABLE_NAME];
    const struct row base = {.backbone = base_of(row), .method = "base"};
    if (base.backbone == N_BACKBONES) return GENAIR_OK;
    row_run(t, &base, seed, name);
    return genair_options_set(o, "base-run", name, st);
}

static genair_code make(void *user, size_t i, genair_options **out, genair_status *st) {
    const struct run_table *t = user;
    const struct row *row = &t->rows[t->todo[i] / t->n_seeds];
    const size_t seed = t->todo[i] % t->n_seeds;
    char name[RUN_TABLE_NAME], number[32];
    row_run(t, row, seed, name);
    snprintf(number, sizeof number, "%lld", (long long)(option_int(t->r->options, "seed") + (int64_t)seed));
    const char *const settings[][2] = {{"run", name},           {"backbone", backbone_names[row->backbone]},
                                       {"method", row->method}, {"seed", number},
                                       {row->setting[0], row->setting[1]}};
    genair_options *o;
    genair_code code = reproduce_train_options(t->r, row->method, &o, st);
    if (code != GENAIR_OK) return code;
    for (size_t k = 0; code == GENAIR_OK && k < COUNT(settings); k++)
        if (settings[k][0]) code = genair_options_set(o, settings[k][0], settings[k][1], st);
    if (code == GENAIR_OK) code = set_base_run(t, row, seed, o, st);
    options_forget(o, "model"); /* read_texts had it read */
    if (code == GENAIR_OK)
        *out = o;
    else
        genair_options_free(o);
    return code;
}

static genair_code done(void *user, size_t i, const json_t *result, const genair_status *outcome, genair_status *st) {
    struct run_table *t = user;
    char name[RUN_TABLE_NAME];
    struct row *row = &t->rows[t->todo[i] / t->n_seeds];
    const size_t seed = t->todo[i] % t->n_seeds;
    row_run(t, row, seed, name);
    if (!result) {
        char text[sizeof outcome->file + sizeof outcome->message + 32];
        genair_status_text(outcome, text, sizeof text);
        return fail(st, outcome->code, "run %s: %s", name, text);
    }
    json_t *copy = json_deep_copy(result);
    if (!copy || json_array_set_new(row->results, seed, copy) != 0) return fail_memory(st);
    const json_t *test = json_object_get(json_object_get(result, "test"), "sampled");
    context_info(t->r->ctx, "run %s: test sampled HR@10 %.4f, NDCG@10 %.4f", name,
                 json_number_value(json_object_get(test, "HR@10")), json_number_value(json_object_get(test, "NDCG@10")));
    return GENAIR_OK;
}

/* A wave of runs: base alone, then what may begin from it. */
static genair_code train_wave(struct run_table *t, struct workspace *w, bool base, genair_status *st) {
    pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
    t->n_todo = 0;
    for (size_t i = 0; i < t->n; i++)
        for (size_t s = 0; is_base(&t->rows[i]) == base && s < t->n_seeds; s++)
            t->todo[t->n_todo++] = i * t->n_seeds + s;
    const struct many m = {.ctx = t->r->ctx, .workspace = w, .guard = &guard, .what = base ? "base runs" : "runs",
                           .n = t->n_todo, .make = make, .done = done, .user = t};
    return many_train(&m, st);
}

static genair_code read_texts(struct run_table *t, struct workspace *w, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && i < t->n; i++) {
        genair_options *o;
        code = reproduce_train_options(t->r, t->rows[i].method, &o, st);
        if (code != GENAIR_OK) break;
        code = train_read_texts(t->r->ctx, o, t->rows[i].method, option_given(o, "semantic"),
                               strcmp(option_text(o, "user-semantic"), "llm") == 0, w, st);
        genair_options_free(o);
    }
    return code;
}

/* The runs' own contexts say nothing. */
static void warn_of_fused(const struct run_table *t, const struct workspace *w) {
    for (size_t i = 0; i < t->n; i++) {
        const struct row *row = &t->rows[i];
        const char *items = row->setting[0] && strcmp(row->setting[0], "items") == 0 ? row->setting[1] : NULL;
        if (train_warn_of_fused(t->r->ctx, row->method, items, option_text(t->r->options, "semantic"), w)) return;
    }
}

static genair_code train_all(struct run_table *t, genair_status *st) {
    for (size_t i = 0; i < t->n; i++) {
        t->rows[i].results = json_array();
        for (size_t s = 0; s < t->n_seeds; s++)
            if (json_array_append_new(t->rows[i].results, json_null()) != 0) return fail_memory(st);
    }
    struct workspace *w;
    genair_code code = workspace_open(t->r->ctx, t->r->workspace, "reproduce", false, &w, st);
    if (code != GENAIR_OK) return code;
    warn_of_fused(t, w);
    code = read_texts(t, w, st);
    if (code == GENAIR_OK) code = train_wave(t, w, true, st);
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

static bool add_metric(const struct run_table *t, const struct row *row, const char *metric, const double *paper, json_t *out) {
    double values[RUN_TABLE_MAX_SEEDS], mean, sd;
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

static genair_code add_runs(const struct run_table *t, const struct row *row, genair_options *o, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t s = 0; code == GENAIR_OK && s < t->n_seeds; s++) {
        char name[RUN_TABLE_NAME];
        row_run(t, row, s, name);
        code = genair_options_set(o, "run", name, st);
    }
    return code;
}

/* The paired t-tests of `compare`, of NDCG@10 against the other row. */
static genair_code add_significance(const struct run_table *t, const struct row *row, json_t *out, genair_status *st) {
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
    json_t *comparison;
    code = json_read(text_of(text), 0, &comparison, NULL, st);
    genair_string_free(text);
    if (code == GENAIR_OK &&
        (!add_p(comparison, "over_users", "p_over_users", out) || !add_p(comparison, "over_seeds", "p_over_seeds", out)))
        code = fail_memory(st);
    json_decref(comparison);
    return code;
}

genair_code tell_metrics(const struct run_table *t, const struct row *row, json_t *out, genair_status *st) {
    const struct paper_metrics *p = row->paper;
    if (!add_metric(t, row, "HR@10", p ? &p->hr10 : NULL, out) || !add_metric(t, row, "NDCG@10", p ? &p->ndcg10 : NULL, out))
        return fail_memory(st);
    return row->against == NO_ROW ? GENAIR_OK : add_significance(t, row, out, st);
}

static genair_code tell_all(const struct run_table *t, tell_row *tell, json_t **out, genair_status *st) {
    json_t *rows = json_array();
    genair_code code = rows ? GENAIR_OK : fail_memory(st);
    for (size_t i = 0; code == GENAIR_OK && i < t->n; i++) {
        if (t->rows[i].untold) continue;
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

genair_code run_table_make(const struct reproduce *r, size_t n_seeds, plan_rows *plan, tell_row *tell, json_t **rows,
                           genair_status *st) {
    struct run_table *t = mem_zeros(1, sizeof *t);
    if (!t) return fail_memory(st);
    t->r = r;
    t->n_seeds = n_seeds;
    genair_code code = plan(t, st);
    if (code == GENAIR_OK) code = check_rows(t, st);
    if (code == GENAIR_OK) code = check_options(t, st);
    if (code == GENAIR_OK) code = add_base_runs(t, st);
    if (code == GENAIR_OK) code = train_all(t, st);
    if (code == GENAIR_OK) code = tell_all(t, tell, rows, st);
    for (size_t i = 0; i < t->n; i++)
        json_decref(t->rows[i].results);
    mem_free(t);
    return code;
}
