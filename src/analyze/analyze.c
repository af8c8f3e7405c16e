/* SPDX-License-Identifier: Apache-2.0 */
/* genair analyze: maps of the item vectors, and a look at runs; numbers and pictures into WORKSPACE/analysis. */
#include "genair.h"

#include "analyze/item_map.h"
#include "analyze/run_view.h"
#include "workspace/stage_result.h"

/* Without item vectors there are still runs to look at. */
static genair_code add_item_map(struct analysis *a, bool runs_given, json_t *out, genair_status *st) {
    if (runs_given && !workspace_stage_hash(a->workspace, "embed")) {
        context_info(a->ctx, "no t-SNE: there are no item vectors here, 'genair archetype' or 'genair embed' makes some");
        return GENAIR_OK;
    }
    json_t *one = NULL;
    const genair_code code = item_map(a, &one, st);
    if (code != GENAIR_OK) {
        json_decref(one);
        return code;
    }
    return json_object_set_new(out, "item_vectors", one) == 0 ? GENAIR_OK : fail_memory(st);
}

static genair_code add_runs(struct analysis *a, size_t n, const char *const *names, json_t *out, genair_status *st) {
    json_t *runs = json_array();
    if (json_object_set_new(out, "runs", runs) != 0) return fail_memory(st);
    for (size_t i = 0; i < n; i++) {
        json_t *one = NULL;
        const genair_code code = run_view(a, names[i], &one, st);
        if (code != GENAIR_OK) {
            json_decref(one);
            return code;
        }
        if (json_array_append_new(runs, one) != 0) return fail_memory(st);
    }
    return GENAIR_OK;
}

static genair_code analyze(struct analysis *a, json_t *out, genair_status *st) {
    const char *const *names;
    const size_t n = option_list(a->options, "run", &names);
    a->pictures = pictures_possible();
    if (!a->pictures)
        context_info(a->ctx, "no pictures: they need gnuplot (the Debian package gnuplot-nox); the numbers are made");
    genair_code code = add_item_map(a, n > 0, out, st);
    if (code == GENAIR_OK && n > 0) code = add_runs(a, n, names, out, st);
    return code;
}

static genair_code with_workspace(struct analysis *a, json_t *out, genair_status *st) {
    const char *path = option_text(a->options, "workspace");
    struct dataset *data;
    genair_code code = workspace_open(a->ctx, path, "analyze", false, &a->workspace, st);
    if (code != GENAIR_OK) return code;
    code = dataset_open(path, &data, st);
    if (code == GENAIR_OK) {
        a->data = data;
        code = analyze(a, out, st);
        dataset_close(data);
    }
    workspace_close(a->workspace);
    return code;
}

GENAIR_API genair_code genair_analyze(genair_context *ctx, const genair_options *o, char **json, genair_status *st) {
    const double begin = context_seconds();
    struct analysis a = {.ctx = ctx, .options = o};
    genair_code code = options_check_command(o, "analyze", st);
    if (code == GENAIR_OK) code = option_require(o, "workspace", st);
    if (code != GENAIR_OK) return code;
    json_t *result = json_object();
    code = result ? with_workspace(&a, result, st) : fail_memory(st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}
