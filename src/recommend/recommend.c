/* SPDX-License-Identifier: Apache-2.0 */
/* genair recommend: the items most likely to come next, for users of the log or for a history typed
 * in. */
#include "genair.h"

#include "base/options.h"
#include "ranking/index.h"
#include "recommend/asked.h"
#include "workspace/stage_result.h"

static genair_code recommend(genair_context *ctx, const genair_options *o, json_t *out,
                             genair_status *st) {
    const char *const *names;
    const bool users = option_list(o, "user", &names) > 0,
               items = option_list(o, "history", &names) > 0;
    if (users == items)
        return fail(
            st, GENAIR_USAGE,
            "recommend needs --user ID..., or --history ITEM...%s; 'genair help recommend' shows "
            "an example",
            users ? ", not both" : "");
    struct index_setting index;
    struct recommender *r;
    genair_code code = index_asked(o, &index, st);
    if (code != GENAIR_OK) return code;
    code = recommender_open(ctx, option_text(o, "workspace"), option_text(o, "run"), option_flag(o, "explain"), &r, st);
    if (code != GENAIR_OK) return code;
    if (index.approximate) code = recommender_index(r, &index, ctx, st); /* an exact one does not pay for a few lists */
    if (code == GENAIR_OK) code = recommend_asked(ctx, r, o, out, st);
    recommender_close(r);
    return code;
}

GENAIR_API genair_code genair_recommend(genair_context *ctx, const genair_options *o, char **json,
                                        genair_status *st) {
    const double begin = context_seconds();
    genair_code code = options_check_command(o, "recommend", st);
    if (code == GENAIR_OK) code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "run", st);
    if (code != GENAIR_OK) return code;
    json_t *result = json_object();
    code = result ? recommend(ctx, o, result, st) : fail_memory(st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}
