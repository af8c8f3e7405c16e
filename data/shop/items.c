/* SPDX-License-Identifier: Apache-2.0 */
#include "shop.h"

#include "base/rng.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

/* A third of the items is wanted by a second audience, and says so in its description; one
 * description in five also names people it is not for, as advertising does. */
static const double SECOND_SHARE = 0.33, NOISE_SHARE = 0.2;

static int below(struct rng *r, int n) {
    return (int)rng_below(r, (uint64_t)n);
}

static int other_than(struct rng *r, int n, int not_this) {
    const int x = below(r, n - 1);
    return x + (x >= not_this);
}

static void make_id(struct item *item, int variant) {
    const char *kind = audiences[item->audience].kinds[item->kind];
    const int n = snprintf(item->id, sizeof item->id, "%s-%d", kind, variant + 1);
    for (int i = 0; i < n; i++)
        item->id[i] = item->id[i] == ' ' ? '-' : (char)tolower((unsigned char)item->id[i]);
}

static void make_description(struct item *item, struct rng *r) {
    const struct audience *a = &audiences[item->audience];
    const char *also = NULL;
    if (item->second >= 0)
        also = audiences[item->second].phrases[below(r, N_PHRASES)];
    else if (rng_unit(r) < NOISE_SHARE)
        also = audiences[other_than(r, N_AUDIENCES, item->audience)].phrases[below(r, N_PHRASES)];
    const int first = below(r, N_PHRASES), second = other_than(r, N_PHRASES, first);
    item->praised = 1u << first | 1u << second;
    snprintf(item->description, sizeof item->description, "For %s, and for %s.%s%s%s %s %s",
             a->phrases[first], a->phrases[second], also ? " Also liked by " : "", also ? also : "",
             also ? "." : "", features[below(r, N_FEATURES)], features[below(r, N_FEATURES)]);
}

static void make_item(uint64_t seed, int index, struct item *item) {
    struct rng r = rng_start(seed, RNG_SHOP, (uint64_t)index);
    const int variant = index % N_VARIANTS;
    item->kind = index / N_VARIANTS % N_KINDS;
    item->audience = index / N_VARIANTS / N_KINDS;
    item->second = rng_unit(&r) < SECOND_SHARE ? other_than(&r, N_AUDIENCES, item->audience) : -1;
    const struct audience *a = &audiences[item->audience];
    item->brand = a->brands[below(&r, N_BRANDS)];
    make_id(item, variant);
    /* adjectives of its own for each variant, so that no two items of a kind share their title */
    snprintf(
        item->title, sizeof item->title, "%s %s %s", item->brand,
        adjectives[variant * (N_ADJECTIVES / N_VARIANTS) + below(&r, N_ADJECTIVES / N_VARIANTS)],
        a->kinds[item->kind]);
    make_description(item, &r);
    snprintf(item->year, sizeof item->year, "%d", 2015 + below(&r, 10));
    snprintf(item->price, sizeof item->price, "%.2f",
             a->prices[item->kind] * (0.6 + 0.9 * rng_unit(&r)) - 0.01);
    /* Zipf's law by drawing the rank, so that popularity has nothing to do with the place in the
     * list */
    item->popularity = pow(20 + N_ITEMS * rng_unit(&r), -1);
}

void shop_items(uint64_t seed, struct item items[N_ITEMS]) {
    for (int i = 0; i < N_ITEMS; i++)
        make_item(seed, i, &items[i]);
}
