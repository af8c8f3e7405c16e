/* SPDX-License-Identifier: Apache-2.0 */
/* Counting by rows against counting every pair in a square table. */
#include "workspace/cooccurrence.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "support/scratch.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>

struct lists {
    struct item_lists view;
    uint64_t *start;
    uint32_t *length, *item;
};

/* Popular items are drawn more often; some sequences are empty, some repeat one item. */
static struct lists random_lists(uint64_t seed, uint32_t n, uint32_t n_items, uint32_t longest) {
    struct rng r = rng_start(seed, RNG_TEST, 2);
    struct lists l = {.start = mem_array(n + 1, sizeof *l.start),
                      .length = mem_array(n, sizeof *l.length),
                      .item = mem_array((size_t)n * longest + 1, sizeof *l.item)};
    uint64_t at = 0;
    for (uint32_t u = 0; u < n; u++) {
        l.start[u] = at;
        l.length[u] = (uint32_t)rng_below(&r, longest + 1);
        for (uint32_t p = 0; p < l.length[u]; p++) {
            const double x = rng_unit(&r);
            l.item[at++] = 1 + (uint32_t)(x * x * n_items);
        }
    }
    l.view = (struct item_lists){n, n_items, l.start, l.length, l.item};
    return l;
}

static void free_lists(struct lists *l) {
    mem_free(l->start);
    mem_free(l->length);
    mem_free(l->item);
}

static void count_naively(const struct item_lists *l, enum cooccurrence_rule rule,
                          uint32_t *table) {
    const size_t side = (size_t)l->n_items + 1;
    bool *met = mem_array(side * side, sizeof *met);
    memset(table, 0, side * side * sizeof *table);
    for (uint32_t u = 0; u < l->n; u++) {
        memset(met, 0, side * side * sizeof *met);
        const uint32_t *items = l->item + l->start[u];
        for (uint32_t p = 0; p < l->length[u]; p++)
            for (uint32_t q = p + 1; q < l->length[u]; q++) {
                const uint32_t a = items[p], b = items[q];
                if (rule == COOCCURRENCE_USER && (a == b || met[a * side + b])) continue;
                met[a * side + b] = met[b * side + a] = true;
                table[a * side + b]++;
                if (a != b) table[b * side + a]++;
            }
    }
    mem_free(met);
}

static void check_table(const struct cooccurrence *c, const uint32_t *table) {
    const size_t side = (size_t)c->n_items + 1;
    uint64_t k = 0, n_pairs = 0;
    uint32_t most = 0;
    assert_int_equal(c->start[0], 0);
    for (uint32_t a = 0; a < side; a++) {
        assert_int_equal(c->start[a], k);
        for (uint32_t b = 1; b < side; b++) {
            const uint32_t count = table[a * side + b];
            if (!count) continue;
            assert_int_equal(c->item[k], b);
            assert_int_equal(c->count[k], count);
            if (count > most) most = count;
            n_pairs += b >= a;
            k++;
        }
    }
    assert_int_equal(c->start[side], k);
    assert_int_equal(c->max_count, most);
    assert_int_equal(c->n_pairs, n_pairs);
}

static void check_lists(const struct item_lists *l) {
    const size_t side = (size_t)l->n_items + 1;
    static const size_t memory[] = {0, 64, 4096, 1 << 20};
    uint32_t *table = mem_array(side * side, sizeof *table);
    for (enum cooccurrence_rule rule = COOCCURRENCE_OCCURRENCE; rule <= COOCCURRENCE_USER; rule++) {
        count_naively(l, rule, table);
        for (int threads = 1; threads <= 3; threads++) {
            genair_context *ctx;
            assert_int_equal(genair_context_create(threads, NULL, NULL, &ctx, NULL), GENAIR_OK);
            for (size_t m = 0; m < sizeof memory / sizeof memory[0]; m++) {
                struct cooccurrence c;
                assert_int_equal(cooccurrence_count(ctx, l, rule, memory[m], &c, NULL), GENAIR_OK);
                check_table(&c, table);
                cooccurrence_free(&c);
            }
            genair_context_free(ctx);
        }
    }
    mem_free(table);
}

static void test_random_lists(void **state) {
    (void)state;
    static const uint32_t shapes[][3] = {/* lists, items, longest */
                                         {0, 5, 3},  {1, 1, 6},    {3, 2, 1},
                                         {20, 3, 9}, {60, 40, 12}, {25, 200, 40}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            struct lists l = random_lists(seed, shapes[s][0], shapes[s][1], shapes[s][2]);
            check_lists(&l.view);
            free_lists(&l);
        }
}

/* One sequence that repeats few items without end. Walked once a place, it would take a minute. */
static void test_endless_sequence(void **state) {
    (void)state;
    enum { FIRST = 80000, SECOND = 50000, MORE = 150000 };
    const uint64_t start[] = {0};
    uint32_t length[] = {FIRST + SECOND};
    uint32_t *item = mem_array(FIRST + MORE, sizeof *item);
    for (uint32_t p = 0; p < FIRST + MORE; p++) item[p] = p % 2 && p < 2 * SECOND ? 2 : 1;
    const struct item_lists l = {1, 2, start, length, item};
    genair_context *ctx;
    struct cooccurrence c;
    assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(cooccurrence_count(ctx, &l, COOCCURRENCE_OCCURRENCE, 1 << 20, &c, NULL), GENAIR_OK);
    const uint32_t expected[] = {FIRST / 2 * (FIRST - 1U), FIRST * (uint32_t)SECOND, FIRST * (uint32_t)SECOND,
                                 SECOND / 2 * (SECOND - 1U)};
    assert_int_equal(c.start[3], 4);
    for (int k = 0; k < 4; k++) assert_int_equal(c.count[k], expected[k]);
    cooccurrence_free(&c);
    length[0] = FIRST + MORE; /* too many with itself, and of the first with the second */
    assert_int_equal(cooccurrence_count(ctx, &l, COOCCURRENCE_OCCURRENCE, 1 << 20, &c, NULL), GENAIR_FORMAT);
    genair_context_free(ctx);
    mem_free(item);
}

static void test_no_items(void **state) {
    (void)state;
    const struct item_lists nothing = {0};
    genair_context *ctx;
    struct cooccurrence c;
    assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(cooccurrence_count(ctx, &nothing, COOCCURRENCE_OCCURRENCE, 100, &c, NULL),
                     GENAIR_OK);
    assert_int_equal(c.n_pairs, 0);
    cooccurrence_free(&c);
    genair_context_free(ctx);
}

static void test_stop(void **state) {
    (void)state;
    struct lists l = random_lists(1, 20, 10, 5);
    genair_context *ctx;
    struct cooccurrence c;
    assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, NULL), GENAIR_OK);
    genair_context_stop(ctx);
    assert_int_equal(cooccurrence_count(ctx, &l.view, COOCCURRENCE_OCCURRENCE, 100, &c, NULL),
                     GENAIR_INTERRUPTED);
    genair_context_free(ctx);
    free_lists(&l);
}

static genair_context *to_stop;

static void stop_it(int number) {
    (void)number;
    genair_context_stop(to_stop);
}

/* One round of seconds: every item stands in one long sequence, many times. */
static void test_stop_within_a_round(void **state) {
    (void)state;
    enum { N_ITEMS = 2000, TIMES = 2000 };
    const uint64_t start[] = {0};
    const uint32_t length[] = {N_ITEMS * TIMES};
    uint32_t *item = mem_array(N_ITEMS * TIMES, sizeof *item);
    for (uint32_t p = 0; p < N_ITEMS * TIMES; p++) item[p] = 1 + p % N_ITEMS;
    const struct item_lists l = {1, N_ITEMS, start, length, item};
    struct cooccurrence c;
    assert_int_equal(genair_context_create(1, NULL, NULL, &to_stop, NULL), GENAIR_OK);
    signal(SIGALRM, stop_it);
    const struct itimerval soon = {.it_value.tv_usec = 100000};
    setitimer(ITIMER_REAL, &soon, NULL);
    const double before = context_processor_seconds();
    assert_int_equal(cooccurrence_count(to_stop, &l, COOCCURRENCE_OCCURRENCE, 1 << 27, &c, NULL), GENAIR_INTERRUPTED);
    assert_true(context_processor_seconds() - before < 2);
    genair_context_free(to_stop);
    mem_free(item);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_lists),
        cmocka_unit_test(test_no_items),
        cmocka_unit_test(test_endless_sequence),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_within_a_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
