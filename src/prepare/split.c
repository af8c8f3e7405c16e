/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/split.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"

#include <stdlib.h>
#include <string.h>

enum { TIED_VALID = 1, TIED_TEST = 2 };

static bool tied(size_t n, const int64_t *times, uint32_t p) {
    return (p > 0 && times[p - 1] == times[p]) || (p + 1 < n && times[p + 1] == times[p]);
}

static bool drawn(const struct split *split, uint32_t user) {
    struct rng r = rng_start(split->seed, RNG_HELD_OUT, user);
    return rng_unit(&r) < split->held_out_users;
}

static void split_last(size_t n, bool held_out, struct split_user *s) {
    if (n < 3 || !held_out) {
        s->n_train = (uint32_t)n;
        return;
    }
    s->n_train = (uint32_t)(n - 2);
    s->valid = (uint32_t)(n - 2);
    s->test = (uint32_t)(n - 1);
}

static void split_at(size_t n, const int64_t *times, int64_t cut, bool held_out, struct split_user *s) {
    uint32_t before = 0;
    while (before < n && times[before] < cut)
        before++;
    s->n_train = before;
    if (before == 0 || !held_out) return;
    if (before < n) s->test = before;
    if (before >= 2) s->n_train = s->valid = before - 1;
}

struct split_user split_history(const struct split *split, uint32_t user, size_t n, const int64_t *times) {
    const bool held_out = drawn(split, user);
    struct split_user s = {.valid = DATASET_NONE, .test = DATASET_NONE};
    if (split->by_time)
        split_at(n, times, split->cut, held_out, &s);
    else
        split_last(n, held_out, &s);
    if (s.valid != DATASET_NONE && tied(n, times, s.valid)) s.tied_time |= TIED_VALID;
    if (s.test != DATASET_NONE && tied(n, times, s.test)) s.tied_time |= TIED_TEST;
    return s;
}

struct lot {
    uint64_t number;
    uint32_t item;
};

static int by_number(const void *a, const void *b) {
    const struct lot *x = a, *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

genair_code choose_cold_items(uint32_t n_items, double share, uint64_t seed, uint8_t *cold,
                              uint32_t *n_cold, genair_status *st) {
    *n_cold = (uint32_t)share_of(share, n_items);
    memset(cold, 0, (size_t)n_items + 1);
    if (*n_cold == 0) return GENAIR_OK;
    struct lot *lots = mem_array(n_items, sizeof *lots);
    if (!lots) return fail_memory(st);
    for (uint32_t i = 1; i <= n_items; i++) {
        struct rng r = rng_start(seed, RNG_COLD, i);
        lots[i - 1] = (struct lot){rng_u64(&r), i};
    }
    qsort(lots, n_items, sizeof *lots, by_number);
    for (uint32_t k = 0; k < *n_cold; k++)
        cold[lots[k].item] = 1;
    mem_free(lots);
    return GENAIR_OK;
}
