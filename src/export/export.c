/* SPDX-License-Identifier: Apache-2.0 */
/* genair export: ranks, lists and item vectors of a run, or the data, as files of other programs. Reads the workspace
 * without its lock and writes nothing in it. */
#include "export/export.h"

#include "base/alloc.h"
#include "base/context.h"
#include "base/files.h"
#include "base/options.h"
#include "base/size.h"
#include "model/load.h"
#include "ranking/ranks_file.h"
#include "workspace/npy.h"
#include "workspace/stage_input.h"
#include "workspace/stage_result.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct export {
    genair_context *ctx;
    const genair_options *options;
    const struct run *run;
    const char *out;
    json_t *files;
};

static genair_code note(const struct export *e, const char *path, genair_status *st) {
    return json_array_append_new(e->files, json_string(path)) == 0 ? GENAIR_OK : fail_memory(st);
}

/* ---- of a run ---- */

static genair_code rank(const struct export *e, enum protocol protocol, struct ranking_result *out,
                        genair_status *st) {
    const enum part part = part_named(option_text(e->options, "part"));
    return ranking_evaluate(context_parallel(e->ctx), &e->run->scorer, e->run->data, part, protocol, out, st);
}

static genair_code export_ranks(const struct export *e, genair_status *st) {
    const bool sampled = strcmp(option_text(e->options, "protocol"), protocol_name(PROTOCOL_SAMPLED)) == 0;
    struct ranking_result r = {0};
    genair_code code = rank(e, sampled ? PROTOCOL_SAMPLED : PROTOCOL_FULL, &r, st);
    if (code == GENAIR_OK) code = ranks_file_write(e->out, e->run->data, &r, st);
    ranking_result_free(&r);
    return code == GENAIR_OK ? note(e, e->out, st) : code;
}

static genair_code export_lists(const struct export *e, genair_status *st) {
    struct ranking_result r = {0};
    genair_code code = rank(e, PROTOCOL_FULL, &r, st);
    if (code == GENAIR_OK) code = lists_file_write(e->out, e->run->data, &r, st);
    ranking_result_free(&r);
    return code == GENAIR_OK ? note(e, e->out, st) : code;
}

/* The ids of the rows, a line each, as `embed --ids` reads them. */
static genair_code write_ids(const char *path, const struct dataset *d, genair_status *st) {
    struct writer *w;
    genair_code code = writer_open(path, &w, st);
    if (code != GENAIR_OK) return code;
    for (uint32_t i = 1; code == GENAIR_OK && i <= d->n_items; i++) {
        const struct text id = dataset_item_name(d, i);
        code = writer_put(w, id.p, id.n, st);
        if (code == GENAIR_OK) code = writer_put(w, "\n", 1, st);
    }
    if (code == GENAIR_OK) return writer_commit(w, st);
    writer_abandon(w);
    return code;
}

static genair_code export_items(const struct export *e, genair_status *st) {
    const struct scorer *s = &e->run->scorer;
    if (!s->item_vectors)
        return fail(st, GENAIR_USAGE, "run '%s' is of a method without item vectors; export a learned run", e->run->name);
    struct stat info;
    if (stat(e->out, &info) == 0 && !S_ISREG(info.st_mode))
        return fail_line(st, GENAIR_USAGE, e->out, 0, "items are two files, vectors and ids: --out must name the first");
    const size_t n = strlen(e->out) + sizeof ".ids";
    char *ids = mem_array(n, 1);
    if (!ids) return fail_memory(st);
    snprintf(ids, n, "%s.ids", e->out);
    genair_code code = stage_output_check(option_text(e->options, "workspace"), "out", ids, st);
    if (code == GENAIR_OK) code = npy_write_f32(e->out, s->n_items, s->width, s->item_vectors + s->width, st);
    if (code == GENAIR_OK) code = note(e, e->out, st);
    if (code == GENAIR_OK) code = write_ids(ids, e->run->data, st);
    if (code == GENAIR_OK) code = note(e, ids, st);
    mem_free(ids);
    return code;
}

/* ---- the command ---- */

static const struct {
    const char *what;
    genair_code (*write)(const struct export *, genair_status *);
} of_run[] = {{"ranks", export_ranks}, {"lists", export_lists}, {"items", export_items}};

static genair_code export_run(struct export *e, const char *what, genair_status *st) {
    const char *workspace = option_text(e->options, "workspace");
    struct dataset *data;
    struct run *run = NULL;
    genair_code code = option_require(e->options, "run", st);
    if (code == GENAIR_OK) code = dataset_open(workspace, &data, st);
    if (code != GENAIR_OK) return code;
    code = run_open(e->ctx, workspace, option_text(e->options, "run"), data, &run, st);
    e->run = run;
    for (size_t i = 0; code == GENAIR_OK && i < COUNT(of_run); i++)
        if (strcmp(of_run[i].what, what) == 0) code = of_run[i].write(e, st);
    run_close(run);
    dataset_close(data);
    return code;
}

static genair_code check_options(const genair_options *o, const char *what, genair_status *st) {
    static const struct {
        const char *option, *whats;
    } readers[] = {{"run", "ranks, lists and items"}, {"part", "ranks and lists"}, {"protocol", "ranks"}};
    for (size_t i = 0; i < COUNT(readers); i++)
        if (option_asked(o, readers[i].option) && !strstr(readers[i].whats, what))
            return fail(st, GENAIR_USAGE, "--what %s reads no --%s; it belongs to %s", what, readers[i].option,
                        readers[i].whats);
    return GENAIR_OK;
}

GENAIR_API genair_code genair_export(genair_context *ctx, const genair_options *o, char **json, genair_status *st) {
    const double begin = context_seconds();
    genair_code code = options_check_command(o, "export", st);
    if (code == GENAIR_OK) code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "what", st);
    if (code == GENAIR_OK) code = option_require(o, "out", st);
    if (code != GENAIR_OK) return code;
    const char *what = option_text(o, "what");
    code = check_options(o, what, st);
    if (code == GENAIR_OK) code = stage_output_check(option_text(o, "workspace"), "out", option_text(o, "out"), st);
    if (code != GENAIR_OK) return code;
    struct export e = {.ctx = ctx, .options = o, .out = option_text(o, "out"), .files = json_array()};
    json_t *result = json_pack("{s:s, s:O}", "what", what, "files", e.files);
    if (!result)
        code = fail_memory(st);
    else if (strcmp(what, "recbole") == 0)
        code = export_recbole(option_text(o, "workspace"), e.out, e.files, st);
    else
        code = export_run(&e, what, st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    json_decref(e.files);
    return code;
}
