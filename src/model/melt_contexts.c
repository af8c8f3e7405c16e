/* SPDX-License-Identifier: Apache-2.0 */
#include "model/melt.h"

#include "base/alloc.h"
#include "base/size.h"
#include "base/sort.h"

#include <math.h>

#define HALF_TURN 1.5707963267948966

double melt_weight(double progress, double turn) {
    return fabs(sin(HALF_TURN * progress + turn));
}

double melt_user_turn(double length, double threshold, double most) {
    const double room = most - threshold - 1;
    return room > 0 ? HALF_TURN / room * (fmin(length, most) - threshold - 1) : 0;
}

double melt_item_turn(double count, double threshold) {
    return HALF_TURN / 50 * (fmin(count, threshold + 50) - threshold - 1);
}

size_t melt_context_length(const struct context *c, uint32_t n) {
    return c->backward ? n - c->place : c->place + 1;
}

size_t melt_context_items(const struct melt *s, const struct context *c, size_t room, uint32_t *out) {
    uint32_t n;
    const uint32_t *items = dataset_training(s->seen.data, c->user, &n);
    const size_t length = min_size(melt_context_length(c, n), room);
    for (size_t i = 0; i < length; i++) {
        const size_t before = length - 1 - i; /* the item itself is last */
        out[i] = items[c->backward ? c->place + before : c->place - before];
    }
    return length;
}

/* A history of one item is the same from both ends. */
static int from_both_ends(const void *how, uint32_t n, uint32_t place) {
    (void)how;
    (void)place;
    return n > 1 ? 2 : 1;
}

double melt_item_threshold(const uint32_t *count, uint32_t n_items, double share, double *values) {
    size_t n = 0;
    for (uint32_t i = 1; i <= n_items; i++)
        if (count[i]) values[n++] = count[i];
    /* The published code's two hundredths. */
    return quantile(values, n, fmax(0, share - 0.02));
}

static genair_code deal(struct melt *s, double *values, double share, genair_status *st) {
    const struct dataset *d = s->seen.data;
    s->item_threshold = melt_item_threshold(s->seen.count, d->n_items, share, values);
    s->users.order = mem_array((size_t)d->n_users + 1, sizeof *s->users.order);
    s->items.order = mem_array((size_t)d->n_items + 1, sizeof *s->items.order);
    if (!s->users.order || !s->items.order) return fail_memory(st);
    for (uint32_t u = 0; u < d->n_users; u++) {
        uint32_t length;
        (void)dataset_training(d, u, &length);
        if (length > s->user_threshold) s->users.order[s->users.n++] = u;
    }
    for (uint32_t i = 1; i <= d->n_items; i++)
        if (s->seen.count[i] > s->item_threshold) s->items.order[s->items.n++] = i;
    return GENAIR_OK;
}

genair_code melt_deal(struct melt *s, const struct dataset *data, double share, bool training, genair_status *st) {
    double *values = mem_array(max_size(data->n_users, data->n_items) + 1, sizeof *values);
    if (!values) return fail_memory(st);
    for (uint32_t u = 0; u < data->n_users; u++) {
        uint32_t length;
        (void)dataset_training(data, u, &length);
        values[u] = length;
    }
    s->user_threshold = quantile(values, data->n_users, share);
    genair_code code = training ? contexts_collect(data, from_both_ends, NULL, &s->seen, st) : GENAIR_OK;
    if (code == GENAIR_OK && training) code = deal(s, values, share, st);
    mem_free(values);
    return code;
}

void melt_free(struct melt *s) {
    if (!s) return;
    contexts_free(&s->seen);
    mem_free(s->users.order);
    mem_free(s->items.order);
    mem_free(s);
}
