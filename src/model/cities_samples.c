/* SPDX-License-Identifier: Apache-2.0 */
/* CITIES: which items are head and which tail, and contexts laid out for F. */
#include "model/cities.h"

#include "base/alloc.h"
#include "base/size.h"
#include "model/melt.h"
#include "tensor/ops.h"

#include <math.h>
#include <string.h>

enum { FEWEST_TOKENS = 3 }; /* of a context that counts */

/* Items to the left and to the right of a place within the window. */
static size_t left_of(size_t window, uint32_t place) {
    return min_size(window, place);
}

static size_t right_of(size_t window, uint32_t n, uint32_t place) {
    return min_size(window, n - 1 - place);
}

static int long_enough(const void *window, uint32_t n, uint32_t place) {
    const size_t w = *(const size_t *)window;
    return left_of(w, place) + 1 + right_of(w, n, place) >= FEWEST_TOKENS;
}

/* ---- head and tail ---- */

static bool is_pareto(const json_t *options) {
    return strcmp(method_text(options, "cities-head"), "pareto") == 0;
}

static genair_code choose_threshold(struct cities *s, const json_t *options, genair_status *st) {
    const uint32_t n_items = s->seen.data->n_items;
    s->threshold = method_real(options, "cities-head-min");
    if (!is_pareto(options)) return GENAIR_OK;
    double *values = mem_array((size_t)n_items + 1, sizeof *values);
    if (!values) return fail_memory(st);
    s->threshold = melt_item_threshold(s->seen.count, n_items, method_real(options, "melt-pareto"), values);
    mem_free(values);
    return GENAIR_OK;
}

static bool has_contexts(const struct cities *s, uint32_t item) {
    return s->seen.start[item + 1] > s->seen.start[item];
}

static genair_code hold_out(struct cities *s, const json_t *options, uint64_t seed, genair_status *st) {
    const uint32_t n_items = s->seen.data->n_items;
    const double share = method_real(options, "cities-val");
    size_t n = 0;
    s->held = mem_array((size_t)n_items + 1, sizeof *s->held);
    if (!s->held) return fail_memory(st);
    struct rng r = rng_start(seed, RNG_CITIES, 0);
    for (uint32_t i = 1; i <= n_items; i++) {
        if (s->seen.count[i] <= s->threshold || !has_contexts(s, i)) continue;
        const size_t j = rng_below(&r, ++n); /* in a drawn order */
        s->held[n - 1] = s->held[j];
        s->held[j] = i;
    }
    if (n < 2)
        return fail(st, GENAIR_USAGE, "--method cities learns from frequent items in context, and %zu occur%s more than %g times "
                    "in histories of at least %d; lower --%s", n, n == 1 ? "s" : "", s->threshold, FEWEST_TOKENS,
                    is_pareto(options) ? "melt-pareto" : "cities-head-min");
    s->n_held = max_size(1, min_size(n - 1, (size_t)(share * (double)n)));
    s->learning = s->held + s->n_held;
    s->n_learning = n - s->n_held;
    return GENAIR_OK;
}

/* The table of Vaswani et al. (2017), as small as item vectors are. */
static genair_code make_places(struct cities *s, size_t d, genair_status *st) {
    const size_t n = 2 * s->window + 1;
    s->places = mem_array(n * d, sizeof *s->places);
    if (!s->places) return fail_memory(st);
    for (size_t k = 0; k < n; k++)
        for (size_t c = 0; c < d; c++) {
            const double turn = (double)k / pow(10000, (double)(c / 2 * 2) / (double)d);
            s->places[k * d + c] = (float)((c % 2 ? cos(turn) : sin(turn)) / sqrt((double)d));
        }
    return GENAIR_OK;
}

genair_code cities_deal(struct cities *s, const struct dataset *data, const json_t *options, size_t width, uint64_t seed,
                        genair_status *st) {
    genair_code code = make_places(s, width, st);
    if (code == GENAIR_OK) code = contexts_collect(data, long_enough, &s->window, &s->seen, st);
    if (code == GENAIR_OK) code = choose_threshold(s, options, st);
    return code == GENAIR_OK ? hold_out(s, options, seed, st) : code;
}

void cities_free(struct cities *s) {
    if (!s) return;
    contexts_free(&s->seen);
    mem_free(s->held);
    mem_free(s->places);
    mem_free(s);
}

/* ---- samples ---- */

bool cities_sample_open(struct tape *t, const struct cities *s, size_t n_items, size_t n_contexts,
                        struct cities_sample *out) {
    const size_t n_tokens = n_contexts * (2 * s->window + 1);
    *out = (struct cities_sample){.group = tape_array(t, n_items + 1, sizeof *out->group),
                                  .drawn = tape_array(t, n_contexts + 1, sizeof *out->drawn),
                                  .place = tape_array(t, n_contexts + 1, sizeof *out->place),
                                  .offsets = tape_array(t, n_contexts + 1, sizeof *out->offsets),
                                  .item = tape_array(t, n_tokens + 1, sizeof *out->item),
                                  .slot = tape_array(t, n_tokens + 1, sizeof *out->slot)};
    if (!out->group || !out->drawn || !out->place || !out->offsets || !out->item || !out->slot) return false;
    out->group[0] = out->offsets[0] = 0;
    return true;
}

static void cities_add_context(struct cities_sample *sample, const struct cities *s, const struct context *c) {
    uint32_t n;
    const uint32_t *items = dataset_training(s->seen.data, c->user, &n);
    const size_t left = left_of(s->window, c->place), right = right_of(s->window, n, c->place);
    for (size_t i = c->place - left; i <= c->place + right; i++) {
        sample->item[sample->n_tokens] = i == c->place ? MASK_ROW : items[i];
        sample->slot[sample->n_tokens++] = (uint32_t)(s->window + i - c->place);
    }
    sample->drawn[sample->n_drawn++] = (uint32_t)sample->n_contexts;
    sample->offsets[++sample->n_contexts] = (uint32_t)sample->n_tokens;
}

void cities_end_item(struct cities_sample *sample) {
    sample->group[++sample->n_items] = (uint32_t)sample->n_drawn;
}

/* The context at that place of seen.context: a new one, or one that the item has already. */
static void add_place(struct cities_sample *sample, const struct cities *s, uint64_t place) {
    for (size_t c = sample->first_of_item; c < sample->n_contexts; c++) {
        if (sample->place[c] != place) continue;
        sample->drawn[sample->n_drawn++] = (uint32_t)c;
        return;
    }
    sample->place[sample->n_contexts] = place;
    cities_add_context(sample, s, &s->seen.context[place]);
}

void cities_add_drawn(struct cities_sample *sample, const struct cities *s, uint32_t item, size_t k, struct rng *r) {
    const uint64_t first = s->seen.start[item], n = s->seen.start[item + 1] - first;
    if (item != sample->item_now) sample->first_of_item = sample->n_contexts;
    sample->item_now = item;
    for (size_t i = 0; i < k; i++) add_place(sample, s, first + rng_below(r, n));
    cities_end_item(sample);
}

void cities_add_whole(struct cities_sample *sample, const struct cities *s, uint32_t item) {
    for (uint64_t c = s->seen.start[item]; c < s->seen.start[item + 1]; c++)
        cities_add_context(sample, s, &s->seen.context[c]);
    cities_end_item(sample);
}
