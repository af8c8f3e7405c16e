/* SPDX-License-Identifier: Apache-2.0 */
#include "recommend/likeness.h"

#include "kernels/kernels.h"
#include "ranking/score_row.h"

#include <math.h>
#include <string.h>

const char *likeness_measure(const struct run *r) {
    if (r->scorer.encode) return "cosine";
    const char *method = json_string_value(json_object_get(r->config, "method"));
    return method && strcmp(method, "pop") == 0 ? NULL : "score";
}

static genair_code cosine(const struct scorer *s, const struct kernels *k, uint32_t a, uint32_t b,
                          float *out, genair_status *st) {
    const float *x = s->item_vectors + a * s->width, *y = s->item_vectors + b * s->width;
    const float both = sqrtf(k->dot(x, x, s->width)) * sqrtf(k->dot(y, y, s->width));
    *out = both == 0 ? 0 : k->dot(x, y, s->width) / both; /* a zero vector is like nothing */
    if (isfinite(*out)) return GENAIR_OK;
    return fail(st, GENAIR_FORMAT,
                "the vector of item number %u or %u holds a value that is not a finite number: train "
                "the run again",
                a, b);
}

genair_code likeness_row(const struct run *r, uint32_t item, float *out, genair_status *st) {
    if (r->scorer.scores) return score_row(&r->scorer, &item, 1, out, st);
    const struct kernels *k = kernels_select(NULL);
    genair_code code = GENAIR_OK;
    for (uint32_t j = 1; j <= r->scorer.n_items && code == GENAIR_OK; j++)
        code = cosine(&r->scorer, k, item, j, &out[j], st);
    out[0] = -INFINITY;
    return code;
}

genair_code likeness_of(const struct run *r, uint32_t item, const uint32_t *others, size_t n,
                        float *row, float *out, genair_status *st) {
    const struct kernels *k = kernels_select(NULL);
    genair_code code = r->scorer.scores ? score_row(&r->scorer, &item, 1, row, st) : GENAIR_OK;
    for (size_t i = 0; i < n && code == GENAIR_OK; i++) {
        if (r->scorer.scores)
            out[i] = row[others[i]];
        else
            code = cosine(&r->scorer, k, item, others[i], &out[i], st);
    }
    return code;
}
