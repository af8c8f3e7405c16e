/* SPDX-License-Identifier: Apache-2.0 */
/* genair sweep: all combinations of some options of `train`, compared on validation. */
#include "experiment/sweep.h"

#include "workspace/stage_result.h"

#include <string.h>

enum { MANY_POINTS = 200 };

static genair_code check_size(const genair_options *o, const struct grid *g, const genair_options *train, genair_status *st) {
    if (g->n_points <= MANY_POINTS || option_flag(o, "yes")) return GENAIR_OK;
    return fail(st, GENAIR_USAGE,
                "the grid has %zu points, each a training of up to %llu epochs; --yes starts it (it can be stopped and "
                "gone on with at any time)",
                g->n_points, (unsigned long long)sweep_epochs(g, train));
}

static genair_code sweep(genair_context *ctx, const genair_options *o, const struct grid *g, const genair_options *train,
                         json_t **out, genair_status *st) {
    const struct sweep_options options = {
        .name = option_text(o, "name"),
        .grid = g,
        .halving = option_given(o, "halving") ? (uint64_t)option_int(o, "halving") : 0,
        .keep_all = strcmp(option_text(o, "keep"), "all") == 0};
    struct workspace *w;
    genair_code code = check_size(o, g, train, st);
    if (code == GENAIR_OK) code = workspace_open(ctx, option_text(o, "workspace"), "sweep", false, &w, st);
    if (code != GENAIR_OK) return code;
    pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
    code = sweep_run(ctx, w, &guard, train, &options, out, st);
    workspace_close(w);
    return code;
}

GENAIR_API genair_code genair_sweep(genair_context *ctx, const genair_options *o, char **json, genair_status *st) {
    const double begin = context_seconds();
    const char *const *axes;
    struct grid g = {0};
    genair_options *train = NULL;
    json_t *result = NULL;
    genair_code code = options_check_command(o, "sweep", st);
    if (code == GENAIR_OK) code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "grid", st);
    if (code != GENAIR_OK) return code;
    const size_t n = option_list(o, "grid", &axes);
    code = grid_read(n, axes, &g, st);
    if (code == GENAIR_OK) code = genair_options_create("train", &train, st);
    if (code == GENAIR_OK) code = options_pass_on(o, train, NULL, st);
    if (code == GENAIR_OK) code = grid_check_methods(&g, train, st);
    if (code == GENAIR_OK) code = sweep(ctx, o, &g, train, &result, st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    genair_options_free(train);
    grid_free(&g);
    return code;
}
