/* SPDX-License-Identifier: Apache-2.0 */
#include "recommend/likeness.h"

#include "ranking/score_row.h"

#include <math.h>
#include <string.h>

const char *likeness_measure(const struct run *r) {
    if (r->scorer.encode) return "cosine";
    const char *method = json_string_value(json_object_get(r->config, "method"));
    return method && strcmp(method, "pop") == 0 ? NULL : "score";
}

genair_code likeness_row(const struct run *r, uint32_t item, float *out, genair_status *st) {
    if (r->scorer.scores) return score_row(&r->scorer, &item, 1, out, st);
    genair_code code = GENAIR_OK;
    for (uint32_t j = 1; j <= r->scorer.n_items && code == GENAIR_OK; j++)
        code = score_cosine(&r->scorer, item, j, &out[j], st);
    out[0] = -INFINITY;
    return code;
}

genair_code likeness_of(const struct run *r, uint32_t item, const uint32_t *others, size_t n,
                        float *row, float *out, genair_status *st) {
    genair_code code = r->scorer.scores ? score_row(&r->scorer, &item, 1, row, st) : GENAIR_OK;
    for (size_t i = 0; i < n && code == GENAIR_OK; i++) {
        if (r->scorer.scores)
            out[i] = row[others[i]];
        else
            code = score_cosine(&r->scorer, item, others[i], &out[i], st);
    }
    return code;
}
