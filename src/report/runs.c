/* SPDX-License-Identifier: Apache-2.0 */
/* The sections on runs: what they are, their metrics, by group, against each other, epoch by epoch. */
#include "report/page.h"

#include "analyze/picture.h"
#include "base/alloc.h"
#include "base/json_text.h"
#include "base/size.h"
#include "evaluate/compare.h"
#include "evaluate/group_tables.h"
#include "ranking/ranks_file.h"

#include <string.h>

enum { MAX_METRICS = 256 * 1024 * 1024 };

static const char *const protocol_meaning[N_PROTOCOLS] = {
    [PROTOCOL_SAMPLED] = "the target against 100 items its user never touched, or all there are",
    [PROTOCOL_FULL] = "the target against all items but those it is predicted from"};

static char *run_file(const struct page *p, const char *run, const char *name) {
    char relative[160];
    snprintf(relative, sizeof relative, "runs/%.64s%s%.64s", run, name ? "/" : "", name ? name : "");
    return path_join(workspace_path(p->workspace), relative);
}

/* ---- which runs ---- */

static genair_code open_run(struct page *p, const char *name, const json_t *result, genair_status *st) {
    struct ranked_run *r = &p->runs[p->n_runs++];
    const char *method = json_string_value(json_object_get(result, "method"));
    const char *backbone = json_string_value(json_object_get(result, "backbone"));
    r->name = mem_text(name, strlen(name));
    r->method = method ? mem_text(method, strlen(method)) : mem_text("", 0);
    r->backbone = backbone ? mem_text(backbone, strlen(backbone)) : NULL;
    char *directory = run_file(p, name, NULL);
    genair_code code = r->name && r->method && directory ? GENAIR_OK : fail_memory(st);
    for (int i = 0; i < N_PROTOCOLS && code == GENAIR_OK; i++)
        code = ranks_file_read(directory, p->catalogue.data, PART_TEST, (enum protocol)i, &r->result[i], &r->has[i], st);
    mem_free(directory);
    return code;
}

genair_code report_runs_open(struct page *p, genair_status *st) {
    json_t *stages = workspace_stages(p->workspace), *record;
    const char *stage, *now = workspace_stage_hash(p->workspace, "prepare");
    p->runs = mem_zeros(json_object_size(stages), sizeof *p->runs);
    genair_code code = p->runs ? GENAIR_OK : fail_memory(st);
    json_object_foreach(stages, stage, record) {
        if (strncmp(stage, "train/", 6) != 0 || code != GENAIR_OK) continue;
        const char *then = json_string_value(json_object_get(json_object_get(record, "inputs"), "prepare"));
        if (now && then && strcmp(now, then) == 0)
            code = open_run(p, stage + 6, json_object_get(record, "result"), st);
        else
            p->n_stale++;
    }
    return code;
}

void report_runs_free(struct page *p) {
    ranked_runs_free(p->runs, p->n_runs);
}

/* ---- metrics ---- */

static void put_shape(struct page *p) {
    static const char *const keys[] = {"method", "backbone", "epochs", "best_epoch", "trainable_parameters",
                                       "inference_gflops"};
    json_t *rows = json_array();
    for (size_t i = 0; i < p->n_runs; i++) {
        const json_t *result = json_object_get(report_record(p, "train", p->runs[i].name), "result");
        json_t *row = json_pack("{s:s}", "run", p->runs[i].name);
        for (size_t k = 0; k < COUNT(keys); k++) {
            json_t *value = json_object_get(result, keys[k]);
            if (value) json_object_set(row, keys[k], value);
        }
        json_array_append_new(rows, row);
    }
    html_table(&p->html, "What was trained", rows);
    json_decref(rows);
}

static void put_metrics(struct page *p, enum protocol protocol) {
    static const char *const names[] = {"HR@5",   "HR@10",   "HR@20",   "HR@50", "NDCG@5",
                                        "NDCG@10", "NDCG@20", "NDCG@50", "MRR"}; /* records are sorted by key */
    json_t *rows = json_array();
    for (size_t i = 0; i < p->n_runs; i++) {
        const json_t *result = json_object_get(report_record(p, "train", p->runs[i].name), "result");
        json_t *metrics = json_object_get(json_object_get(result, "test"), protocol_name(protocol));
        json_t *row = metrics ? json_pack("{s:s}", "run", p->runs[i].name) : NULL;
        if (!row) continue;
        for (size_t m = 0; m < COUNT(names); m++) {
            json_t *value = json_object_get(metrics, names[m]);
            if (value) json_object_set(row, names[m], value);
        }
        json_array_append_new(rows, row);
    }
    char caption[160];
    snprintf(caption, sizeof caption, "Test, %s protocol: %s", protocol_name(protocol), protocol_meaning[protocol]);
    html_table(&p->html, caption, rows);
    json_decref(rows);
}

/* {"length <10": {"users": …}, …} as rows. */
static void put_group_table(struct page *p, const char *caption, json_t *table) {
    json_t *rows = json_array(), *values;
    const char *group;
    json_object_foreach(table, group, values) {
        json_t *row = json_pack("{s:s}", "group", group);
        json_object_update(row, values);
        json_array_append_new(rows, row);
    }
    html_table(&p->html, caption, rows);
    json_decref(rows);
}

static genair_code put_groups(struct page *p, const struct ranked_run *r, enum protocol protocol, genair_status *st) {
    static const char *const names[][2] = {
        {"short_long", "by length of the history"},
        {"len5", "by length of the history, five ranges"},
        {"len_equal5", "by length of the history, equal fifths"},
        {"head_tail", "by popularity of the target"},
        {"pop5", "by popularity of the target, equal fifths"},
        {"user_thresholds", "by length of the history, thresholds given"},
        {"item_thresholds", "by popularity of the target, thresholds given"},
    };
    json_t *tables;
    const genair_code code = group_tables(p->options, p->catalogue.data, &r->result[protocol], &tables, st);
    if (code != GENAIR_OK) return code;
    html_put(&p->html, "<details><summary>");
    html_text(&p->html, text_of(r->name));
    html_put(&p->html, " by group, ");
    html_put(&p->html, protocol_name(protocol));
    html_put(&p->html, " protocol</summary>\n");
    for (size_t i = 0; i < COUNT(names); i++) {
        json_t *table = json_object_get(tables, names[i][0]);
        char caption[160];
        snprintf(caption, sizeof caption, "%.64s, %s protocol, %s", r->name, protocol_name(protocol), names[i][1]);
        if (table) put_group_table(p, caption, table);
    }
    html_put(&p->html, "</details>\n");
    json_decref(tables);
    return GENAIR_OK;
}

genair_code report_runs(struct page *p, genair_status *st) {
    genair_code code = GENAIR_OK;
    html_put(&p->html, "<section><h2>Runs</h2>\n");
    if (p->n_runs == 0) html_put(&p->html, "<p>None yet: <code>genair train</code> makes one.</p>\n");
    if (p->n_stale) html_put(&p->html, "<p>Runs that were trained on other data than the workspace holds now are left out.</p>\n");
    put_shape(p);
    for (int i = 0; i < N_PROTOCOLS; i++)
        put_metrics(p, (enum protocol)i);
    for (size_t r = 0; r < p->n_runs; r++)
        for (int i = 0; i < N_PROTOCOLS && code == GENAIR_OK; i++)
            if (p->runs[r].has[i]) code = put_groups(p, &p->runs[r], (enum protocol)i, st);
    html_put(&p->html, "</section>\n");
    return code == GENAIR_OK ? p->html.code : code;
}

/* ---- against each other ---- */

/* A genair run and a base run of one backbone that evaluate ranked under a common protocol. */
static bool comparable(const struct ranked_run *a, const struct ranked_run *b) {
    return strcmp(a->method, "genair") == 0 && strcmp(b->method, "base") == 0 && a->backbone && b->backbone &&
           strcmp(a->backbone, b->backbone) == 0 &&
           ((a->has[PROTOCOL_SAMPLED] && b->has[PROTOCOL_SAMPLED]) || (a->has[PROTOCOL_FULL] && b->has[PROTOCOL_FULL]));
}

static genair_code add_comparison(const struct ranked_run *a, const struct ranked_run *b, const uint8_t *cold,
                                  json_t *rows, genair_status *st) {
    struct ranked_run pair[2] = {*a, *b};
    for (int i = 0; i < N_PROTOCOLS; i++)
        pair[0].has[i] = pair[1].has[i] = a->has[i] && b->has[i];
    json_t *result, *tests, *test;
    const genair_code code = compare_ranked(pair, 2, PART_TEST, cold, &result, st);
    if (code != GENAIR_OK) return code;
    const char *protocol, *metric;
    json_object_foreach(json_object_get(result, "over_users"), protocol, tests) {
        json_object_foreach(tests, metric, test) {
            json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "A", a->name, "B", b->name, "protocol", protocol, "metric", metric);
            static const char *const from[] = {"A", "B", "difference", "low", "high", "p"},
                                     *const to[] = {"mean of A", "mean of B", "A − B", "low", "high", "p"};
            for (size_t i = 0; i < COUNT(from); i++)
                json_object_set(row, to[i], json_object_get(test, from[i]));
            json_array_append_new(rows, row);
        }
    }
    json_decref(result);
    return GENAIR_OK;
}

genair_code report_comparisons(struct page *p, genair_status *st) {
    json_t *rows = json_array();
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < p->n_runs; i++)
        for (size_t j = 0; j < p->n_runs && code == GENAIR_OK; j++)
            if (comparable(&p->runs[i], &p->runs[j]))
                code = add_comparison(&p->runs[i], &p->runs[j], p->catalogue.data->cold, rows, st);
    if (code == GENAIR_OK && json_array_size(rows)) {
        html_put(&p->html, "<section><h2>GenAIR against base</h2>\n<p>Paired two-sided t-tests over the users; low and high "
                           "bound the difference with 95 % confidence.</p>\n");
        html_table(&p->html, "User by user", rows);
        html_put(&p->html, "</section>\n");
    }
    json_decref(rows);
    return code == GENAIR_OK ? p->html.code : code;
}

/* ---- epoch by epoch ---- */

/* "epoch value" lines of a run's metrics.jsonl; *any is set when there is one. */
static genair_code put_curve(struct page *p, const char *run, const char *protocol, struct writer *script, bool *any,
                             genair_status *st) {
    char *path = run_file(p, run, "metrics.jsonl"), *text = NULL;
    size_t size;
    genair_code code = path ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK && file_exists(path)) code = file_read(path, MAX_METRICS, &text, &size, st);
    for (char *line = text; line && *line && code == GENAIR_OK;) {
        char *end = strchrnul(line, '\n');
        json_t *one;
        if (json_read((struct text){line, (size_t)(end - line)}, 0, &one, NULL, st) == GENAIR_MEMORY) code = GENAIR_MEMORY;
        json_t *value = json_object_get(json_object_get(json_object_get(one, "valid"), protocol), "NDCG@10");
        if (json_is_number(value)) {
            *any = true;
            code = writer_printf(script, st, "%d %.6g\n", (int)json_integer_value(json_object_get(one, "epoch")),
                                 json_number_value(value));
        }
        json_decref(one);
        line = *end ? end + 1 : end;
    }
    mem_free(text);
    mem_free(path);
    return code;
}

/* Runs without epochs under this protocol have an empty block, which is not plotted. */
static genair_code put_curves(struct page *p, const char *protocol, struct writer *script, bool *shown, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < p->n_runs && code == GENAIR_OK; i++) {
        code = writer_printf(script, st, "$run%zu << END\n", i);
        if (code == GENAIR_OK) code = put_curve(p, p->runs[i].name, protocol, script, &shown[i], st);
        if (code == GENAIR_OK) code = writer_printf(script, st, "END\n");
    }
    if (code == GENAIR_OK)
        code = writer_printf(script, st, "set xlabel 'epoch'\nset ylabel 'NDCG@10'\nset yrange [0:*]\nset key outside below\n");
    const char *separator = "plot";
    for (size_t i = 0; i < p->n_runs && code == GENAIR_OK; i++) {
        if (!shown[i]) continue;
        code = writer_printf(script, st, "%s $run%zu using 1:2 with linespoints lw 2 pt 7 ps 0.3 title '%s'", separator, i,
                             p->runs[i].name);
        separator = ",";
    }
    return code == GENAIR_OK ? writer_printf(script, st, "\n") : code;
}

static genair_code put_curve_picture(struct page *p, const char *protocol, genair_status *st) {
    struct picture picture;
    char name[32], caption[96];
    bool drawn = false, any = false, *shown = mem_zeros(p->n_runs, sizeof *shown);
    snprintf(name, sizeof name, "curves-%s", protocol);
    snprintf(caption, sizeof caption, "Validation NDCG@10 by epoch, %s protocol", protocol);
    genair_code code = shown ? picture_open(p->staging, name, &picture, st) : fail_memory(st);
    if (code == GENAIR_OK) {
        code = put_curves(p, protocol, picture.script, shown, st);
        for (size_t i = 0; i < p->n_runs; i++)
            any = any || shown[i];
        if (code == GENAIR_OK && any)
            code = picture_draw(p->ctx, &picture, 720, 420, &drawn, st);
        else
            picture_abandon(&picture);
    }
    mem_free(shown);
    if (code != GENAIR_OK || !drawn) return code;
    snprintf(name, sizeof name, "curves-%s.svg", protocol);
    char *path = path_join(p->staging, name);
    if (!path) return fail_memory(st);
    html_figure(&p->html, path, caption);
    mem_free(path);
    return p->html.code;
}

genair_code report_curves(struct page *p, genair_status *st) {
    if (!p->pictures || p->n_runs == 0) return GENAIR_OK;
    html_put(&p->html, "<section><h2>Training</h2>\n<div class=\"figures\">\n");
    genair_code code = GENAIR_OK;
    for (int i = 0; i < N_PROTOCOLS && code == GENAIR_OK; i++)
        code = put_curve_picture(p, protocol_name((enum protocol)i), st);
    html_put(&p->html, "</div></section>\n");
    return code == GENAIR_OK ? p->html.code : code;
}

/* ---- what analyze drew ---- */

static genair_code put_run_pictures(struct page *p, const char *run, genair_status *st) {
    static const char *const pictures[][2] = {
        {"plane", "items in the plane of the two leading components of their learned vectors"},
        {"entropy", "matrix-based entropy of the learned vectors, by popularity"},
        {"groups", "test NDCG@10 by popularity of the target"},
    };
    char stage[96], relative[128], caption[192];
    const json_t *record = report_record(p, "analyze", run);
    snprintf(stage, sizeof stage, "analyze/%.64s", run);
    genair_code code = record ? workspace_verify(p->workspace, stage, st) : GENAIR_OK;
    for (size_t i = 0; i < COUNT(pictures) && code == GENAIR_OK; i++) {
        snprintf(relative, sizeof relative, "analysis/run-%.64s-%s.svg", run, pictures[i][0]);
        if (!json_object_get(json_object_get(record, "outputs"), relative)) continue;
        snprintf(caption, sizeof caption, "%.64s: %s", run, pictures[i][1]);
        char *path = path_join(workspace_path(p->workspace), relative);
        if (path)
            html_figure(&p->html, path, caption);
        else
            code = fail_memory(st);
        mem_free(path);
    }
    return code;
}

genair_code report_run_pictures(struct page *p, genair_status *st) {
    genair_code code = GENAIR_OK;
    bool any = false;
    for (size_t i = 0; i < p->n_runs; i++)
        any = any || report_record(p, "analyze", p->runs[i].name);
    if (!any) return GENAIR_OK;
    html_put(&p->html, "<section><h2>What the runs have learned</h2>\n<div class=\"figures\">\n");
    for (size_t i = 0; i < p->n_runs && code == GENAIR_OK; i++)
        code = put_run_pictures(p, p->runs[i].name, st);
    html_put(&p->html, "</div></section>\n");
    return code == GENAIR_OK ? p->html.code : code;
}
