/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_dataset.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <stdio.h>
#include <string.h>

enum { CANDIDATES = 100 };

struct fake_data {
    struct dataset d;
    uint64_t *start;
    uint32_t *item, *n_train, *valid, *test, *popularity, *candidates;
    uint8_t *tied_time, *cold;
    int64_t *time;
    char (*user_name)[16], (*item_name)[16]; /* any thread may ask for one */
};

static struct fake_data *fake_of(const struct dataset *d) {
    return d->private_;
}

const uint32_t *dataset_candidates(const struct dataset *d, int part, uint32_t user, uint32_t *n) {
    *n = d->n_items > CANDIDATES ? CANDIDATES : 0;
    return fake_of(d)->candidates + ((size_t)part * d->n_users + user) * CANDIDATES;
}

const uint32_t *dataset_training(const struct dataset *d, uint32_t user, uint32_t *n) {
    *n = d->n_train[user];
    return d->item + d->start[user];
}

struct text dataset_user_name(const struct dataset *d, uint32_t user) {
    return text_of(fake_of(d)->user_name[user]);
}

struct text dataset_item_name(const struct dataset *d, uint32_t item) {
    return text_of(fake_of(d)->item_name[item]);
}

static void name_all(struct fake_data *f) {
    f->user_name = mem_array((size_t)f->d.n_users + 1, sizeof *f->user_name);
    f->item_name = mem_array((size_t)f->d.n_items + 1, sizeof *f->item_name);
    for (uint32_t u = 0; u < f->d.n_users; u++)
        snprintf(f->user_name[u], sizeof *f->user_name, "u%u", u);
    for (uint32_t i = 0; i <= f->d.n_items; i++)
        snprintf(f->item_name[i], sizeof *f->item_name, "i%u", i);
}

static void draw_history(struct fake_data *f, uint32_t u, uint64_t seed) {
    struct rng r = rng_start(seed, RNG_TEST, u);
    const uint32_t n = (uint32_t)rng_below(&r, 13);
    uint32_t *items = f->item + f->start[u];
    f->start[u + 1] = f->start[u] + n;
    for (uint32_t i = 0; i < n; i++) {
        items[i] = 1 + (uint32_t)rng_below(&r, f->d.n_items);
        f->time[f->start[u] + i] = 1000 * (int64_t)rng_below(&r, 100 * 86400); /* of 100 days */
    }
    f->n_train[u] = n < 3 ? n : n - 2;
    f->valid[u] = n < 3 ? UINT32_MAX : n - 2;
    f->test[u] = n < 3 ? UINT32_MAX : n - 1;
    f->tied_time[u] = (uint8_t)rng_below(&r, 4);
    for (uint32_t i = 0; i < f->n_train[u]; i++)
        f->popularity[items[i]]++;
    for (int part = 0; part < 2; part++)
        for (uint32_t i = 0; i < CANDIDATES; i++) /* repeats are no matter here */
            f->candidates[((size_t)part * f->d.n_users + u) * CANDIDATES + i] =
                1 + (uint32_t)rng_below(&r, f->d.n_items);
}

struct dataset *fake_dataset(uint32_t n_users, uint32_t n_items, uint64_t seed) {
    struct fake_data *f = mem_zeros(1, sizeof *f);
    f->d = (struct dataset){.n_users = n_users, .n_items = n_items, .private_ = f, .hash = "fake"};
    f->start = mem_zeros(n_users + 1, sizeof *f->start);
    f->item = mem_zeros((size_t)n_users * 13, sizeof *f->item);
    f->time = mem_zeros((size_t)n_users * 13, sizeof *f->time);
    f->n_train = mem_zeros(n_users, sizeof *f->n_train);
    f->valid = mem_zeros(n_users, sizeof *f->valid);
    f->test = mem_zeros(n_users, sizeof *f->test);
    f->popularity = mem_zeros(n_items + 1, sizeof *f->popularity);
    f->candidates = mem_zeros((size_t)n_users * 2 * CANDIDATES, sizeof *f->candidates);
    f->tied_time = mem_zeros(n_users, 1);
    f->cold = mem_zeros(n_items + 1, 1);
    for (uint32_t u = 0; u < n_users; u++)
        draw_history(f, u, seed);
    name_all(f);
    f->d.n_interactions = f->start[n_users];
    f->d.start = f->start, f->d.item = f->item, f->d.n_train = f->n_train;
    f->d.valid = f->valid, f->d.test = f->test, f->d.tied_time = f->tied_time;
    f->d.popularity = f->popularity, f->d.cold = f->cold, f->d.time = f->time;
    f->d.training = (struct item_lists){n_users, n_items, f->start, f->n_train, f->item};
    return &f->d;
}

void fake_dataset_free(struct dataset *d) {
    struct fake_data *f = fake_of(d);
    mem_free(f->user_name);
    mem_free(f->item_name);
    mem_free(f->start);
    mem_free(f->item);
    mem_free(f->n_train);
    mem_free(f->valid);
    mem_free(f->test);
    mem_free(f->popularity);
    mem_free(f->candidates);
    mem_free(f->tied_time);
    mem_free(f->cold);
    mem_free(f->time);
    mem_free(f);
}
