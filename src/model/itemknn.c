/* SPDX-License-Identifier: Apache-2.0 */
/* itemknn: cosine between items over the users that chose them (Sarwar et al., "Item-based
 * collaborative filtering recommendation algorithms", 2001), binary, with shrinkage: s(i, j) = n(i,
 * j) / (sqrt(n(i) n(j)) + shrinkage),  n(i, j) = users with both in their training part. Each item
 * keeps its k nearest; a history's score for j is the sum of s(i, j) over its distinct items i.
 * Time is the sum of squared history lengths, memory the interactions + items * k; no items ×
 * items. */
#include "model/closed_form_method.h"

#include "base/alloc.h"
#include "base/options.h"
#include "base/size.h"
#include "ranking/topk.h"

#include <math.h>

enum { EXACT_IN_FLOAT = 1 << 24 };

struct fit_work {
    const uint32_t *n_users; /* [n_items + 1] */
    double shrinkage;
    struct topk best;
    float *neighbour, *similarity; /* [n_items + 1, best.k], empty places 0 */
};

static genair_code keep_nearest(void *context, uint32_t item, size_t n, const uint32_t *items,
                                const uint32_t *counts, genair_status *st) {
    (void)st;
    struct fit_work *w = context;
    w->best.n = 0;
    for (size_t i = 0; i < n; i++) {
        const double cosine_below = sqrt((double)w->n_users[item] * (double)w->n_users[items[i]]);
        topk_push(&w->best, (float)(counts[i] / (cosine_below + w->shrinkage)), items[i]);
    }
    topk_sort(&w->best);
    for (size_t i = 0; i < w->best.n; i++) {
        w->neighbour[item * w->best.k + i] = (float)w->best.entries[i].id;
        w->similarity[item * w->best.k + i] = w->best.entries[i].score;
    }
    return GENAIR_OK;
}

static genair_code fit(genair_context *ctx, const genair_options *options,
                       const struct dataset *data, const char *path, genair_status *st) {
    if (data->n_items >= EXACT_IN_FLOAT) /* ids are stored as float32, the only type of our files */
        return fail(st, GENAIR_USAGE,
                    "itemknn holds up to %d items, the workspace has %u; use --method pop",
                    EXACT_IN_FLOAT - 1, data->n_items);
    const size_t k = min_size((size_t)option_int(options, "knn-neighbours"), data->n_items);
    uint32_t *n_users = closed_form_users(data);
    struct scored *entries = mem_array(k, sizeof *entries);
    size_t values;
    const bool fits = mul_size((size_t)data->n_items + 1, k, &values);
    struct fit_work w = {n_users,
                         option_real(options, "knn-shrinkage"),
                         {k, 0, entries},
                         fits ? mem_zeros(values, sizeof(float)) : NULL,
                         fits ? mem_zeros(values, sizeof(float)) : NULL};
    genair_code code =
        n_users && entries && w.neighbour && w.similarity ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK)
        code = cooccurrence_rows(ctx, &data->training, COOCCURRENCE_USER, CLOSED_FORM_INDEX_BYTES,
                                 keep_nearest, &w, st);
    if (code == GENAIR_OK)
        code = closed_form_save(&method_itemknn, path, data->n_items, k, w.neighbour, w.similarity,
                                st);
    mem_free(w.similarity);
    mem_free(w.neighbour);
    mem_free(entries);
    mem_free(n_users);
    return code;
}

static void add_neighbours(const struct closed_form *m, uint32_t item, float *out) {
    const float *id = m->first + item * m->n_columns, *similarity = m->second + item * m->n_columns;
    for (size_t i = 0; i < m->n_columns; i++)
        if (id[i] >= 1 && id[i] <= (float)m->n_items) out[(uint32_t)id[i]] += similarity[i];
}

static genair_code scores(void *model, const struct histories *h, float *out, genair_status *st) {
    return closed_form_sum(model, h, add_neighbours, out, st);
}

const struct closed_form_method method_itemknn = {.name = "itemknn",
                                                  .fit = fit,
                                                  .first = "neighbour",
                                                  .second = "similarity",
                                                  .n_columns = 0,
                                                  .scores = scores};
