/* SPDX-License-Identifier: Apache-2.0 */
/* Lists are by direction alone (spherical k-means): by distance, long vectors get lists of their own and the short ones share a
 * few large lists (docs/decisions.md). Trained on a sample; then every item is assigned. */
#include "ranking/partition.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"
#include "ranking/lists.h"
#include "ranking/rank.h"

#include <math.h>
#include <string.h>

enum { SAMPLED_FOR_LIST = 64, ITEMS_OF_TASK = 4096 };

struct work {
    const struct scorer *scorer;
    struct partition *partition;
    uint32_t *list;        /* [n_items] */
    float **scratch;       /* [threads] [ITEMS_OF_TASK, width] */
    genair_status *failed; /* [threads] */
};

/* Of length 1; zeros stay so. */
static void direction(const struct scorer *s, size_t id, float *out) {
    const float *v = s->item_vectors + id * s->width;
    double square = 0;
    for (size_t k = 0; k < s->width; k++) square += (double)v[k] * (double)v[k];
    const double scale = square > 0 ? 1 / sqrt(square) : 0;
    for (size_t k = 0; k < s->width; k++) out[k] = (float)((double)v[k] * scale);
}

/* One item of each of n equal stretches. */
static genair_code train(const struct scorer *s, uint64_t seed, struct partition *p, genair_status *st) {
    const size_t n = min_size((size_t)p->n_lists * SAMPLED_FOR_LIST, s->n_items);
    float *sample = mem_array(n * s->width, sizeof *sample);
    if (!sample) return fail_memory(st);
    for (size_t i = 0; i < n; i++) {
        const uint64_t first = i * s->n_items / n, end = (i + 1) * s->n_items / n;
        struct rng r = rng_start(seed, RNG_LISTS, i);
        direction(s, 1 + first + rng_below(&r, end - first), sample + i * s->width);
    }
    const genair_code code = lists_train(sample, n, s->width, p->n_lists, seed, p->centres, st);
    mem_free(sample);
    return code;
}

static void assign(void *context, size_t task, int worker) {
    struct work *w = context;
    const size_t first = task * ITEMS_OF_TASK, n = min_size(ITEMS_OF_TASK, w->scorer->n_items - first), width = w->scorer->width;
    float *x = w->scratch[worker];
    genair_status *st = &w->failed[worker];
    if (st->code != GENAIR_OK) return;
    for (size_t i = 0; i < n; i++) direction(w->scorer, 1 + first + i, x + i * width);
    st->code = lists_assign(w->partition->centres, w->partition->n_lists, width, x, n, w->list + first, st);
}

static genair_code assign_all(struct work *w, struct parallel *parallel, genair_status *st) {
    const int n_threads = parallel_threads(parallel);
    genair_code code = GENAIR_OK;
    w->scratch = mem_zeros((size_t)n_threads, sizeof *w->scratch);
    w->failed = mem_zeros((size_t)n_threads, sizeof *w->failed);
    if (!w->scratch || !w->failed) code = fail_memory(st);
    for (int i = 0; i < n_threads && code == GENAIR_OK; i++) {
        w->scratch[i] = mem_array(ITEMS_OF_TASK * w->scorer->width, sizeof **w->scratch);
        if (!w->scratch[i]) code = fail_memory(st);
    }
    if (code == GENAIR_OK) parallel_run(parallel, ((size_t)w->scorer->n_items + ITEMS_OF_TASK - 1) / ITEMS_OF_TASK, assign, w);
    for (int i = 0; i < n_threads; i++) {
        if (code == GENAIR_OK && w->failed[i].code != GENAIR_OK) code = fail(st, w->failed[i].code, "%s", w->failed[i].message);
        if (w->scratch) mem_free(w->scratch[i]);
    }
    mem_free(w->scratch);
    mem_free(w->failed);
    return code;
}

/* Sorts the items by list. */
static void gather(const struct work *w) {
    struct partition *p = w->partition;
    const size_t n = w->scorer->n_items;
    for (size_t i = 0; i < n; i++) p->start[w->list[i] + 1]++;
    for (size_t l = 0; l < p->n_lists; l++) p->start[l + 1] += p->start[l];
    for (size_t i = 0; i < n; i++) p->items[p->start[w->list[i]]++] = (uint32_t)(i + 1);
    memmove(p->start + 1, p->start, p->n_lists * sizeof *p->start); /* each start went to its list's end */
    p->start[0] = 0;
}

static genair_code make(const struct scorer *s, uint64_t seed, struct parallel *parallel, struct partition *p, genair_status *st) {
    struct work w = {.scorer = s, .partition = p};
    p->width = s->width;
    p->n_lists = (uint32_t)sqrt((double)s->n_items);
    p->centres = mem_aligned(p->n_lists * s->width, sizeof *p->centres);
    p->start = mem_zeros((size_t)p->n_lists + 1, sizeof *p->start);
    p->items = mem_array(s->n_items, sizeof *p->items);
    w.list = mem_array(s->n_items, sizeof *w.list);
    genair_code code = p->centres && p->start && p->items && w.list ? train(s, seed, p, st) : fail_memory(st);
    if (code == GENAIR_OK) code = assign_all(&w, parallel, st);
    if (code == GENAIR_OK) gather(&w);
    mem_free(w.list);
    return code;
}

genair_code partition_create(const struct scorer *s, uint64_t seed, struct parallel *parallel, struct partition **out,
                             genair_status *st) {
    *out = NULL;
    const size_t n = (size_t)s->n_items * s->width;
    genair_code code = lists_require(st);
    if (code != GENAIR_OK || first_not_finite(s->item_vectors + s->width, n) < n) return code;
    struct partition *p = mem_zeros(1, sizeof *p);
    code = p ? make(s, seed, parallel, p, st) : fail_memory(st);
    if (code == GENAIR_OK)
        *out = p;
    else
        partition_free(p);
    return code;
}

void partition_free(struct partition *p) {
    if (!p) return;
    mem_free(p->centres);
    mem_free(p->start);
    mem_free(p->items);
    mem_free(p);
}

size_t partition_bytes(const struct partition *p, size_t n_items) {
    return p->n_lists * (p->width * sizeof *p->centres + sizeof *p->start) + n_items * sizeof *p->items;
}

void partition_nearest(const struct partition *p, const float *user, struct topk *nearest) {
    const struct kernels *k = kernels_select(NULL);
    for (uint32_t l = 0; l < p->n_lists; l++)
        topk_push(nearest, k->dot(user, p->centres + l * p->width, p->width), l);
    topk_sort(nearest);
}
