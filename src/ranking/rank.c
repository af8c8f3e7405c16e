/* SPDX-License-Identifier: Apache-2.0 */
#include "ranking/rank.h"

#include "base/alloc.h"
#include "base/size.h"
#include "base/sort.h"

#include <math.h>

size_t ids_distinct(uint32_t *ids, size_t n) {
    size_t sorted = n > 0;
    while (sorted < n && ids[sorted - 1] < ids[sorted]) sorted++;
    if (sorted == n) return n; /* as they come from an index */
    sort_u32(ids, n);
    size_t kept = 1;
    for (size_t i = 1; i < n; i++)
        if (ids[i] != ids[kept - 1]) ids[kept++] = ids[i];
    return kept;
}

size_t first_not_finite(const float *scores, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(scores[i])) return i;
    return n;
}

struct placing rank_in_row(const float *scores, size_t n, size_t target, const uint32_t *excluded,
                           size_t n_excluded) {
    const float threshold = scores[target];
    uint32_t at_least = 0, equal = 0;
    for (size_t i = 0; i < n; i++) {
        at_least += scores[i] >= threshold;
        equal += scores[i] == threshold;
    }
    for (size_t i = 0; i < n_excluded; i++) {
        if (excluded[i] == target) continue;
        at_least -= scores[excluded[i]] >= threshold;
        equal -= scores[excluded[i]] == threshold;
    }
    return (struct placing){at_least - 1, equal - 1}; /* without the target itself */
}

struct placing rank_among(const float *scores, size_t target, const uint32_t *others,
                          size_t n_others) {
    struct placing p = {0, 0};
    for (size_t i = 0; i < n_others; i++) {
        p.rank += scores[others[i]] >= scores[target];
        p.ties += scores[others[i]] == scores[target];
    }
    return p;
}

struct placing rank_among_vectors(const struct kernels *k, const float *user, const float *vectors,
                                  size_t width, float target_score, const uint32_t *others,
                                  size_t n_others) {
    struct placing p = {0, 0};
    for (size_t i = 0; i < n_others; i++) {
        const float score = k->dot(user, vectors + (size_t)others[i] * width, width);
        p.rank += score >= target_score;
        p.ties += score == target_score;
    }
    return p;
}

/* panel[k * PANEL + j] = component k of the j-th of n <= PANEL vectors, the others zero */
static void pack(float *panel, const float *const *vectors, size_t n, size_t width) {
    for (size_t k = 0; k < width; k++)
        for (size_t j = 0; j < PANEL; j++)
            panel[k * PANEL + j] = j < n ? vectors[j][k] : 0;
}

genair_code item_tiles_init(struct item_tiles *t, const struct kernels *k, const float *vectors,
                            size_t n_items, size_t width, genair_status *st) {
    *t = (struct item_tiles){.kernels = k, .n_items = n_items, .width = width, .vectors = vectors};
    const size_t n_panels = (min_size(SLAB_ITEMS, n_items) + PANEL - 1) / PANEL;
    size_t panel_size, values;
    if (!mul_size(PANEL, width, &panel_size) || !mul_size(n_panels, panel_size, &values))
        return fail_memory(st);
    t->panels = mem_aligned(values, sizeof *t->panels);
    return t->panels ? GENAIR_OK : fail_memory(st);
}

void item_tiles_deinit(struct item_tiles *t) {
    mem_free(t->panels);
    t->panels = NULL;
}

static void pack_tile(void *context, size_t tile, int worker) {
    (void)worker;
    const struct item_tiles *t = context;
    const size_t end = min_size(t->n, (tile + 1) * TILE_ITEMS);
    for (size_t i = tile * TILE_ITEMS; i < end; i += PANEL) {
        const float *columns[PANEL];
        const size_t n = min_size(PANEL, end - i);
        for (size_t j = 0; j < n; j++)
            columns[j] = t->vectors + (t->first + i + j) * t->width;
        pack(t->panels + i * t->width, columns, n, t->width);
    }
}

void item_tiles_load(struct item_tiles *t, struct parallel *parallel, size_t first) {
    if (t->first == first) return;
    t->first = first;
    t->n = min_size(SLAB_ITEMS, t->n_items + 1 - first);
    parallel_run(parallel, (t->n + TILE_ITEMS - 1) / TILE_ITEMS, pack_tile, t);
}

size_t rank_scratch(const struct item_tiles *t) {
    return TILE_USERS * TILE_ITEMS + PANEL * t->width;
}

/* By the product of the tiles: the same bits. PANEL users at a time; the diagonal is what is
 * wanted. */
void rank_targets(const struct item_tiles *t, const float *vectors, struct ranked_user *users,
                  size_t n, float *scratch) {
    float *panel = scratch + TILE_USERS * TILE_ITEMS, products[PANEL * PANEL];
    for (size_t u = 0; u < n; u += PANEL) {
        const float *columns[PANEL];
        const size_t group = min_size(PANEL, n - u);
        for (size_t j = 0; j < group; j++)
            columns[j] = t->vectors + users[u + j].target * t->width; /* of none the zeros of row 0 */
        pack(panel, columns, group, t->width);
        t->kernels->panel_product(vectors + u * t->width, group, t->width, panel, t->width, NULL, 0, products, PANEL);
        for (size_t j = 0; j < group; j++)
            users[u + j].target_score = products[j * PANEL + j];
    }
}

/* One user's row of a tile with items first .. first + n - 1. */
static void count_row(const struct kernels *k, struct ranked_user *user, float *row, uint32_t first,
                      size_t n) {
    bool repeated = false; /* the target is in the history: a candidate all the same, but nothing to list */
    for (; user->n_passed < user->n_excluded; user->n_passed++) {
        const uint32_t item = user->excluded[user->n_passed];
        if (item - first >= n) break;
        if (item != user->target)
            row[item - first] = -INFINITY;
        else
            repeated = true;
    }
    const bool own = user->target - first < n; /* it is no other item than itself */
    size_t equal, nans;
    user->placing.rank -= own;
    user->placing.ties -= own;
    user->placing.rank += (uint32_t)k->count_at_least(row, n, user->target_score, &equal, &nans);
    user->placing.ties += (uint32_t)equal;
    if (repeated) row[user->target - first] = -INFINITY;
    if (user->best) topk_push_row(user->best, k, row, n, first);
}

void rank_block(const struct item_tiles *t, const float *vectors, struct ranked_user *users,
                size_t n, float *scratch) {
    for (size_t begin = 0; begin < t->n; begin += TILE_ITEMS) {
        const size_t n_valid = min_size(TILE_ITEMS, t->n - begin);
        for (size_t i = 0; i < n_valid; i += PANEL)
            t->kernels->panel_product(vectors, n, t->width, t->panels + (begin + i) * t->width, t->width,
                                      NULL, 0, scratch + i, TILE_ITEMS);
        for (size_t u = 0; u < n; u++)
            count_row(t->kernels, &users[u], scratch + u * TILE_ITEMS, (uint32_t)(t->first + begin),
                      n_valid);
    }
}
