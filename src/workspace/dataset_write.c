/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/dataset_write.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/rng.h"
#include "base/size.h"
#include "base/spill.h"
#include "workspace/store.h"

#include <string.h>

static genair_code create_in(const char *workspace, const char *name, const char *kind,
                             const char *made_from, struct store_writer **out, genair_status *st) {
    char *path = path_join(workspace, name);
    if (!path) return fail_memory(st);
    const genair_code code = store_create(path, kind, made_from, out, st);
    mem_free(path);
    return code;
}

static genair_code put_spill(struct store_writer *w, const char *name, size_t element_bytes,
                             struct spill *s, genair_status *st) {
    genair_code code = store_begin(w, name, element_bytes, st);
    if (code == GENAIR_OK) code = spill_rewind(s, st);
    const void *p;
    size_t n = 1;
    while (code == GENAIR_OK && n) {
        code = spill_next(s, &p, &n, st);
        if (code == GENAIR_OK && n) code = store_put(w, p, n, st);
    }
    return code;
}

/* ---- sequences.bin ---- */

/* Arrays that wait in spills while the items go straight to the file. */
enum column { START, TIME, N_TRAIN, VALID, TEST, TIED, TRAINING_START, TRAINING_ITEM, N_COLUMNS };
static const struct {
    const char *name;
    size_t bytes;
} columns[N_COLUMNS] = {
    [START] = {"start", 8},
    [TIME] = {"time", 8},
    [N_TRAIN] = {"n_train", 4},
    [VALID] = {"valid", 4},
    [TEST] = {"test", 4},
    [TIED] = {"tied", 1},
    [TRAINING_START] = {"tr_start", 8},
    [TRAINING_ITEM] = {"tr_item", 4},
};

struct sequences_writer {
    struct store_writer *store;
    struct spill *column[N_COLUMNS];
    uint32_t n_items;
    const uint8_t *cold;
    bool any_cold;
    uint32_t *popularity; /* [n_items + 1] */
    uint64_t n_items_put, n_training_put;
};

genair_code sequences_create(const char *workspace, const char *made_from, uint32_t n_items,
                             const uint8_t *cold, size_t memory_bytes,
                             struct sequences_writer **out, genair_status *st) {
    struct sequences_writer *w = mem_zeros(1, sizeof *w);
    if (!w) return fail_memory(st);
    w->n_items = n_items;
    w->cold = cold;
    for (uint32_t i = 1; i <= n_items; i++)
        w->any_cold |= cold[i] != 0;
    genair_code code = GENAIR_OK;
    w->popularity = mem_zeros((size_t)n_items + 1, sizeof *w->popularity);
    if (!w->popularity) code = fail_memory(st);
    for (int c = 0; code == GENAIR_OK && c < N_COLUMNS; c++)
        code =
            spill_create(workspace, columns[c].bytes, memory_bytes / N_COLUMNS, &w->column[c], st);
    if (code == GENAIR_OK)
        code = create_in(workspace, DATASET_SEQUENCES, "SEQU", made_from, &w->store, st);
    if (code == GENAIR_OK) code = store_begin(w->store, "item", sizeof(uint32_t), st);
    if (code == GENAIR_OK) code = spill_add(w->column[START], &w->n_items_put, 1, st);
    if (code == GENAIR_OK && w->any_cold)
        code = spill_add(w->column[TRAINING_START], &w->n_training_put, 1, st);
    if (code == GENAIR_OK)
        *out = w;
    else
        sequences_abandon(w);
    return code;
}

static genair_code put_training(struct sequences_writer *w, size_t n, const uint32_t *items,
                                genair_status *st) {
    for (size_t p = 0; p < n; p++) {
        if (w->cold[items[p]]) continue;
        w->popularity[items[p]]++;
        if (!w->any_cold) continue;
        const genair_code code = spill_add(w->column[TRAINING_ITEM], &items[p], 1, st);
        if (code != GENAIR_OK) return code;
        w->n_training_put++;
    }
    return w->any_cold ? spill_add(w->column[TRAINING_START], &w->n_training_put, 1, st)
                       : GENAIR_OK;
}

genair_code sequences_put(struct sequences_writer *w, size_t n, const uint32_t *items,
                          const int64_t *times, const struct split_user *split, genair_status *st) {
    w->n_items_put += n;
    genair_code code = store_put(w->store, items, n, st);
    if (code == GENAIR_OK) code = spill_add(w->column[TIME], times, n, st);
    if (code == GENAIR_OK) code = spill_add(w->column[START], &w->n_items_put, 1, st);
    if (code == GENAIR_OK) code = spill_add(w->column[N_TRAIN], &split->n_train, 1, st);
    if (code == GENAIR_OK) code = spill_add(w->column[VALID], &split->valid, 1, st);
    if (code == GENAIR_OK) code = spill_add(w->column[TEST], &split->test, 1, st);
    if (code == GENAIR_OK) code = spill_add(w->column[TIED], &split->tied_time, 1, st);
    if (code == GENAIR_OK) code = put_training(w, split->n_train, items, st);
    return code;
}

genair_code sequences_commit(struct sequences_writer *w, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (int c = 0; code == GENAIR_OK && c < N_COLUMNS; c++)
        code = put_spill(w->store, columns[c].name, columns[c].bytes, w->column[c], st);
    const size_t n = (size_t)w->n_items + 1;
    if (code == GENAIR_OK)
        code = store_array(w->store, "popular", sizeof *w->popularity, w->popularity, n, st);
    if (code == GENAIR_OK) code = store_array(w->store, "cold", 1, w->cold, n, st);
    if (code == GENAIR_OK) {
        code = store_commit(w->store, st);
        w->store = NULL;
    }
    sequences_abandon(w);
    return code;
}

void sequences_abandon(struct sequences_writer *w) {
    if (!w) return;
    store_abandon(w->store);
    for (int c = 0; c < N_COLUMNS; c++)
        spill_free(w->column[c]);
    mem_free(w->popularity);
    mem_free(w);
}

/* ---- ids.bin ---- */

static genair_code put_names(struct store_writer *w, const char *const array[3],
                             const struct map *names, const uint32_t *number, uint32_t n,
                             genair_status *st) {
    const size_t n_slots = map_slots_for(n);
    uint32_t *slots = mem_zeros(n_slots, sizeof *slots);
    if (!slots) return fail_memory(st);
    genair_code code = store_begin(w, array[0], 1, st);
    for (uint32_t i = 0; code == GENAIR_OK && i < n; i++) {
        const struct text name = map_name(names, number[i]);
        map_place(slots, n_slots, name, i);
        code = store_put(w, name.p, name.n, st);
    }
    uint64_t at = 0;
    if (code == GENAIR_OK) code = store_begin(w, array[1], sizeof at, st);
    if (code == GENAIR_OK) code = store_put(w, &at, 1, st);
    for (uint32_t i = 0; code == GENAIR_OK && i < n; i++) {
        at += map_name(names, number[i]).n;
        code = store_put(w, &at, 1, st);
    }
    if (code == GENAIR_OK) code = store_array(w, array[2], sizeof *slots, slots, n_slots, st);
    mem_free(slots);
    return code;
}

genair_code dataset_write_ids(const char *workspace, const char *made_from, const struct map *users,
                              const uint32_t *user_name, uint32_t n_users, const struct map *items,
                              const uint32_t *item_name, uint32_t n_items, genair_status *st) {
    static const char *const u[3] = {"u_text", "u_start", "u_slots"}, *const i[3] = {"i_text",
                                                                                     "i_start",
                                                                                     "i_slots"};
    struct store_writer *w = NULL;
    genair_code code = create_in(workspace, DATASET_IDS, "NAME", made_from, &w, st);
    if (code == GENAIR_OK) code = put_names(w, u, users, user_name, n_users, st);
    if (code == GENAIR_OK) code = put_names(w, i, items, item_name + 1, n_items, st);
    if (code == GENAIR_OK) return store_commit(w, st);
    store_abandon(w);
    return code;
}

/* ---- cooccurrence.bin ---- */

struct rows {
    struct store_writer *store;
    struct spill *count, *start;
    uint64_t n, n_pairs;
    uint32_t max_count;
};

static genair_code put_row(void *context, uint32_t row, size_t n, const uint32_t *items,
                           const uint32_t *counts, genair_status *st) {
    struct rows *r = context;
    r->n += n;
    for (size_t k = 0; k < n; k++) {
        r->n_pairs += items[k] >= row;
        if (counts[k] > r->max_count) r->max_count = counts[k];
    }
    genair_code code = store_put(r->store, items, n, st);
    if (code == GENAIR_OK) code = spill_add(r->count, counts, n, st);
    if (code == GENAIR_OK) code = spill_add(r->start, &r->n, 1, st);
    return code;
}

static genair_code put_rows(genair_context *ctx, const struct dataset *d, size_t memory_bytes,
                            struct rows *r, genair_status *st) {
    genair_code code = store_begin(r->store, "item", sizeof(uint32_t), st);
    for (int i = 0; code == GENAIR_OK && i < 2; i++)
        code = spill_add(r->start, &r->n, 1, st); /* rows 0, 1 */
    if (code == GENAIR_OK)
        code = cooccurrence_rows(ctx, &d->training, COOCCURRENCE_OCCURRENCE, memory_bytes / 4 * 3,
                                 put_row, r, st);
    const uint64_t summary[2] = {r->n_pairs, r->max_count};
    if (code == GENAIR_OK) code = put_spill(r->store, "count", sizeof(uint32_t), r->count, st);
    if (code == GENAIR_OK) code = put_spill(r->store, "start", sizeof r->n, r->start, st);
    if (code == GENAIR_OK)
        code = store_array(r->store, "summary", sizeof summary[0], summary, 2, st);
    return code;
}

genair_code dataset_write_cooccurrence(genair_context *ctx, const char *workspace,
                                       const struct dataset *d, size_t memory_bytes,
                                       struct cooccurrence *summary, genair_status *st) {
    struct rows r = {0};
    genair_code code = spill_create(workspace, sizeof(uint32_t), memory_bytes / 8, &r.count, st);
    if (code == GENAIR_OK)
        code = spill_create(workspace, sizeof r.n, memory_bytes / 8, &r.start, st);
    if (code == GENAIR_OK)
        code = create_in(workspace, DATASET_COOCCURRENCE, "COOC", d->hash, &r.store, st);
    if (code == GENAIR_OK) code = put_rows(ctx, d, memory_bytes, &r, st);
    if (code == GENAIR_OK) {
        code = store_commit(r.store, st);
        r.store = NULL;
    }
    store_abandon(r.store);
    spill_free(r.count);
    spill_free(r.start);
    if (code == GENAIR_OK)
        *summary = (struct cooccurrence){
            .n_items = d->n_items, .n_pairs = r.n_pairs, .max_count = r.max_count};
    return code;
}

/* ---- candidates.bin ---- */

enum { TASK_USERS = 1024, TASKS_A_THREAD = 4 };

struct drawing {
    const struct dataset *d;
    uint64_t seed;
    int part;
    uint32_t first_user;
    uint32_t **mark; /* [thread][n_items + 1] u + 1: user u touched the item, or it is drawn */
    uint32_t **rest; /* [thread][n_items] the items to draw from, where most are touched */
    uint32_t *item;  /* [tasks][TASK_USERS][DATASET_CANDIDATES] */
    uint32_t *n;     /* [tasks][TASK_USERS] */
    size_t n_targets, n_short; /* of both parts; short: with less than DATASET_CANDIDATES */
    uint32_t fewest;
};

static void count_candidates(struct drawing *g, uint32_t user, uint32_t n) {
    if ((g->part == 0 ? g->d->valid : g->d->test)[user] == DATASET_NONE) return;
    g->n_targets++;
    g->n_short += n < DATASET_CANDIDATES;
    if (n < g->fewest) g->fewest = n;
}

static uint32_t mark_history(const struct dataset *d, uint32_t u, uint32_t *mark) {
    uint32_t n_distinct = 0;
    for (uint64_t k = d->start[u]; k < d->start[u + 1]; k++) {
        n_distinct += mark[d->item[k]] != u + 1;
        mark[d->item[k]] = u + 1;
    }
    return n_distinct;
}

/* Most items are free: draw until free ones come. */
static void draw_any(struct rng *r, uint32_t n_items, uint32_t u, uint32_t *mark, uint32_t n,
                     uint32_t *out) {
    for (uint32_t k = 0; k < n;) {
        const uint32_t item = (uint32_t)rng_below(r, n_items) + 1;
        if (mark[item] == u + 1) continue;
        mark[item] = u + 1;
        out[k++] = item;
    }
}

/* Few are free: list them, and shuffle the beginning of the list. */
static void draw_listed(struct rng *r, uint32_t n_items, uint32_t u, const uint32_t *mark,
                        uint32_t *rest, uint32_t n, uint32_t *out) {
    uint32_t n_rest = 0;
    for (uint32_t item = 1; item <= n_items; item++)
        if (mark[item] != u + 1) rest[n_rest++] = item;
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t other = k + (uint32_t)rng_below(r, n_rest - k), item = rest[other];
        rest[other] = rest[k];
        rest[k] = out[k] = item;
    }
}

static void draw_task(void *context, size_t task, int worker) {
    struct drawing *g = context;
    const struct dataset *d = g->d;
    const uint32_t *target = g->part == 0 ? d->valid : d->test;
    for (size_t i = 0; i < TASK_USERS; i++) {
        const size_t row = task * TASK_USERS + i, user = g->first_user + row;
        g->n[row] = 0;
        if (user >= d->n_users || target[user] == DATASET_NONE) continue;
        const uint32_t u = (uint32_t)user;
        uint32_t *mark = g->mark[worker], *out = g->item + row * DATASET_CANDIDATES;
        const uint32_t n_free = d->n_items - mark_history(d, u, mark);
        const uint32_t n = n_free < DATASET_CANDIDATES ? n_free : DATASET_CANDIDATES;
        struct rng r = rng_start(g->seed, RNG_CANDIDATE, 2 * (uint64_t)u + (uint64_t)g->part);
        if (n_free >= 2 * DATASET_CANDIDATES && n_free >= d->n_items / 4)
            draw_any(&r, d->n_items, u, mark, n, out);
        else
            draw_listed(&r, d->n_items, u, mark, g->rest[worker], n, out);
        g->n[row] = n;
    }
}

static genair_code put_part(genair_context *ctx, struct drawing *g, size_t n_tasks,
                            struct store_writer *w, struct spill *start, genair_status *st) {
    static const char *const names[2][2] = {{"v_item", "v_start"}, {"t_item", "t_start"}};
    uint64_t at = 0;
    genair_code code = store_begin(w, names[g->part][0], sizeof *g->item, st);
    if (code == GENAIR_OK) code = spill_add(start, &at, 1, st);
    for (uint64_t first = 0; code == GENAIR_OK && first < g->d->n_users;
         first += n_tasks * TASK_USERS) {
        if (context_stopped(ctx)) return context_interrupted(st);
        g->first_user = (uint32_t)first;
        parallel_run(context_parallel(ctx), n_tasks, draw_task, g);
        for (size_t row = 0; code == GENAIR_OK && row < n_tasks * TASK_USERS; row++) {
            if (first + row >= g->d->n_users) break;
            at += g->n[row];
            count_candidates(g, (uint32_t)(first + row), g->n[row]);
            code = store_put(w, g->item + row * DATASET_CANDIDATES, g->n[row], st);
            if (code == GENAIR_OK) code = spill_add(start, &at, 1, st);
        }
    }
    return code == GENAIR_OK ? put_spill(w, names[g->part][1], sizeof at, start, st) : code;
}

static genair_code create_drawing(struct drawing *g, int n_threads, size_t n_tasks,
                                  genair_status *st) {
    const size_t n_items = g->d->n_items, rows = n_tasks * TASK_USERS;
    g->mark = mem_zeros((size_t)n_threads, sizeof *g->mark);
    g->rest = mem_zeros((size_t)n_threads, sizeof *g->rest);
    g->item = mem_array(rows, DATASET_CANDIDATES * sizeof *g->item);
    g->n = mem_array(rows, sizeof *g->n);
    if (!g->mark || !g->rest || !g->item || !g->n) return fail_memory(st);
    for (int t = 0; t < n_threads; t++) {
        g->mark[t] = mem_array(n_items + 1, sizeof **g->mark);
        g->rest[t] = mem_array(n_items, sizeof **g->rest);
        if (!g->mark[t] || !g->rest[t]) return fail_memory(st);
    }
    return GENAIR_OK;
}

static void free_drawing(struct drawing *g, int n_threads) {
    for (int t = 0; t < n_threads; t++) {
        if (g->mark) mem_free(g->mark[t]);
        if (g->rest) mem_free(g->rest[t]);
    }
    mem_free(g->mark);
    mem_free(g->rest);
    mem_free(g->item);
    mem_free(g->n);
}

static genair_code draw_part(genair_context *ctx, const char *workspace, struct drawing *g,
                             size_t n_tasks, struct store_writer *w, genair_status *st) {
    enum { LIMIT = 64 * 1024 * 1024 };
    const int n_threads = parallel_threads(context_parallel(ctx));
    for (int t = 0; t < n_threads; t++)
        memset(g->mark[t], 0, ((size_t)g->d->n_items + 1) * sizeof **g->mark);
    struct spill *start = NULL;
    genair_code code = spill_create(workspace, sizeof(uint64_t), LIMIT, &start, st);
    if (code == GENAIR_OK) code = put_part(ctx, g, n_tasks, w, start, st);
    spill_free(start);
    return code;
}

genair_code dataset_write_candidates(genair_context *ctx, const char *workspace,
                                     const struct dataset *d, uint64_t seed, genair_status *st) {
    const int n_threads = parallel_threads(context_parallel(ctx));
    const size_t n_tasks = (size_t)n_threads * TASKS_A_THREAD;
    struct drawing g = {.d = d, .seed = seed, .fewest = DATASET_CANDIDATES};
    struct store_writer *w = NULL;
    genair_code code = create_drawing(&g, n_threads, n_tasks, st);
    if (code == GENAIR_OK)
        code = create_in(workspace, DATASET_CANDIDATES_FILE, "CAND", d->hash, &w, st);
    for (g.part = 0; code == GENAIR_OK && g.part < 2; g.part++)
        code = draw_part(ctx, workspace, &g, n_tasks, w, st);
    if (code == GENAIR_OK) {
        code = store_commit(w, st);
        w = NULL;
    }
    store_abandon(w);
    if (code == GENAIR_OK && g.n_short)
        context_warn(ctx, "%zu of %zu targets have fewer than %d candidates under the sampled protocol, as few as %u, for there are "
                     "only %u items: their numbers are easier to reach", g.n_short, g.n_targets, DATASET_CANDIDATES, g.fewest, d->n_items);
    free_drawing(&g, n_threads);
    return code;
}
