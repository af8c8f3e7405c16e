/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline on random logs against the definitions written down plainly, and against itself with
 * other memory and other threads. */
#include "prepare/pipeline.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "support/scratch.h"

#include <math.h>
#include <string.h>

enum { MAX_EVENTS = 4096, MAX_NAMES = 600 };

struct event {
    uint32_t user, item; /* names "u7", "i9" */
    int64_t time;
};

struct log {
    size_t n;
    struct event event[MAX_EVENTS];
};

/* Short times give ties, few items give repeats; names come in no order. */
static void random_log(struct log *l, uint64_t seed, size_t n, uint32_t n_users, uint32_t n_items,
                       uint64_t n_times) {
    struct rng r = rng_start(seed, RNG_TEST, 3);
    l->n = n;
    for (size_t k = 0; k < n; k++) {
        const double x = rng_unit(&r), y = rng_unit(&r);
        l->event[k] = (struct event){(uint32_t)(x * x * n_users), (uint32_t)(y * y * n_items),
                                     (int64_t)rng_below(&r, n_times) - (int64_t)n_times / 2};
    }
}

/* ---- the definitions ---- */

struct expected {
    uint32_t n_users, n_items;
    uint32_t user_name[MAX_NAMES], item_name[MAX_NAMES]; /* of each id; items from 1 */
    size_t start[MAX_NAMES + 1];
    uint32_t item[MAX_EVENTS];
    int64_t time[MAX_EVENTS];
};

static bool apply_filter(const struct log *l, const struct filter_options *o, bool *stays) {
    static uint32_t users[MAX_NAMES], items[MAX_NAMES];
    memset(users, 0, sizeof users);
    memset(items, 0, sizeof items);
    for (size_t k = 0; k < l->n; k++)
        if (stays[k]) users[l->event[k].user]++, items[l->event[k].item]++;
    bool changed = false;
    for (size_t k = 0; k < l->n; k++) {
        const bool drop =
            users[l->event[k].user] < o->user_core || items[l->event[k].item] < o->item_core;
        changed |= stays[k] && drop;
        stays[k] &= !drop;
    }
    return changed;
}

static int by_time(const void *a, const void *b) {
    const struct event *x = *(const struct event *const *)a, *y = *(const struct event *const *)b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return (x > y) - (x < y); /* order in the file */
}

static void number_names(const struct log *l, const bool *stays, struct expected *e,
                         uint32_t *user_id, uint32_t *item_id) {
    e->n_users = e->n_items = 0;
    for (uint32_t i = 0; i < MAX_NAMES; i++)
        user_id[i] = item_id[i] = UINT32_MAX;
    for (size_t k = 0; k < l->n; k++) {
        if (!stays[k]) continue;
        const uint32_t u = l->event[k].user, i = l->event[k].item;
        if (user_id[u] == UINT32_MAX) {
            e->user_name[e->n_users] = u;
            user_id[u] = e->n_users++;
        }
        if (item_id[i] == UINT32_MAX) {
            item_id[i] = ++e->n_items;
            e->item_name[e->n_items] = i;
        }
    }
}

static void expect(const struct log *l, const struct filter_options *o, struct expected *e) {
    static bool stays[MAX_EVENTS];
    static uint32_t user_id[MAX_NAMES], item_id[MAX_NAMES];
    static const struct event *mine[MAX_EVENTS];
    for (size_t k = 0; k < l->n; k++)
        stays[k] = true;
    if (o->until_stable) {
        while (apply_filter(l, o, stays)) {
        }
    } else {
        const struct filter_options three = {3, 0, false};
        apply_filter(l, o, stays);
        apply_filter(l, &three, stays);
    }
    number_names(l, stays, e, user_id, item_id);
    size_t at = 0;
    for (uint32_t u = 0; u < e->n_users; u++) {
        size_t n = 0;
        for (size_t k = 0; k < l->n; k++)
            if (stays[k] && user_id[l->event[k].user] == u) mine[n++] = &l->event[k];
        qsort(mine, n, sizeof mine[0], by_time);
        e->start[u] = at;
        for (size_t k = 0; k < n; k++, at++) {
            e->item[at] = item_id[mine[k]->item];
            e->time[at] = mine[k]->time;
        }
    }
    e->start[e->n_users] = at;
}

/* ---- running ---- */

static genair_code run(const struct log *l, const struct pipeline_options *o, int threads,
                       const char *workspace, struct pipeline_statistics *s, genair_status *st) {
    genair_context *ctx;
    struct click_log log;
    struct numbering numbering = {0};
    assert_int_equal(genair_context_create(threads, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(directory_make(workspace, NULL), GENAIR_OK);
    assert_int_equal(click_log_init(&log, workspace, o->memory_bytes / 4, NULL), GENAIR_OK);
    for (size_t k = 0; k < l->n; k++) {
        char user[16], item[16];
        snprintf(user, sizeof user, "u%u", l->event[k].user);
        snprintf(item, sizeof item, "i%u", l->event[k].item);
        assert_int_equal(click_log_add(&log, text_of(user), text_of(item), l->event[k].time, NULL),
                         GENAIR_OK);
    }
    const genair_code code = pipeline_run(ctx, workspace, &log, o, s, &numbering, st);
    numbering_deinit(&numbering);
    click_log_deinit(&log);
    genair_context_free(ctx);
    return code;
}

static struct pipeline_options options_of(uint32_t user_core, uint32_t item_core, bool kcore) {
    return (struct pipeline_options){.filter = {user_core, item_core, kcore},
                                     .held_out_users = 1,
                                     .time_quantile = 0.8,
                                     .seed = 5,
                                     .candidate_seed = 6,
                                     .memory_bytes = 1 << 20,
                                     .made_from = "0123456789abcdef0123456789abcdef"};
}

/* ---- comparing ---- */

static void check_names(const struct dataset *d, const struct expected *e) {
    char name[16];
    uint32_t id;
    for (uint32_t u = 0; u < e->n_users; u++) {
        snprintf(name, sizeof name, "u%u", e->user_name[u]);
        assert_true(text_equal(dataset_user_name(d, u), name));
        assert_true(dataset_user_named(d, text_of(name), &id));
        assert_int_equal(id, u);
    }
    for (uint32_t i = 1; i <= e->n_items; i++) {
        snprintf(name, sizeof name, "i%u", e->item_name[i]);
        assert_true(text_equal(dataset_item_name(d, i), name));
        assert_true(dataset_item_named(d, text_of(name), &id));
        assert_int_equal(id, i);
    }
    assert_false(dataset_item_named(d, text_of("i"), &id));
    assert_false(dataset_user_named(d, text_of("nobody"), &id));
}

static void check_histories(const struct dataset *d, const struct expected *e) {
    assert_int_equal(d->n_users, e->n_users);
    assert_int_equal(d->n_items, e->n_items);
    assert_int_equal(d->n_interactions, e->start[e->n_users]);
    for (uint32_t u = 0; u <= e->n_users; u++)
        assert_int_equal(d->start[u], e->start[u]);
    assert_memory_equal(d->item, e->item, d->n_interactions * sizeof *d->item);
    assert_memory_equal(d->time, e->time, d->n_interactions * sizeof *d->time);
}

static bool tied_at(const struct dataset *d, uint32_t u, uint32_t p) {
    const int64_t *t = d->time + d->start[u];
    const uint64_t n = d->start[u + 1] - d->start[u];
    return (p > 0 && t[p] == t[p - 1]) || (p + 1 < n && t[p] == t[p + 1]);
}

static void check_split(const struct dataset *d, const struct pipeline_options *o, int64_t cut) {
    uint32_t n_could = 0, n_held_out = 0;
    for (uint32_t u = 0; u < d->n_users; u++) {
        const uint32_t n = (uint32_t)(d->start[u + 1] - d->start[u]);
        uint32_t train = n, valid = DATASET_NONE, test = DATASET_NONE, before = 0;
        while (before < n && d->time[d->start[u] + before] < cut)
            before++;
        if (o->by_time) {
            train = before >= 2 ? before - 1 : before;
            if (before >= 2) valid = before - 1;
            if (before >= 1 && before < n) test = before;
        } else if (n >= 3) {
            train = valid = n - 2;
            test = n - 1;
        }
        const bool could = valid != DATASET_NONE || test != DATASET_NONE,
                   held_out = d->valid[u] != DATASET_NONE || d->test[u] != DATASET_NONE;
        n_could += could;
        n_held_out += held_out;
        if (could && !held_out) {
            train = o->by_time ? before : n;
            valid = test = DATASET_NONE;
        }
        assert_int_equal(d->n_train[u], train);
        assert_int_equal(d->valid[u], valid);
        assert_int_equal(d->test[u], test);
        assert_int_equal(d->tied_time[u] & 1, valid != DATASET_NONE && tied_at(d, u, valid));
        assert_int_equal(d->tied_time[u] >> 1, test != DATASET_NONE && tied_at(d, u, test));
    }
    const double expected = o->held_out_users * n_could;
    assert_true(fabs(n_held_out - expected) <= 4 * sqrt(expected * (1 - o->held_out_users)));
}

/* The share of interactions before the cut is at most the quantile, up to the cut at least. */
static void check_cut(const struct dataset *d, double quantile, int64_t cut) {
    uint64_t below = 0, upto = 0;
    for (uint64_t k = 0; k < d->n_interactions; k++) {
        below += d->time[k] < cut;
        upto += d->time[k] <= cut;
    }
    const double rank = quantile * (double)d->n_interactions;
    assert_true((double)below <= rank && (double)upto > rank - 1e-9);
}

static void check_training(const struct dataset *d, const struct pipeline_options *o) {
    static uint32_t popularity[MAX_NAMES];
    memset(popularity, 0, sizeof popularity);
    uint32_t n_cold = 0;
    for (uint32_t i = 1; i <= d->n_items; i++)
        n_cold += d->cold[i];
    assert_int_equal(n_cold, (uint32_t)(o->cold_share * d->n_items));
    for (uint32_t u = 0; u < d->n_users; u++) {
        uint32_t n, k = 0;
        const uint32_t *items = dataset_training(d, u, &n);
        for (uint32_t p = 0; p < d->n_train[u]; p++) {
            const uint32_t item = d->item[d->start[u] + p];
            if (d->cold[item]) continue;
            assert_true(k < n);
            assert_int_equal(items[k++], item);
            popularity[item]++;
        }
        assert_int_equal(k, n);
    }
    for (uint32_t i = 0; i <= d->n_items; i++)
        assert_int_equal(d->popularity[i], popularity[i]);
}

static void check_pairs(const struct dataset *d) {
    const size_t side = (size_t)d->n_items + 1;
    uint32_t *table = mem_zeros(side * side, sizeof *table);
    for (uint32_t u = 0; u < d->n_users; u++) {
        uint32_t n;
        const uint32_t *items = dataset_training(d, u, &n);
        for (uint32_t p = 0; p < n; p++)
            for (uint32_t q = p + 1; q < n; q++) {
                table[items[p] * side + items[q]]++;
                if (items[p] != items[q]) table[items[q] * side + items[p]]++;
            }
    }
    const struct cooccurrence *c = &d->cooccurrence;
    uint64_t k = 0;
    for (uint32_t a = 1; a < side; a++)
        for (uint32_t b = 1; b < side; b++) {
            if (!table[a * side + b]) continue;
            assert_true(k >= c->start[a] && k < c->start[a + 1]);
            assert_int_equal(c->item[k], b);
            assert_int_equal(c->count[k++], table[a * side + b]);
        }
    assert_int_equal(c->start[side], k);
    mem_free(table);
}

static void check_candidates(const struct dataset *d) {
    for (int part = 0; part < 2; part++)
        for (uint32_t u = 0; u < d->n_users; u++) {
            static uint8_t met[MAX_NAMES];
            uint32_t n, n_free = d->n_items;
            const uint32_t *items = dataset_candidates(d, part, u, &n);
            memset(met, 0, sizeof met);
            for (uint64_t k = d->start[u]; k < d->start[u + 1]; k++) {
                n_free -= !met[d->item[k]];
                met[d->item[k]] = 1;
            }
            const uint32_t target = part == 0 ? d->valid[u] : d->test[u];
            assert_int_equal(n, target == DATASET_NONE        ? 0
                                : n_free < DATASET_CANDIDATES ? n_free
                                                              : DATASET_CANDIDATES);
            for (uint32_t k = 0; k < n; k++) {
                assert_false(met[items[k]]);
                met[items[k]] = 1;
            }
        }
}

static const char *const files[] = {DATASET_SEQUENCES, DATASET_IDS, DATASET_COOCCURRENCE,
                                    DATASET_CANDIDATES_FILE};

static void check_same_files(const char *a, const char *b) {
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char x[33], y[33], *p = path_join(a, files[i]), *q = path_join(b, files[i]);
        assert_int_equal(hash_file(NULL, p, x, NULL), GENAIR_OK);
        assert_int_equal(hash_file(NULL, q, y, NULL), GENAIR_OK);
        assert_string_equal(x, y);
        mem_free(p);
        mem_free(q);
    }
}

static void check_same_statistics(const struct pipeline_statistics *a,
                                  const struct pipeline_statistics *b) {
    assert_int_equal(a->n_cold, b->n_cold);
    assert_int_equal(a->rounds, b->rounds);
    assert_int_equal(a->n_training, b->n_training);
    assert_int_equal(a->n_pairs, b->n_pairs);
    assert_int_equal(a->max_count, b->max_count);
    assert_int_equal(a->n_valid, b->n_valid);
    assert_int_equal(a->n_test, b->n_test);
    assert_int_equal(a->tied_valid, b->tied_valid);
    assert_int_equal(a->tied_test, b->tied_test);
    assert_int_equal(a->unseen_test, b->unseen_test);
    assert_int_equal(a->cold_test, b->cold_test);
    assert_int_equal(a->n_repeated, b->n_repeated);
    assert_int_equal(a->shortest, b->shortest);
    assert_int_equal(a->longest, b->longest);
    assert_int_equal(a->cut, b->cut);
}

/* ---- tests ---- */

static struct log log_of_test;
static struct expected expected_of_test;

static void check_log(const struct log *l, const struct pipeline_options *o, const char *name) {
    struct pipeline_statistics s, again;
    struct expected *e = &expected_of_test;
    genair_status st = {0};
    char *workspace = scratch_path(name);
    expect(l, &o->filter, e);
    const genair_code code = run(l, o, 1, workspace, &s, &st);
    if (e->n_users == 0) {
        assert_int_equal(code, GENAIR_FORMAT);
        mem_free(workspace);
        return;
    }
    assert_int_equal(code, GENAIR_OK);
    struct dataset *d;
    assert_int_equal(dataset_open(workspace, &d, NULL), GENAIR_OK);
    check_histories(d, e);
    check_names(d, e);
    check_split(d, o, s.cut);
    if (o->by_time) check_cut(d, o->time_quantile, s.cut);
    check_training(d, o);
    check_pairs(d);
    check_candidates(d);
    assert_int_equal(s.n_pairs, d->cooccurrence.n_pairs);
    assert_int_equal(s.max_count, d->cooccurrence.max_count);
    dataset_close(d);

    struct pipeline_options tiny = *o;
    tiny.memory_bytes =
        512; /* everything goes through temporary files, in many ranges and blocks */
    char *other = scratch_path("tiny");
    assert_int_equal(run(l, &tiny, 3, other, &again, NULL), GENAIR_OK);
    check_same_files(workspace, other);
    check_same_statistics(&s, &again);
    mem_free(other);
    mem_free(workspace);
}

static void test_random_logs(void **state) {
    (void)state;
    static const struct {
        size_t n;
        uint32_t n_users, n_items;
        uint64_t n_times;
    } shapes[] = {{12, 2, 3, 5},
                  {300, 20, 15, 40},
                  {300, 20, 15, 1},
                  {2000, 90, 60, 1000000},
                  {3000, 60, 500, 300}};
    char name[32];
    int k = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int variant = 0; variant < 16; variant++) {
            random_log(&log_of_test, (uint64_t)k, shapes[i].n, shapes[i].n_users, shapes[i].n_items,
                       shapes[i].n_times);
            struct pipeline_options o =
                options_of(1 + (uint32_t)variant % 8, 2 + (uint32_t)variant % 3, variant & 1);
            o.by_time = variant & 2;
            o.cold_share = variant & 4 ? 0.3 : 0;
            o.held_out_users = variant & 8 ? 0.6 : 1;
            snprintf(name, sizeof name, "random-%d", k++);
            check_log(&log_of_test, &o, name);
        }
}

static void test_short_histories(void **state) {
    (void)state;
    /* a: 4, b: 2, c: 1, d: 3 interactions; once drops b and c, kcore with threshold 1 keeps them
     * for training. */
    static const struct event events[] = {{0, 1, 5}, {1, 1, 1}, {0, 2, 4}, {2, 3, 1}, {3, 1, 9},
                                          {0, 1, 3}, {3, 2, 8}, {1, 2, 2}, {3, 3, 7}, {0, 3, 2}};
    log_of_test.n = sizeof events / sizeof events[0];
    memcpy(log_of_test.event, events, sizeof events);
    struct pipeline_statistics s;
    struct pipeline_options o = options_of(1, 1, false);
    check_log(&log_of_test, &o, "short-once");
    char *workspace = scratch_path("short-kcore");
    o.filter.until_stable = true;
    check_log(&log_of_test, &o, "short-kcore");
    assert_int_equal(run(&log_of_test, &o, 1, workspace, &s, NULL), GENAIR_OK);
    assert_int_equal(s.n_users, 4);
    assert_int_equal(s.n_test, 2);
    assert_int_equal(s.n_repeated, 1);
    assert_int_equal(s.shortest, 1);
    assert_int_equal(s.longest, 4);
    mem_free(workspace);
}

/* A chain that comes undone link by link, beside two users and two items that hold each other. */
static void test_long_cascade(void **state) {
    (void)state;
    enum { LINKS = 40 };
    size_t n = 0;
    for (uint32_t k = 0; k < LINKS; k++) { /* user k holds items k and k + 1 */
        log_of_test.event[n++] = (struct event){k, k, 0};
        log_of_test.event[n++] = (struct event){k, k + 1, 1};
    }
    for (uint32_t k = 0; k < 4; k++)
        log_of_test.event[n++] = (struct event){100 + k / 2, 100 + k % 2, (int64_t)k};
    log_of_test.n = n;
    const struct pipeline_options o = options_of(2, 2, true);
    check_log(&log_of_test, &o, "cascade");
    struct pipeline_statistics s;
    char *workspace = scratch_path("cascade");
    assert_int_equal(run(&log_of_test, &o, 1, workspace, &s, NULL), GENAIR_OK);
    assert_int_equal(s.n_users, 2);
    assert_true(s.rounds > LINKS / 4);
    mem_free(workspace);
}

static void test_nothing_left(void **state) {
    (void)state;
    struct pipeline_statistics s;
    const struct pipeline_options o = options_of(1000, 3, false);
    char *workspace = scratch_path("nothing");
    genair_status st[2] = {0};
    log_of_test.n = 0;
    assert_int_equal(run(&log_of_test, &o, 1, workspace, &s, &st[0]), GENAIR_FORMAT);
    assert_string_equal(st[0].message, "the log holds no interactions");
    random_log(&log_of_test, 1, 50, 5, 5, 10);
    assert_int_equal(run(&log_of_test, &o, 1, workspace, &s, &st[1]), GENAIR_FORMAT);
    assert_non_null(strstr(
        st[1].message, "of 50 interactions of 5 users with 5 items none is left: --user-core 1000 "
                       "and --item-core 3 are too high for this log"));
    mem_free(workspace);
}

static void test_one_item(void **state) {
    (void)state;
    log_of_test.n = 9;
    for (size_t k = 0; k < 9; k++)
        log_of_test.event[k] = (struct event){(uint32_t)k % 2, 0, (int64_t)k};
    const struct pipeline_options o = options_of(1, 1, false);
    check_log(&log_of_test, &o, "one-item");
}

static void test_extreme_times(void **state) {
    (void)state;
    static const int64_t times[] = {INT64_MAX, INT64_MIN, 0, -1, 1, INT64_MIN + 1};
    log_of_test.n = sizeof times / sizeof times[0];
    for (size_t k = 0; k < log_of_test.n; k++)
        log_of_test.event[k] = (struct event){0, (uint32_t)k, times[k]};
    struct pipeline_options o = options_of(1, 1, false);
    o.by_time = true;
    check_log(&log_of_test, &o, "extreme-times");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_logs),  cmocka_unit_test(test_short_histories),
        cmocka_unit_test(test_long_cascade), cmocka_unit_test(test_nothing_left),
        cmocka_unit_test(test_one_item),     cmocka_unit_test(test_extreme_times),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
