/* SPDX-License-Identifier: Apache-2.0 */
/* What an epoch is made of: every user's inputs and targets, BERT4Rec's masks, negatives, the same for any number
 * of threads. Frequencies are held to five standard deviations, with fixed seeds. */
#include "train/batches.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"
#include "tensor/ops.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N_USERS = 60, N_ITEMS = 50, N_COLD = 5, MOST = 40, MAX_LEN = 12, SEED = 17 };

/* ---- a dataset of training parts ---- */

struct shop {
    struct dataset data;
    uint64_t start[N_USERS];
    uint32_t length[N_USERS], item[N_USERS * MOST];
    uint8_t cold[N_ITEMS + 1];
};

/* Lengths 0 to 39; items with repeats, none of them cold (the last five are). */
static struct shop *open_shop(void) {
    struct shop *s = mem_zeros(1, sizeof *s);
    assert_non_null(s);
    struct rng r = rng_start(1, RNG_TEST, 0);
    for (uint32_t u = 0; u < N_USERS; u++) {
        s->start[u] = u * MOST;
        s->length[u] = u * 7 % MOST;
        for (uint32_t i = 0; i < s->length[u]; i++)
            s->item[u * MOST + i] = 1 + (uint32_t)rng_below(&r, N_ITEMS - N_COLD);
    }
    memset(s->cold + N_ITEMS + 1 - N_COLD, 1, N_COLD);
    s->data = (struct dataset){.n_users = N_USERS, .n_items = N_ITEMS, .cold = s->cold,
                               .training = {.n = N_USERS, .n_items = N_ITEMS, .start = s->start,
                                            .length = s->length, .item = s->item}};
    return s;
}

static struct batches *deal(const struct shop *s, const struct batches_options *options, struct parallel *parallel) {
    struct batches *b = NULL;
    assert_int_equal(batches_create(options, &s->data, parallel, &b, NULL), GENAIR_OK);
    return b;
}

static struct parallel *threads(int n) {
    struct parallel *p = NULL;
    assert_int_equal(parallel_create(n, &p, NULL), GENAIR_OK);
    return p;
}

static struct batches_options options_of(enum backbone backbone) {
    return (struct batches_options){.backbone = backbone, .max_len = MAX_LEN, .batch = 16, .n_negatives = 1,
                                    .mask_probability = 0.6, .seed = SEED, .repeat = 1};
}

typedef void visit_function(void *context, const struct batch *batch, size_t sequence, size_t first_target, size_t n_targets);

/* Calls visit for every sequence of an epoch, after checks that hold for every batch. */
static void each_sequence(struct batches *b, uint64_t epoch, visit_function *visit, void *context) {
    uint64_t n_tokens = 0;
    batches_start(b, epoch);
    for (size_t i = 0; i < batches_count(b); i++) {
        struct batch batch;
        assert_int_equal(batches_get(b, i, &batch, NULL), GENAIR_OK);
        assert_true(batch.n_sequences > 0 && batch.offsets[0] == 0);
        n_tokens += batch.offsets[batch.n_sequences];
        size_t target = 0;
        for (size_t q = 0; q < batch.n_sequences; q++) {
            const size_t first = target;
            while (target < batch.n_targets && batch.position[target] < batch.offsets[q + 1]) {
                assert_true(batch.position[target] >= batch.offsets[q]);
                assert_true(target == first || batch.position[target] > batch.position[target - 1]);
                target++;
            }
            visit(context, &batch, q, first, target - first);
        }
        assert_int_equal(target, batch.n_targets);
    }
    assert_int_equal(n_tokens, batches_positions(b));
}

/* ---- inputs and targets ---- */

struct census {
    const struct shop *shop;
    enum backbone backbone;
    bool last_only;          /* one target a sequence */
    unsigned seen[N_USERS];
    unsigned only_last[N_USERS];
};

/* The user whose latest training items are these, among those not seen often enough; N_USERS: none. */
static uint32_t find_user(const struct census *c, const uint32_t *items, size_t n, size_t room, unsigned most) {
    for (uint32_t u = 0; u < N_USERS; u++) {
        const size_t length = c->shop->length[u], kept = min_size(length, room);
        if (kept == n && length >= 2 && c->seen[u] < most &&
            memcmp(c->shop->item + c->shop->start[u] + length - kept, items, n * sizeof *items) == 0)
            return u;
    }
    return N_USERS;
}

static void visit_next_items(void *context, const struct batch *b, size_t q, size_t first, size_t n_targets) {
    struct census *c = context;
    const uint32_t start = b->offsets[q], n = b->offsets[q + 1] - start;
    uint32_t items[MAX_LEN + 1];
    assert_true(n >= 1 && n <= MAX_LEN);
    assert_int_equal(n_targets, c->last_only ? 1 : n);
    memcpy(items, b->items + start, n * sizeof *items);
    items[n] = b->positive[first + n_targets - 1];
    const uint32_t user = find_user(c, items, n + 1, MAX_LEN + 1, 1);
    if (user == N_USERS) fail_msg("sequence %zu belongs to no user who is left", q);
    c->seen[user]++;
    for (size_t t = 0; t < n_targets; t++) {
        const uint32_t at = b->position[first + t] - start;
        assert_int_equal(at, c->last_only ? n - 1 : t);
        assert_int_equal(b->positive[first + t], items[at + 1]);
    }
}

static void expect_every_user(const struct census *c, unsigned times) {
    for (uint32_t u = 0; u < N_USERS; u++) assert_int_equal(c->seen[u], c->shop->length[u] >= 2 ? times : 0);
}

static void test_next_items(void **state) {
    (void)state;
    struct shop *s = open_shop();
    struct parallel *p = threads(2);
    for (int i = 0; i < 3; i++) { /* SASRec, GRU4Rec by its last item, by every one */
        struct batches_options o = options_of(i ? GRU4REC : SASREC);
        o.seq2seq = i == 2;
        struct batches *b = deal(s, &o, p);
        struct census c = {.shop = s, .last_only = i == 1};
        each_sequence(b, 1, visit_next_items, &c);
        expect_every_user(&c, 1);
        batches_free(b);
    }
    parallel_free(p);
    mem_free(s);
}

static void visit_masked(void *context, const struct batch *b, size_t q, size_t first, size_t n_targets) {
    struct census *c = context;
    const uint32_t start = b->offsets[q], n = b->offsets[q + 1] - start;
    uint32_t items[MAX_LEN];
    assert_true(n >= 2 && n <= MAX_LEN && n_targets >= 1);
    memcpy(items, b->items + start, n * sizeof *items);
    for (size_t t = 0; t < n_targets; t++) items[b->position[first + t] - start] = b->positive[first + t];
    const uint32_t user = find_user(c, items, n, MAX_LEN, 2);
    if (user == N_USERS) fail_msg("sequence %zu belongs to no user who is left", q);
    c->seen[user]++;
    c->only_last[user] += n_targets == 1 && b->position[first] == start + n - 1 && b->items[start + n - 1] == MASK_ROW;
}

static void test_masked_items(void **state) {
    (void)state;
    struct shop *s = open_shop();
    struct parallel *p = threads(2);
    const struct batches_options o = options_of(BERT4REC);
    struct batches *b = deal(s, &o, p);
    struct census c = {.shop = s};
    each_sequence(b, 1, visit_masked, &c);
    expect_every_user(&c, 2);
    for (uint32_t u = 0; u < N_USERS; u++) assert_true(c.seen[u] == 0 || c.only_last[u] >= 1);
    batches_free(b);
    parallel_free(p);
    mem_free(s);
}

static void expect_share(const char *what, double n, double of, double share) {
    const double deviation = sqrt(of * share * (1 - share));
    if (!(fabs(n - of * share) <= 5 * deviation))
        fail_msg("%s: %g of %g, expected a share of %g", what, n, of, share);
}

struct shares {
    double n_places, n_targets, n_masked, n_other, n_left, n_cold;
    const struct shop *shop;
};

/* Long samples only: in short ones the rule that something is hidden moves the share. */
static void visit_shares(void *context, const struct batch *b, size_t q, size_t first, size_t n_targets) {
    struct shares *s = context;
    const uint32_t start = b->offsets[q], n = b->offsets[q + 1] - start;
    if (n < MAX_LEN || n_targets == 1) return;
    s->n_places += n;
    s->n_targets += (double)n_targets;
    for (size_t t = 0; t < n_targets; t++) {
        const uint32_t shown = b->items[b->position[first + t]];
        s->n_masked += shown == MASK_ROW;
        s->n_other += shown != MASK_ROW && shown != b->positive[first + t];
        s->n_left += shown == b->positive[first + t];
        s->n_cold += shown != MASK_ROW && s->shop->cold[shown];
    }
}

static void test_mask_shares(void **state) {
    (void)state;
    struct shop *s = open_shop();
    struct parallel *p = threads(2);
    const struct batches_options o = options_of(BERT4REC);
    struct batches *b = deal(s, &o, p);
    struct shares c = {.shop = s};
    for (uint64_t epoch = 1; epoch <= 40; epoch++) each_sequence(b, epoch, visit_shares, &c);
    const double same = 0.1 / (N_ITEMS - N_COLD); /* a random item may be the item itself */
    expect_share("hidden", c.n_targets, c.n_places, 0.6);
    expect_share("mask", c.n_masked, c.n_targets, 0.8);
    expect_share("another item", c.n_other, c.n_targets, 0.1 - same);
    expect_share("left", c.n_left, c.n_targets, 0.1 + same);
    assert_true(c.n_cold == 0);
    batches_free(b);
    parallel_free(p);
    mem_free(s);
}

/* ---- negatives ---- */

struct negatives {
    struct census census;
    double found[N_ITEMS + 1], expected[N_ITEMS + 1], n;
};

static void visit_negatives(void *context, const struct batch *b, size_t q, size_t first, size_t n_targets) {
    struct negatives *s = context;
    struct census *c = &s->census;
    const uint32_t start = b->offsets[q], n = b->offsets[q + 1] - start;
    uint32_t items[MAX_LEN + 1];
    memcpy(items, b->items + start, n * sizeof *items);
    items[n] = b->positive[first + n_targets - 1];
    const uint32_t user = find_user(c, items, n + 1, MAX_LEN + 1, UINT32_MAX);
    assert_int_not_equal(user, N_USERS);
    bool bought[N_ITEMS + 1] = {false};
    size_t n_free = N_ITEMS - N_COLD;
    for (uint32_t i = 0; i < c->shop->length[user]; i++) {
        const uint32_t item = c->shop->item[c->shop->start[user] + i]; /* earlier than max_len too */
        n_free -= !bought[item];
        bought[item] = true;
    }
    for (size_t i = 0; i < n_targets * b->n_negatives; i++) {
        const uint32_t item = b->negatives[first * b->n_negatives + i];
        if (item < 1 || item > N_ITEMS || bought[item] || c->shop->cold[item])
            fail_msg("user %u: negative %u is %s", user, item, bought[item] ? "in the training part" : "cold");
        s->found[item]++;
        s->n++;
    }
    for (uint32_t item = 1; item <= N_ITEMS; item++)
        if (!bought[item] && !c->shop->cold[item])
            s->expected[item] += (double)(n_targets * b->n_negatives) / (double)n_free;
}

static void test_negatives(void **state) {
    (void)state;
    struct shop *s = open_shop();
    struct parallel *p = threads(3);
    struct batches_options o = options_of(SASREC);
    o.n_negatives = 3;
    struct batches *b = deal(s, &o, p);
    struct negatives c = {.census = {.shop = s}};
    for (uint64_t epoch = 1; epoch <= 40; epoch++) each_sequence(b, epoch, visit_negatives, &c);
    double square = 0;
    const double freedom = N_ITEMS - N_COLD - 1;
    for (size_t i = 1; i <= N_ITEMS - N_COLD; i++)
        square += (c.found[i] - c.expected[i]) * (c.found[i] - c.expected[i]) / c.expected[i];
    if (!(square < freedom + 5 * sqrt(2 * freedom))) fail_msg("chi-square %g with %g degrees", square, freedom);
    assert_true(square > freedom - 5 * sqrt(2 * freedom)); /* too even is not random either */
    assert_true(c.n > 40000);
    batches_free(b);
    parallel_free(p);
    mem_free(s);
}

static void visit_user_with_one_left(void *context, const struct batch *b, size_t q, size_t first, size_t n_targets) {
    (void)context;
    (void)q;
    for (size_t i = first; i < first + n_targets; i++) assert_int_equal(b->negatives[i], 3);
}

static void visit_user_with_all(void *context, const struct batch *b, size_t q, size_t first, size_t n_targets) {
    (void)q;
    const uint8_t *cold = context;
    for (size_t i = first; i < first + n_targets; i++)
        assert_true(b->negatives[i] >= 1 && b->negatives[i] <= 4 && !cold[b->negatives[i]]);
}

/* Long histories of a small catalogue: repeats do not make an item one may not draw; having everything does
 * not hang. */
static void test_small_catalogue(void **state) {
    (void)state;
    enum { LENGTH = 30 };
    uint32_t item[LENGTH];
    const uint8_t cold[5] = {0, 0, 0, 0, 1};
    const uint64_t start = 0;
    const uint32_t lengths[] = {6, LENGTH}; /* walked, and sorted */
    struct parallel *p = threads(1);
    for (uint32_t n_bought = 2; n_bought <= 3; n_bought++)
        for (size_t l = 0; l < COUNT(lengths); l++) {
            for (uint32_t i = 0; i < LENGTH; i++) item[i] = 1 + i % n_bought;
            const struct dataset data = {.n_users = 1, .n_items = 4, .cold = cold,
                                         .training = {.n = 1, .n_items = 4, .start = &start,
                                                      .length = &lengths[l], .item = item}};
            const struct batches_options o = options_of(SASREC);
            struct batches *b = NULL;
            assert_int_equal(batches_create(&o, &data, p, &b, NULL), GENAIR_OK);
            uint8_t copy[5];
            memcpy(copy, cold, sizeof copy);
            each_sequence(b, 1, n_bought == 2 ? visit_user_with_one_left : visit_user_with_all, copy);
            batches_free(b);
        }
    parallel_free(p);
}

/* ---- the same again ---- */

/* Everything of an epoch, one after another. */
struct record {
    uint32_t *values;
    size_t n, capacity;
};

static void keep(struct record *r, const uint32_t *values, size_t n) {
    assert_true(mem_grow(&r->values, &r->capacity, r->n + n + 1, sizeof *r->values));
    memcpy(r->values + r->n, values, n * sizeof *values);
    r->n += n;
}

static struct record record_epoch(struct batches *b, uint64_t epoch) {
    struct record r = {0};
    batches_start(b, epoch);
    for (size_t i = 0; i < batches_count(b); i++) {
        struct batch x;
        assert_int_equal(batches_get(b, i, &x, NULL), GENAIR_OK);
        keep(&r, x.offsets, x.n_sequences + 1);
        keep(&r, x.items, x.offsets[x.n_sequences]);
        keep(&r, x.position, x.n_targets);
        keep(&r, x.positive, x.n_targets);
        keep(&r, x.negatives, x.n_targets * x.n_negatives);
    }
    return r;
}

static bool equal(const struct record *a, const struct record *b) {
    return a->n == b->n && memcmp(a->values, b->values, a->n * sizeof *a->values) == 0;
}

static void test_determinism(void **state) {
    (void)state;
    struct shop *s = open_shop();
    struct parallel *one = threads(1), *three = threads(3);
    for (int backbone = 0; backbone < N_BACKBONES; backbone++) {
        struct batches_options o = options_of((enum backbone)backbone);
        struct batches *a = deal(s, &o, one), *b = deal(s, &o, three);
        o.seed++;
        struct batches *c = deal(s, &o, one);
        const struct record first = record_epoch(a, 1), second = record_epoch(a, 2), again = record_epoch(b, 2),
                            other = record_epoch(c, 2);
        assert_true(equal(&second, &again)); /* other threads, and epoch 1 was never dealt */
        assert_false(equal(&first, &second));
        assert_false(equal(&second, &other));
        mem_free(first.values);
        mem_free(second.values);
        mem_free(again.values);
        mem_free(other.values);
        batches_free(a);
        batches_free(b);
        batches_free(c);
    }
    parallel_free(one);
    parallel_free(three);
    mem_free(s);
}

static void test_sizes(void **state) {
    (void)state;
    struct shop *s = open_shop();
    struct parallel *p = threads(1);
    uint64_t n_positions = 0;
    size_t n_users = 0;
    for (uint32_t u = 0; u < N_USERS; u++) {
        if (s->length[u] < 2) continue;
        n_users++;
        n_positions += min_size(s->length[u] - 1, MAX_LEN);
    }
    struct batches_options o = options_of(SASREC);
    o.n_negatives = 0; /* the full softmax */
    for (o.repeat = 1; o.repeat <= 3; o.repeat += 2) {
        struct batches *b = deal(s, &o, p);
        assert_int_equal(batches_count(b), (n_users * o.repeat + 15) / 16);
        assert_int_equal(batches_positions(b), n_positions * o.repeat);
        batches_start(b, 1);
        struct batch x;
        assert_int_equal(batches_get(b, 0, &x, NULL), GENAIR_OK);
        assert_int_equal(x.n_sequences, 16);
        assert_int_equal(x.n_negatives, 0);
        assert_int_equal(batches_get(b, batches_count(b) - 1, &x, NULL), GENAIR_OK);
        assert_int_equal(x.n_sequences, (n_users * o.repeat + 15) % 16 + 1);
        batches_free(b);
    }
    parallel_free(p);
    mem_free(s);
}

static void test_nobody_to_learn_from(void **state) {
    (void)state;
    struct shop *s = open_shop();
    struct parallel *p = threads(1);
    const struct batches_options o = options_of(SASREC);
    struct batches *b = NULL;
    for (uint32_t u = 0; u < N_USERS; u++) s->length[u] = u % 2;
    assert_int_equal(batches_create(&o, &s->data, p, &b, NULL), GENAIR_USAGE);
    assert_null(b);
    parallel_free(p);
    mem_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_items),  cmocka_unit_test(test_masked_items),
        cmocka_unit_test(test_mask_shares), cmocka_unit_test(test_negatives),
        cmocka_unit_test(test_small_catalogue), cmocka_unit_test(test_determinism),
        cmocka_unit_test(test_sizes),       cmocka_unit_test(test_nobody_to_learn_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
