/* SPDX-License-Identifier: Apache-2.0 */
/* genair similar: the items most alike to one, in the eyes of a run. */
#include "genair.h"

#include "base/options.h"
#include "recommend/asked.h"
#include "workspace/stage_result.h"

static genair_code similar(genair_context *ctx, const genair_options *o, json_t *out,
                           genair_status *st) {
    struct recommender *r;
    genair_code code =
        recommender_open(ctx, option_text(o, "workspace"), option_text(o, "run"), false, &r, st);
    if (code != GENAIR_OK) return code;
    code = similar_asked(r, o, out, st);
    recommender_close(r);
    return code;
}

GENAIR_API genair_code genair_similar(genair_context *ctx, const genair_options *o, char **json,
                                      genair_status *st) {
    const double begin = context_seconds();
    genair_code code = options_check_command(o, "similar", st);
    if (code == GENAIR_OK) code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "run", st);
    if (code == GENAIR_OK) code = option_require(o, "item", st);
    if (code != GENAIR_OK) return code;
    json_t *result = json_object();
    code = result ? similar(ctx, o, result, st) : fail_memory(st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}
