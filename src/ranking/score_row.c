/* SPDX-License-Identifier: Apache-2.0 */
#include "ranking/score_row.h"

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "ranking/rank.h"

#include <math.h>

/* Column 0 is no item. */
static genair_code check_row(const struct scorer *s, float *row, genair_status *st) {
    row[0] = 0;
    const size_t columns = (size_t)s->n_items + 1, bad = first_not_finite(row, columns);
    if (bad < columns)
        return fail(st, GENAIR_FORMAT,
                    "the score of item number %zu is not a finite number: train the run again",
                    bad);
    row[0] = -INFINITY;
    return GENAIR_OK;
}

genair_code score_row_of(const struct scorer *s, const float *user, float *row, genair_status *st) {
    const struct kernels *k = kernels_select(NULL);
    for (size_t i = 1; i <= s->n_items; i++)
        row[i] = k->dot(user, s->item_vectors + i * s->width, s->width);
    return check_row(s, row, st);
}

static genair_code score_by_vectors(const struct scorer *s, const struct histories *h, float *row,
                                    genair_status *st) {
    float *user = mem_array(s->width, sizeof *user);
    if (!user) return fail_memory(st);
    genair_code code = s->encode(s->model, h, user, st);
    if (code == GENAIR_OK) code = score_row_of(s, user, row, st);
    mem_free(user);
    return code;
}

genair_code score_row(const struct scorer *s, const uint32_t *history, size_t n, float *row,
                      genair_status *st) {
    const uint64_t offsets[] = {0, n};
    const struct histories h = {.n = 1, .offsets = offsets, .items = history};
    if (s->encode) return score_by_vectors(s, &h, row, st);
    const genair_code code = s->scores(s->model, &h, row, st);
    return code == GENAIR_OK ? check_row(s, row, st) : code;
}

genair_code score_cosine(const struct scorer *s, uint32_t a, uint32_t b, float *out, genair_status *st) {
    const struct kernels *k = kernels_select(NULL);
    const float *x = s->item_vectors + a * s->width, *y = s->item_vectors + b * s->width;
    const float both = sqrtf(k->dot(x, x, s->width)) * sqrtf(k->dot(y, y, s->width));
    *out = both == 0 ? 0 : k->dot(x, y, s->width) / both;
    if (isfinite(*out)) return GENAIR_OK;
    return fail(st, GENAIR_FORMAT,
                "the vector of item number %u or %u holds a value that is not a finite number: train the run again", a, b);
}

genair_code score_cosines(const struct scorer *s, const uint32_t *items, size_t n, uint32_t b, float *out,
                          genair_status *st) {
    float sum = 0, one;
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < n && code == GENAIR_OK; i++) {
        code = score_cosine(s, items[i], b, &one, st);
        if (code == GENAIR_OK) sum += one;
    }
    *out = sum;
    return code;
}
