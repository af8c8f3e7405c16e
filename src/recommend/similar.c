/* SPDX-License-Identifier: Apache-2.0 */
/* genair similar: the items most alike to one, in the eyes of a run. */
#include "genair.h"

#include "base/alloc.h"
#include "base/options.h"
#include "base/size.h"
#include "ranking/topk.h"
#include "workspace/catalogue.h"
#include "recommend/likeness.h"
#include "workspace/stage_result.h"

#include <math.h>

static json_t *list_json(const struct catalogue *c, const struct topk *best) {
    json_t *items = json_array();
    for (size_t i = 0; i < best->n; i++) {
        json_t *row = json_object();
        if (json_array_append_new(items, row) != 0 ||
            !catalogue_describe(c, best->entries[i].id, "item", "name", row) ||
            json_object_set_new(row, "score", json_real((double)best->entries[i].score)) != 0) {
            json_decref(items);
            return NULL;
        }
    }
    return items;
}

static genair_code list_similar(const genair_options *o, const struct catalogue *c,
                                const struct run *r, uint32_t item, json_t **out,
                                genair_status *st) {
    const char *measure = likeness_measure(r);
    if (!measure)
        return fail(
            st, GENAIR_USAGE,
            "run '%s' is of method pop, to which no two items are alike; use a run of another "
            "method",
            r->name);
    struct topk best = {min_size((size_t)option_int(o, "k"), c->data->n_items), 0, NULL};
    best.entries = mem_array(best.k, sizeof *best.entries);
    float *row = mem_array((size_t)c->data->n_items + 1, sizeof *row);
    genair_code code = best.entries && row ? likeness_row(r, item, row, st) : fail_memory(st);
    if (code == GENAIR_OK) {
        row[item] = -INFINITY;
        topk_push_row(&best, kernels_select(NULL), row, (size_t)c->data->n_items + 1, 0);
        topk_sort(&best);
        json_t *result = json_pack("{s:s, s:s}", "run", r->name, "measure", measure);
        if (!result || !catalogue_describe(c, item, "of", "of_name", result) ||
            json_object_set_new(result, "items", list_json(c, &best)) != 0) {
            json_decref(result);
            code = fail_memory(st);
        } else {
            *out = result;
        }
    }
    mem_free(row);
    mem_free(best.entries);
    return code;
}

static genair_code similar(genair_context *ctx, const genair_options *o, json_t **out,
                           genair_status *st) {
    const char *workspace = option_text(o, "workspace");
    struct catalogue c;
    uint32_t item;
    genair_code code = catalogue_open(workspace, &c, st);
    if (code != GENAIR_OK) return code;
    code = catalogue_item(&c, option_text(o, "item"), &item, st);
    if (code == GENAIR_OK) {
        struct run *r;
        code = run_open(ctx, workspace, option_text(o, "run"), c.data, &r, st);
        if (code == GENAIR_OK) {
            code = list_similar(o, &c, r, item, out, st);
            run_close(r);
        }
    }
    catalogue_close(&c);
    return code;
}

GENAIR_API genair_code genair_similar(genair_context *ctx, const genair_options *o, char **json,
                                      genair_status *st) {
    const double begin = context_seconds();
    json_t *result = NULL;
    genair_code code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "run", st);
    if (code == GENAIR_OK) code = option_require(o, "item", st);
    if (code == GENAIR_OK) code = similar(ctx, o, &result, st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}
