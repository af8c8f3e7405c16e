/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/analysis.h"

#include "base/alloc.h"
#include "base/json_text.h"
#include "base/size.h"

#include <stdlib.h>
#include <string.h>

#define STAGING "analyze.partial"

static void add_output(struct analysis *a, const char *name, const char *suffix) {
    snprintf(a->outputs[a->n_outputs++], ANALYSIS_NAME, ANALYSIS_DIRECTORY "/%.100s.%s", name, suffix);
}

static genair_code make_directory(const char *parent, genair_status *st) {
    char *path = path_join(parent, ANALYSIS_DIRECTORY);
    const genair_code code = path ? directory_make(path, st) : fail_memory(st);
    mem_free(path);
    return code;
}

static bool name_files(const struct analysis *a, json_t *result) {
    json_t *files = json_array();
    bool done = json_object_set_new(result, "files", files) == 0;
    for (size_t i = 0; i < a->n_outputs && done; i++)
        done = json_array_append_new(files, json_string(a->outputs[i])) == 0;
    return done;
}

/* What the record says: of pictures that could not be drawn, that there was nothing to draw with, so that they are tried again. */
static genair_code publish(struct analysis *a, const char *stage, const json_t *inputs, const char *const *outputs,
                           const json_t *result, genair_status *st) {
    json_t *recorded = json_deep_copy(inputs);
    genair_code code = recorded ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK && a->undrawn && json_object_set_new(recorded, "pictures", json_false()) != 0) code = fail_memory(st);
    if (code == GENAIR_OK)
        code = workspace_publish(a->workspace, stage, recorded, a->staging, outputs, a->n_outputs, result, st);
    json_decref(recorded);
    return code;
}

/* Written apart and moved into place together with the record: a failure leaves the earlier files. */
static genair_code make_and_record(struct analysis *a, const char *stage, const json_t *inputs, analysis_make *make,
                                   void *user, json_t **result, genair_status *st) {
    const char *outputs[ANALYSIS_MAX_OUTPUTS];
    a->n_outputs = 0;
    a->undrawn = false;
    genair_code code = make_directory(a->staging, st);
    if (code == GENAIR_OK) code = make_directory(workspace_path(a->workspace), st);
    if (code == GENAIR_OK) code = make(a, user, result, st);
    for (size_t i = 0; i < a->n_outputs; i++)
        outputs[i] = a->outputs[i];
    if (code == GENAIR_OK && !name_files(a, *result)) code = fail_memory(st);
    if (code == GENAIR_OK) code = publish(a, stage, inputs, outputs, *result, st);
    const genair_code removed = directory_remove(a->staging, code == GENAIR_OK ? st : NULL);
    return code == GENAIR_OK ? removed : code;
}

genair_code analysis_bring_up_to_date(struct analysis *a, const char *stage, const json_t *inputs, const char *what,
                                      analysis_make *make, void *user, json_t **result, genair_status *st) {
    json_t *recorded = NULL;
    if (!inputs) return fail_memory(st);
    if (workspace_is_current(a->workspace, stage, inputs, &recorded)) {
        context_info(a->ctx, "nothing to do: %s analysed already", what);
        *result = json_incref(recorded);
        return GENAIR_OK;
    }
    a->staging = path_join(workspace_path(a->workspace), STAGING);
    const genair_code code =
        a->staging ? make_and_record(a, stage, inputs, make, user, result, st) : fail_memory(st);
    mem_free(a->staging);
    return code;
}

genair_code analysis_put_json(struct analysis *a, const char *name, const json_t *value, genair_status *st) {
    add_output(a, name, "json");
    char *text = json_text(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
    char *path = path_join(a->staging, a->outputs[a->n_outputs - 1]);
    struct writer *w = NULL;
    genair_code code = text && path ? writer_open(path, &w, st) : fail_memory(st);
    if (code == GENAIR_OK) code = writer_printf(w, st, "%s\n", text);
    if (code == GENAIR_OK)
        code = writer_commit(w, st);
    else
        writer_abandon(w);
    mem_free(path);
    free(text); /* jansson's */
    return code;
}

genair_code analysis_put_picture(struct analysis *a, const char *name, int width, int height, analysis_draw *draw,
                                 const void *user, genair_status *st) {
    if (!a->pictures) return GENAIR_OK;
    struct picture p;
    bool drawn = false;
    char *directory = path_join(a->staging, ANALYSIS_DIRECTORY);
    genair_code code = directory ? picture_open(directory, name, &p, st) : fail_memory(st);
    mem_free(directory);
    if (code != GENAIR_OK) return code;
    code = draw(p.script, user, st);
    if (code != GENAIR_OK) {
        picture_abandon(&p);
        return code;
    }
    code = picture_draw(a->ctx, &p, width, height, &drawn, st);
    if (!drawn) a->undrawn = true;
    if (!drawn) return code;
    add_output(a, name, "png");
    add_output(a, name, "svg");
    return code;
}

json_t *analysis_points_json(const double *y, size_t n) {
    json_t *points = json_array();
    for (size_t i = 0; points && i < n; i++)
        if (json_array_append_new(points, json_pack("[f, f]", y[2 * i], y[2 * i + 1])) != 0) {
            json_decref(points);
            return NULL;
        }
    return points;
}
