/* SPDX-License-Identifier: Apache-2.0 */
#include "ranking/groups.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

const char *const popularity_fifths[POPULARITY_FIFTHS] = {"most popular fifth", "second", "third", "fourth",
                                                          "least popular fifth"};

struct placed {
    uint32_t key, index;
};

static int ascending(const void *a, const void *b) {
    const struct placed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static int descending(const void *a, const void *b) {
    const struct placed *x = a, *y = b;
    if (x->key != y->key) return x->key > y->key ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Indices in the order of compare, which is total. The caller's; NULL when memory is out. */
static struct placed *order(const uint32_t *key, size_t n,
                            int (*compare)(const void *, const void *)) {
    struct placed *all = mem_array(n, sizeof *all);
    if (!all) return NULL;
    for (size_t i = 0; i < n; i++)
        all[i] = (struct placed){key[i], (uint32_t)i};
    qsort(all, n, sizeof *all, compare);
    return all;
}

void groups_by_length(const uint32_t *length, size_t n, const uint32_t *thresholds,
                      size_t n_thresholds, uint8_t *group) {
    for (size_t u = 0; u < n; u++) {
        uint8_t g = 0;
        while (g < n_thresholds && length[u] >= thresholds[g])
            g++;
        group[u] = g;
    }
}

static genair_code equal_parts(const uint32_t *key, size_t n, size_t n_groups, uint8_t *group,
                               int (*compare)(const void *, const void *), genair_status *st) {
    struct placed *all = order(key, n, compare);
    if (!all) return fail_memory(st);
    for (size_t r = 0; r < n; r++)
        group[all[r].index] = (uint8_t)(n_groups * r / n);
    mem_free(all);
    return GENAIR_OK;
}

genair_code groups_equal_length(const uint32_t *length, size_t n, size_t n_groups, uint8_t *group,
                                genair_status *st) {
    return equal_parts(length, n, n_groups, group, ascending, st);
}

genair_code groups_equal_popularity(const uint32_t *popularity, size_t n, size_t n_groups,
                                    uint8_t *group, genair_status *st) {
    return equal_parts(popularity, n, n_groups, group, descending, st);
}

genair_code groups_head_tail(const uint32_t *popularity, size_t n, double head_share,
                             uint8_t *group, genair_status *st) {
    struct placed *all = order(popularity, n, descending);
    if (!all) return fail_memory(st);
    /* 0.2 * 35 is a little more than 7 in binary: what is within rounding of a whole number is one.
     */
    const size_t n_head = (size_t)ceil(head_share * (double)n * (1 - 1e-12));
    for (size_t r = 0; r < n; r++)
        group[all[r].index] = r < n_head ? 0 : 1;
    mem_free(all);
    return GENAIR_OK;
}
