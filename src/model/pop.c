/* SPDX-License-Identifier: Apache-2.0 */
/* pop: an item's score is how often the training parts hold it, the same for everybody; with
 * --pop-window, only in the last days before the latest training interaction. */
#include "model/closed_form_method.h"

#include "base/alloc.h"
#include "base/options.h"

#include <string.h>

static const double milliseconds_a_day = 86400e3;

static void count(const struct dataset *d, double window_days, float *counts) {
    int64_t last = INT64_MIN;
    for (uint32_t u = 0; u < d->n_users; u++)
        for (uint64_t i = d->start[u]; i < d->start[u] + d->n_train[u]; i++)
            if (!d->cold[d->item[i]] && d->time[i] > last) last = d->time[i];
    for (uint32_t u = 0; u < d->n_users; u++)
        for (uint64_t i = d->start[u]; i < d->start[u] + d->n_train[u]; i++) {
            const double age = (double)last - (double)d->time[i];
            const bool inside = window_days == 0 || age <= window_days * milliseconds_a_day;
            if (!d->cold[d->item[i]] && inside) counts[d->item[i]]++; /* exact to 2^24 */
        }
}

static genair_code fit(genair_context *ctx, const genair_options *options,
                       const struct dataset *data, const char *path, genair_status *st) {
    (void)ctx;
    float *counts = mem_zeros((size_t)data->n_items + 1, sizeof *counts);
    if (!counts) return fail_memory(st);
    count(data, option_real(options, "pop-window"), counts);
    const genair_code code =
        closed_form_save(&method_pop, path, data->n_items, 1, counts, NULL, st);
    mem_free(counts);
    return code;
}

static genair_code scores(void *model, const struct histories *h, float *out, genair_status *st) {
    (void)st;
    const struct closed_form *m = model;
    const size_t columns = (size_t)m->n_items + 1;
    for (size_t b = 0; b < h->n; b++)
        memcpy(out + b * columns, m->first, columns * sizeof *out);
    return GENAIR_OK;
}

const struct closed_form_method method_pop = {
    .name = "pop", .fit = fit, .first = "popularity", .n_columns = 1, .scores = scores};
