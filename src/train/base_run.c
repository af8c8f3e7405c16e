/* SPDX-License-Identifier: Apache-2.0 */
#include "train/base_run.h"

#include "base/size.h"
#include "workspace/manifest.h"

#include <stdio.h>
#include <string.h>

/* What must agree with the run when its parameters go on training: sizes and shapes of them, where the backbone has them. */
static const struct {
    const char *option, *of; /* of: backbones; NULL: all */
} shapes[] = {{"backbone", NULL}, {"layers", "sasrec bert4rec"}, {"heads", "sasrec bert4rec"}, {"max-len", NULL},
              {"attention", "sasrec"}};

static bool agrees(const struct run *r, const json_t *config, size_t shape) {
    return (shapes[shape].of && !strstr(shapes[shape].of, method_text(config, "backbone"))) ||
           json_equal(json_object_get(r->config, shapes[shape].option), json_object_get(config, shapes[shape].option));
}

static genair_code check(const struct run *r, const json_t *config, const struct method *method, genair_status *st) {
    if (strcmp(method_text(r->config, "method"), "base") != 0)
        return fail(st, GENAIR_USAGE, "--base-run %s is a run of method '%s'; %s builds on one of method base", r->name,
                    method_text(r->config, "method"), method->name);
    if (method_count(r->config, "hidden") != method_count(config, "hidden"))
        return fail(st, GENAIR_USAGE, "--base-run %s has --hidden %zu, this run %zu; they must be equal", r->name,
                    method_count(r->config, "hidden"), method_count(config, "hidden"));
    for (size_t i = 0; method->continues && i < COUNT(shapes); i++)
        if (!agrees(r, config, i))
            return fail(st, GENAIR_USAGE, "--base-run %s was trained with another --%s; %s goes on with it, so they "
                        "must be equal", r->name, shapes[i].option, method->name);
    return GENAIR_OK;
}

/* Whether the workspace has the run, trained on what it holds now. */
static genair_code is_there(const char *workspace, const char *name, bool *out, genair_status *st) {
    struct workspace *w;
    char stage[256];
    const genair_code code = workspace_open_read(NULL, workspace, &w, st);
    if (code != GENAIR_OK) return code;
    snprintf(stage, sizeof stage, "train/%s", name);
    *out = workspace_stage_hash(w, stage) != NULL;
    workspace_close(w);
    return code;
}

genair_code base_run_open(genair_context *ctx, const char *workspace, const json_t *config, const struct method *method,
                          const struct dataset *data, struct run **out, genair_status *st) {
    const char *name = method_text(config, "base-run");
    const char *backbone = method->continues ? method_text(config, "backbone") : "sasrec";
    if (!*name)
        return fail(st, GENAIR_USAGE, "--method %s builds on a finished base run; make one with `genair train -w %s "
                    "--method base --backbone %s --run b1` and name it with --base-run b1", method->name, workspace, backbone);
    struct run *r = NULL;
    bool there = false;
    genair_code code = is_there(workspace, name, &there, st);
    if (code == GENAIR_OK && !there)
        return fail(st, GENAIR_USAGE, "--base-run %s: there is no such run; `genair train -w %s --method base "
                    "--backbone %s --run %s` makes one", name, workspace, backbone, name);
    if (code == GENAIR_OK) code = run_open(ctx, workspace, name, data, &r, st);
    if (code == GENAIR_OK) code = check(r, config, method, st);
    if (code == GENAIR_OK)
        *out = r;
    else
        run_close(r);
    return code;
}

const struct model *base_run_model(const struct run *r) {
    return r->scorer.model;
}

void base_run_copy(const struct run *r, struct model *to) {
    const struct model *from = base_run_model(r);
    for (size_t i = 0; i < parameters_count(from->parameters); i++) {
        const struct parameter *p = parameters_at(from->parameters, i);
        struct parameter *q = parameters_find(to->parameters, p->name);
        if (q && q->rows == p->rows && q->cols == p->cols)
            memcpy(q->value, p->value, p->rows * p->cols * sizeof *p->value);
    }
}
