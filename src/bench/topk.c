/* SPDX-License-Identifier: Apache-2.0 */
/* The best items of a large catalogue, as `serve` finds them for each request: vectors and users are drawn. Requests arrive at
 * a steady rate whether or not earlier ones are answered; a request's time runs from its arrival. The floor is the bytes that are
 * read for each user over what the machine reads a second, measured in the same run on one thread. */
#include "bench/bench.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/sort.h"
#include "ranking/index.h"
#include "ranking/score_row.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { SERVERS = 16, COMPARED = 20, RECALLED = 200, READ_ROUNDS = 5, ROWS_OF_TASK = 4096 };
static const uint64_t first_centre = UINT64_C(1) << 40; /* numbers of drawn vectors: behind those of items and users */
static const float noise = 0.7f;                          /* beside centres of 1: members of a cluster have a cosine of 0.67 */

struct catalogue_bench {
    struct scorer scorer;
    struct index index;
    double build_seconds;
    float *vectors; /* [n_items + 1, width] */
    uint64_t seed;
    size_t k, n_clusters;
};

static void draw(const struct catalogue_bench *b, enum rng_purpose purpose, uint64_t number, float *out) {
    const size_t width = b->scorer.width;
    struct rng r = rng_start(b->seed, purpose, number), centre;
    for (size_t k = 0; k < width; k++) out[k] = (float)rng_normal(&r);
    if (b->n_clusters == 0) return;
    centre = rng_start(b->seed, RNG_INIT, first_centre + rng_below(&r, b->n_clusters));
    for (size_t k = 0; k < width; k++) out[k] = noise * out[k] + (float)rng_normal(&centre);
}

/* The only history is the user's number. */
static genair_code draw_users(void *model, const struct histories *h, float *out, genair_status *st) {
    const struct catalogue_bench *b = model;
    (void)st;
    for (size_t u = 0; u < h->n; u++) draw(b, RNG_TEST, h->items[h->offsets[u]], out + u * b->scorer.width);
    return GENAIR_OK;
}

static genair_code draw_user(struct catalogue_bench *b, uint32_t number, float *out, genair_status *st) {
    const uint64_t offsets[] = {0, 1};
    return b->scorer.encode(b, &(struct histories){.n = 1, .offsets = offsets, .items = &number}, out, st);
}

static void draw_items(void *context, size_t task, int worker) {
    (void)worker;
    const struct catalogue_bench *b = context;
    const size_t first = task * ROWS_OF_TASK + 1, end = first + ROWS_OF_TASK;
    for (size_t i = first; i < end && i <= b->scorer.n_items; i++) draw(b, RNG_INIT, i, b->vectors + i * b->scorer.width);
}

static genair_code make(genair_context *ctx, const genair_options *o, struct catalogue_bench *b, genair_status *st) {
    struct index_setting setting;
    if (index_asked(o, &setting, st) != GENAIR_OK) return GENAIR_USAGE;
    const size_t n = (size_t)option_int(o, "items"), width = (size_t)option_int(o, "hidden");
    b->seed = (uint64_t)option_int(o, "seed");
    b->k = (size_t)option_int(o, "k");
    b->n_clusters = (size_t)option_int(o, "clusters");
    b->vectors = mem_aligned((n + 1) * width, sizeof *b->vectors);
    b->scorer = (struct scorer){.n_items = (uint32_t)n, .width = width, .item_vectors = b->vectors, .model = b, .encode = draw_users};
    if (!b->vectors) return fail_memory(st);
    parallel_run(context_parallel(ctx), (n + ROWS_OF_TASK - 1) / ROWS_OF_TASK, draw_items, b);
    for (size_t k = 0; k < width; k++)
        b->vectors[k] = 0;
    const double begin = context_seconds();
    const genair_code code = index_create(&b->scorer, &setting, context_parallel(ctx), &b->index, st);
    b->build_seconds = context_seconds() - begin;
    if (code != GENAIR_OK || b->index.screen) return code;
    return fail(st, GENAIR_USAGE, "%zu vectors of %zu components are too few to be worth a screen: give more --items", n, width);
}

/* Bytes a second, one thread: the best of some rounds over the float vectors. */
static double read_speed(const struct catalogue_bench *b) {
    const size_t n = ((size_t)b->scorer.n_items + 1) * b->scorer.width;
    double best = 0;
    for (int i = 0; i < READ_ROUNDS; i++) {
        const double begin = context_seconds();
        if (kernels_select(NULL)->first_above(b->vectors, n, INFINITY) != n) return 0;
        best = fmax(best, (double)(n * sizeof(float)) / (context_seconds() - begin));
    }
    return best;
}

/* ---- the same lists ---- */

static bool same(const struct topk *a, const struct topk *b) {
    bool equal = a->n == b->n;
    for (size_t i = 0; i < a->n && equal; i++)
        equal = a->entries[i].id == b->entries[i].id && a->entries[i].score == b->entries[i].score;
    return equal;
}

struct comparison {
    double float_seconds, screen_seconds, checked; /* means of COMPARED users */
};

static genair_code compare(struct catalogue_bench *b, float *user, float *row, struct topk lists[2], struct comparison *c,
                           genair_status *st) {
    for (uint32_t u = 0; u < COMPARED; u++) {
        struct screen_reading reading = {0};
        lists[0].n = lists[1].n = 0;
        genair_code code = draw_user(b, UINT32_MAX - u, user, st);
        const double begin = context_seconds();
        if (code == GENAIR_OK) code = score_row_of(&b->scorer, user, row, st);
        topk_push_row(&lists[0], kernels_select(NULL), row, (size_t)b->scorer.n_items + 1, 0);
        topk_sort(&lists[0]);
        const double middle = context_seconds();
        if (code == GENAIR_OK) code = screen_best(b->index.screen, user, NULL, &lists[1], &reading, st);
        if (code != GENAIR_OK) return code;
        c->float_seconds += (middle - begin) / COMPARED;
        c->screen_seconds += (context_seconds() - middle) / COMPARED;
        c->checked += (double)reading.vectors / COMPARED;
        if (!same(&lists[0], &lists[1])) return fail(st, GENAIR_INTERNAL, "user %u: the screened list is another one", u);
    }
    return GENAIR_OK;
}

static genair_code compare_lists(struct catalogue_bench *b, struct comparison *c, genair_status *st) {
    float *user = mem_array(b->scorer.width, sizeof *user), *row = mem_array((size_t)b->scorer.n_items + 1, sizeof *row);
    struct scored *entries = mem_array(2 * b->k, sizeof *entries);
    struct topk lists[2] = {{.k = b->k, .entries = entries}, {.k = b->k, .entries = entries + b->k}};
    const genair_code code = user && row && entries ? compare(b, user, row, lists, c, st) : fail_memory(st);
    mem_free(user);
    mem_free(row);
    mem_free(entries);
    return code;
}

/* ---- some of the lists ---- */

struct recall {
    double found, seconds, codes, vectors; /* means of RECALLED users: share of the best k, and what was read */
};

static size_t common(const struct topk *a, const struct topk *b) {
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++)
        for (size_t j = 0; j < b->n; j++) n += a->entries[i].id == b->entries[j].id;
    return n;
}

static genair_code recall_of(struct catalogue_bench *b, float *user, struct topk lists[2], struct recall *r, genair_status *st) {
    for (uint32_t u = 0; u < RECALLED; u++) {
        struct screen_reading reading = {0};
        lists[0].n = lists[1].n = 0;
        genair_code code = draw_user(b, UINT32_MAX - u, user, st);
        if (code == GENAIR_OK) code = screen_best(b->index.screen, user, NULL, &lists[0], NULL, st);
        const double begin = context_seconds();
        if (code == GENAIR_OK) code = screen_best_near(b->index.screen, user, NULL, b->index.probe, &lists[1], &reading, st);
        if (code != GENAIR_OK) return code;
        r->seconds += (context_seconds() - begin) / RECALLED;
        r->found += (double)common(&lists[0], &lists[1]) / (double)lists[0].n / RECALLED;
        r->codes += (double)reading.codes / RECALLED;
        r->vectors += (double)reading.vectors / RECALLED;
    }
    return GENAIR_OK;
}

static genair_code measure_recall(struct catalogue_bench *b, struct recall *r, genair_status *st) {
    float *user = mem_array(b->scorer.width, sizeof *user);
    struct scored *entries = mem_array(2 * b->k, sizeof *entries);
    struct topk lists[2] = {{.k = b->k, .entries = entries}, {.k = b->k, .entries = entries + b->k}};
    const genair_code code = user && entries ? recall_of(b, user, lists, r, st) : fail_memory(st);
    mem_free(user);
    mem_free(entries);
    return code;
}

/* ---- under load ---- */

struct load {
    struct catalogue_bench *bench;
    size_t probe; /* 0: all lists */
    const genair_context *ctx;
    double begin, rate;
    size_t n;
    atomic_size_t next;
    double *seconds; /* [n] of each request */
    atomic_bool failed;
};

static void sleep_until(double when) {
    const double left = when - context_seconds();
    if (left <= 0) return;
    const struct timespec t = {(time_t)left, (long)((left - floor(left)) * 1e9)};
    nanosleep(&t, NULL);
}

static void *serve(void *context) {
    struct load *l = context;
    struct catalogue_bench *b = l->bench;
    float *user = mem_array(b->scorer.width, sizeof *user);
    struct topk best = {.k = b->k, .entries = mem_array(b->k, sizeof *best.entries)};
    bool sound = user && best.entries;
    for (size_t i; sound && (i = atomic_fetch_add(&l->next, 1)) < l->n && !context_stopped(l->ctx);) {
        const double arrival = l->begin + (double)i / l->rate;
        sleep_until(arrival);
        best.n = 0;
        sound = draw_user(b, (uint32_t)i, user, NULL) == GENAIR_OK &&
                (l->probe ? screen_best_near(b->index.screen, user, NULL, l->probe, &best, NULL, NULL)
                          : screen_best(b->index.screen, user, NULL, &best, NULL, NULL)) == GENAIR_OK;
        l->seconds[i] = context_seconds() - arrival;
    }
    if (!sound) atomic_store(&l->failed, true);
    mem_free(user);
    mem_free(best.entries);
    return NULL;
}

static genair_code run_load(struct load *l, genair_status *st) {
    pthread_t threads[SERVERS];
    size_t started = 0;
    l->begin = context_seconds() + 0.1;
    while (started < SERVERS && pthread_create(&threads[started], NULL, serve, l) == 0) started++;
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (context_stopped(l->ctx)) return context_interrupted(st);
    return started == SERVERS && !atomic_load(&l->failed) ? GENAIR_OK : fail_memory(st);
}

static json_t *describe_load(struct load *l) {
    sort_doubles(l->seconds, l->n);
    return json_pack("{s:f, s:f, s:f, s:f}", "rate", l->rate, "p50_ms", l->seconds[l->n / 2] * 1e3, "p99_ms",
                     l->seconds[l->n * 99 / 100] * 1e3, "max_ms", l->seconds[l->n - 1] * 1e3);
}

static json_t *describe(const struct catalogue_bench *b, const struct comparison *c, struct load *l, double bandwidth) {
    const double bytes = (double)screen_bytes(b->index.screen), floor_ms = bytes / bandwidth * 1e3;
    json_t *all = json_pack(
        "{s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s}", "items", (json_int_t)b->scorer.n_items, "width",
        (json_int_t)b->scorer.width, "k", (json_int_t)b->k, "clusters", (json_int_t)b->n_clusters, "read_gb_per_second",
        bandwidth * 1e-9, "bytes_per_request", bytes, "floor_ms", floor_ms, "float_ms", c->float_seconds * 1e3, "screen_ms",
        c->screen_seconds * 1e3, "float_vectors_read", c->checked, "achieved", bytes / c->screen_seconds * 1e-9, "peak",
        bandwidth * 1e-9, "utilization", floor_ms / (c->screen_seconds * 1e3), "unit", "GB/s");
    if (json_object_update_new(all, describe_load(l)) == 0) return all;
    json_decref(all);
    return NULL;
}

static json_t *describe_approximate(const struct catalogue_bench *b, const struct recall *r, struct load *l) {
    const struct partition *p = b->index.partition;
    json_t *all = json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "lists", (json_int_t)p->n_lists, "probe",
                            (json_int_t)b->index.probe, "build_seconds", b->build_seconds, "index_bytes",
                            (double)(partition_bytes(p, b->scorer.n_items) + screen_bytes(b->index.screen)), "recall", r->found,
                            "search_ms", r->seconds * 1e3, "items_read", r->codes, "float_vectors_read", r->vectors);
    if (json_object_update_new(all, describe_load(l)) == 0) return all;
    json_decref(all);
    return NULL;
}

/* The same load again, put to some of the lists. */
static genair_code bench_approximate(struct catalogue_bench *b, struct load *l, json_t *result, genair_status *st) {
    struct recall r = {0};
    atomic_store(&l->next, 0);
    l->probe = b->index.probe;
    genair_code code = measure_recall(b, &r, st);
    if (code == GENAIR_OK) code = run_load(l, st);
    if (code == GENAIR_OK && json_object_set_new(result, "approximate", describe_approximate(b, &r, l)) != 0) code = fail_memory(st);
    return code;
}

genair_code bench_topk(genair_context *ctx, const genair_options *o, double peak, json_t **result, genair_status *st) {
    (void)peak;
    struct catalogue_bench b = {0};
    struct comparison c = {0};
    struct load l = {.bench = &b, .ctx = ctx, .rate = option_real(o, "rate")};
    l.n = (size_t)fmax(1, l.rate * (double)option_int(o, "load-seconds"));
    l.seconds = mem_zeros(l.n, sizeof *l.seconds);
    genair_code code = l.seconds ? make(ctx, o, &b, st) : fail_memory(st);
    const double bandwidth = code == GENAIR_OK ? read_speed(&b) : 0;
    if (code == GENAIR_OK) code = compare_lists(&b, &c, st);
    if (code == GENAIR_OK) code = run_load(&l, st);
    if (code == GENAIR_OK) {
        *result = describe(&b, &c, &l, bandwidth);
        if (!*result) code = fail_memory(st);
    }
    if (code == GENAIR_OK && b.index.probe) code = bench_approximate(&b, &l, *result, st);
    index_free(&b.index);
    mem_free(b.vectors);
    mem_free(l.seconds);
    return code;
}
