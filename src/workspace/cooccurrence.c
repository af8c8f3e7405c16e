/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/cooccurrence.h"

#include "base/alloc.h"
#include "base/size.h"
#include "base/sort.h"

#include <stdatomic.h>
#include <string.h>

enum {
    TASK_ENTRIES = 1 << 16, /* finished pairs of one task, at most, unless one row has more */
    TASK_STEPS = 1 << 22,   /* positions visited by one task, likewise */
    MAX_ARENA = 1 << 23,    /* pairs finished before they are handed on: 64 MiB */
    BITS = 64,
};

/* Scratch of one thread. */
struct counter {
    uint32_t *count;   /* [n_items + 1] all 0 between rows */
    uint32_t *touched; /* [n_items] columns of this row with a count */
    uint32_t *seen;    /* [n_items + 1] user rule: the last visit that met the column */
    uint32_t visit;
    uint64_t *bits; /* [n_items / 64 + 1] all 0 between rows */
};

/* Rows first .. end - 1, finished at entry on of the arena. */
struct task {
    uint32_t first, end;
    size_t at;
};

struct job {
    const genair_context *ctx;
    const struct item_lists *lists;
    enum cooccurrence_rule rule;
    uint64_t *occurrences; /* [n_items + 2] positions that hold the item; then offsets into index */
    uint64_t *steps;       /* [n_items + 1] positions to visit for the row */
    uint32_t *index;       /* sequences in which the block's items stand, item by item */
    size_t index_capacity;
    uint64_t
        *index_end; /* [n_items + 1] end of the item's part; its start is occurrences' offset */
    uint32_t *arena_item, *arena_count;
    size_t arena_capacity;
    uint32_t *row_n; /* [n_items + 1] finished entries of a row */
    struct task *tasks;
    size_t n_tasks, task_capacity;
    struct counter *counters; /* [n_threads] */
    int n_threads;
    atomic_bool overflow;
};

/* ---- one row ---- */

static inline void add_times(struct job *j, struct counter *c, uint32_t item, uint32_t times, size_t *n) {
    if (c->count[item] == 0) c->touched[(*n)++] = item;
    c->count[item] += times;
    if (c->count[item] < times) {
        atomic_store(&j->overflow, true);
        c->count[item] = UINT32_MAX;
    }
}

/* Every sequence in which the row's item stands, once: each place of another item pairs with all the
 * item's places there, which lie together in the index. */
static size_t sum_row(struct job *j, struct counter *c, uint32_t row) {
    const struct item_lists *l = j->lists;
    const uint64_t end = j->index_end[row];
    uint64_t itself = 0;
    size_t n = 0;
    for (uint64_t k = j->occurrences[row]; k < end;) {
        const uint32_t u = j->index[k];
        const uint32_t *items = l->item + l->start[u];
        uint32_t places = 0;
        for (; k < end && j->index[k] == u; k++) places++;
        for (uint32_t p = 0; p < l->length[u]; p++)
            if (items[p] != row) add_times(j, c, items[p], places, &n);
        itself += (uint64_t)places * (places - 1) / 2;
    }
    if (itself == 0) return n;
    c->touched[n++] = row;
    c->count[row] = (uint32_t)itself;
    if (itself > UINT32_MAX) atomic_store(&j->overflow, true);
    return n;
}

static size_t sum_row_once(struct job *j, struct counter *c, uint32_t row) {
    const struct item_lists *l = j->lists;
    size_t n = 0;
    for (uint64_t k = j->occurrences[row]; k < j->index_end[row]; k++) {
        if (++c->visit == 0) { /* numbers of visits are used up: begin again */
            memset(c->seen, 0, ((size_t)l->n_items + 1) * sizeof *c->seen);
            c->visit = 1;
        }
        const uint32_t u = j->index[k];
        const uint32_t *items = l->item + l->start[u];
        for (uint32_t p = 0; p < l->length[u]; p++) {
            if (c->seen[items[p]] == c->visit || items[p] == row) continue;
            c->seen[items[p]] = c->visit;
            add_times(j, c, items[p], 1, &n);
        }
    }
    return n;
}

/* Sorts the touched columns: few by comparing, many by setting a bit each and reading the bits in
 * order. */
static void sort_touched(const struct job *j, struct counter *c, size_t n) {
    const size_t n_words = (size_t)j->lists->n_items / BITS + 1;
    if (n < n_words / 16) {
        sort_u32(c->touched, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        c->bits[c->touched[i] / BITS] |= UINT64_C(1) << c->touched[i] % BITS;
    size_t k = 0;
    for (size_t w = 0; w < n_words; w++) {
        for (uint64_t word = c->bits[w]; word; word &= word - 1)
            c->touched[k++] = (uint32_t)(w * BITS + (size_t)__builtin_ctzll(word));
        c->bits[w] = 0;
    }
}

static void run_task(void *context, size_t i, int worker) {
    struct job *j = context;
    struct counter *c = &j->counters[worker];
    const struct task *t = &j->tasks[i];
    size_t at = t->at;
    for (uint32_t row = t->first; row < t->end; row++) {
        if (context_stopped(j->ctx) || atomic_load(&j->overflow)) return;
        const size_t n =
            j->rule == COOCCURRENCE_USER ? sum_row_once(j, c, row) : sum_row(j, c, row);
        sort_touched(j, c, n);
        const size_t from = at;
        for (size_t k = 0; k < n; k++) {
            const uint32_t item = c->touched[k];
            j->arena_item[at] = item;
            j->arena_count[at++] = c->count[item];
            c->count[item] = 0;
        }
        j->row_n[row] = (uint32_t)(at - from);
    }
}

/* ---- blocks of rows ---- */

/* Fills occurrences as counts, and steps. */
static void measure(struct job *j) {
    const struct item_lists *l = j->lists;
    for (uint32_t u = 0; u < l->n; u++) {
        const uint32_t *items = l->item + l->start[u];
        for (uint32_t p = 0; p < l->length[u]; p++) {
            j->occurrences[items[p]]++;
            j->steps[items[p]] += l->length[u];
        }
    }
}

/* Lists the sequences of items first .. end - 1; occurrences of these become offsets. */
static void build_index(struct job *j, uint32_t first, uint32_t end) {
    const struct item_lists *l = j->lists;
    uint64_t at = 0;
    for (uint32_t i = first; i < end; i++) {
        const uint64_t n = j->occurrences[i];
        j->occurrences[i] = j->index_end[i] = at;
        at += n;
    }
    for (uint32_t u = 0; u < l->n; u++) {
        const uint32_t *items = l->item + l->start[u];
        for (uint32_t p = 0; p < l->length[u]; p++) {
            const uint32_t i = items[p];
            if (i < first || i >= end) continue;
            uint64_t *k = &j->index_end[i];
            if (j->rule == COOCCURRENCE_USER && *k > j->occurrences[i] && j->index[*k - 1] == u)
                continue;
            j->index[(*k)++] = u;
        }
    }
}

static size_t row_bound(const struct job *j, uint32_t row) {
    return j->steps[row] < j->lists->n_items ? (size_t)j->steps[row] : j->lists->n_items;
}

/* Cuts rows from `row` on into tasks until the arena is full; returns the first row left over. */
static uint32_t plan_round(struct job *j, uint32_t row, uint32_t end) {
    size_t at = 0;
    j->n_tasks = 0;
    while (row < end && j->n_tasks < j->task_capacity) {
        struct task t = {.first = row, .end = row, .at = at};
        uint64_t steps = 0;
        while (t.end < end) {
            const size_t bound = row_bound(j, t.end);
            const bool first = t.end == t.first;
            if (bound > j->arena_capacity - at) break;
            if (!first &&
                (at - t.at + bound > TASK_ENTRIES || steps + j->steps[t.end] > TASK_STEPS))
                break;
            at += bound;
            steps += j->steps[t.end++];
        }
        if (t.end == t.first) break; /* the arena is full */
        j->tasks[j->n_tasks++] = t;
        row = t.end;
    }
    return row;
}

static genair_code emit(const struct job *j, cooccurrence_row *row, void *context,
                        genair_status *st) {
    for (size_t i = 0; i < j->n_tasks; i++) {
        size_t at = j->tasks[i].at;
        for (uint32_t r = j->tasks[i].first; r < j->tasks[i].end; r++) {
            const genair_code code =
                row(context, r, j->row_n[r], j->arena_item + at, j->arena_count + at, st);
            if (code != GENAIR_OK) return code;
            at += j->row_n[r];
        }
    }
    return GENAIR_OK;
}

static genair_code do_block(genair_context *ctx, struct job *j, uint32_t first, uint32_t end,
                            cooccurrence_row *row, void *context, genair_status *st) {
    build_index(j, first, end);
    for (uint32_t next = first; next < end;) {
        context_progress(ctx, "counting pairs", next, j->lists->n_items);
        next = plan_round(j, next, end);
        parallel_run(context_parallel(ctx), j->n_tasks, run_task, j);
        if (context_stopped(ctx)) return context_interrupted(st);
        if (atomic_load(&j->overflow))
            return fail(st, GENAIR_FORMAT, "two items stand together more than %u times", (unsigned)UINT32_MAX);
        const genair_code code = emit(j, row, context, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

static uint32_t block_end(const struct job *j, uint32_t first) {
    uint64_t n = j->occurrences[first];
    uint32_t end = first + 1;
    while (end <= j->lists->n_items && n + j->occurrences[end] <= j->index_capacity)
        n += j->occurrences[end++];
    return end;
}

/* ---- memory ---- */

static bool create_counter(struct counter *c, size_t n_items, enum cooccurrence_rule rule) {
    c->count = mem_zeros(n_items + 1, sizeof *c->count);
    c->touched = mem_array(n_items, sizeof *c->touched);
    c->bits = mem_zeros(n_items / BITS + 1, sizeof *c->bits);
    if (rule == COOCCURRENCE_USER) c->seen = mem_zeros(n_items + 1, sizeof *c->seen);
    return c->count && c->touched && c->bits && (c->seen || rule != COOCCURRENCE_USER);
}

/* The index gets half of the memory, finished rows the other half, each at least what one item
 * needs. */
static bool create_buffers(struct job *j, size_t memory_bytes) {
    const size_t n_items = j->lists->n_items;
    uint64_t largest = 1, all = 0, entries = 1;
    for (uint32_t i = 1; i <= n_items; i++) {
        all += j->occurrences[i];
        if (j->occurrences[i] > largest) largest = j->occurrences[i];
        entries += row_bound(j, i);
    }
    const size_t wanted = memory_bytes / 2 / sizeof *j->index;
    j->index_capacity = all < wanted ? (size_t)all : max_size(wanted, (size_t)largest);
    j->arena_capacity = max_size(min_size(memory_bytes / 2 / 8, MAX_ARENA), n_items);
    if (entries < j->arena_capacity) j->arena_capacity = (size_t)entries;
    j->task_capacity = 4096;
    j->index = mem_array(j->index_capacity, sizeof *j->index);
    j->arena_item = mem_array(j->arena_capacity, sizeof *j->arena_item);
    j->arena_count = mem_array(j->arena_capacity, sizeof *j->arena_count);
    j->tasks = mem_array(j->task_capacity, sizeof *j->tasks);
    return j->index && j->arena_item && j->arena_count && j->tasks;
}

static bool create_job(struct job *j, int n_threads, size_t memory_bytes) {
    const size_t n_items = j->lists->n_items;
    j->counters = mem_zeros((size_t)n_threads, sizeof *j->counters);
    j->occurrences = mem_zeros(n_items + 2, sizeof *j->occurrences);
    j->steps = mem_zeros(n_items + 1, sizeof *j->steps);
    j->index_end = mem_zeros(n_items + 1, sizeof *j->index_end);
    j->row_n = mem_zeros(n_items + 1, sizeof *j->row_n);
    if (!j->counters || !j->occurrences || !j->steps || !j->index_end || !j->row_n) return false;
    for (j->n_threads = 0; j->n_threads < n_threads; j->n_threads++)
        if (!create_counter(&j->counters[j->n_threads], n_items, j->rule)) {
            j->n_threads++;
            return false;
        }
    measure(j);
    return create_buffers(j, memory_bytes);
}

static void free_job(struct job *j) {
    for (int i = 0; i < j->n_threads; i++) {
        mem_free(j->counters[i].count);
        mem_free(j->counters[i].touched);
        mem_free(j->counters[i].bits);
        mem_free(j->counters[i].seen);
    }
    mem_free(j->counters);
    mem_free(j->occurrences);
    mem_free(j->steps);
    mem_free(j->index_end);
    mem_free(j->row_n);
    mem_free(j->index);
    mem_free(j->arena_item);
    mem_free(j->arena_count);
    mem_free(j->tasks);
}

genair_code cooccurrence_rows(genair_context *ctx, const struct item_lists *lists,
                              enum cooccurrence_rule rule, size_t memory_bytes,
                              cooccurrence_row *row, void *context, genair_status *st) {
    struct job j = {.ctx = ctx, .lists = lists, .rule = rule};
    genair_code code = GENAIR_OK;
    if (!create_job(&j, parallel_threads(context_parallel(ctx)), memory_bytes))
        code = fail_memory(st);
    for (uint32_t first = 1; code == GENAIR_OK && first <= lists->n_items;) {
        const uint32_t end = block_end(&j, first);
        code = do_block(ctx, &j, first, end, row, context, st);
        first = end;
    }
    free_job(&j);
    return code;
}

/* ---- in memory ---- */

struct table {
    uint64_t *start;
    uint32_t *item, *count;
    size_t n, item_capacity, count_capacity;
    uint32_t max_count;
    uint64_t n_pairs;
};

static genair_code append_row(void *context, uint32_t row, size_t n, const uint32_t *items,
                              const uint32_t *counts, genair_status *st) {
    struct table *t = context;
    if (!mem_grow(&t->item, &t->item_capacity, t->n + n, sizeof *t->item) ||
        !mem_grow(&t->count, &t->count_capacity, t->n + n, sizeof *t->count))
        return fail_memory(st);
    for (size_t k = 0; k < n; k++) {
        t->item[t->n + k] = items[k];
        t->count[t->n + k] = counts[k];
        if (counts[k] > t->max_count) t->max_count = counts[k];
        t->n_pairs += items[k] >= row;
    }
    t->n += n;
    t->start[row + 1] = t->n;
    return GENAIR_OK;
}

genair_code cooccurrence_count(genair_context *ctx, const struct item_lists *lists,
                               enum cooccurrence_rule rule, size_t memory_bytes,
                               struct cooccurrence *out, genair_status *st) {
    struct table t = {.start = mem_zeros((size_t)lists->n_items + 2, sizeof *t.start)};
    genair_code code = t.start
                           ? cooccurrence_rows(ctx, lists, rule, memory_bytes, append_row, &t, st)
                           : fail_memory(st);
    struct cooccurrence c = {.n_items = lists->n_items,
                             .max_count = t.max_count,
                             .n_pairs = t.n_pairs,
                             .start = t.start,
                             .item = t.item,
                             .count = t.count};
    if (code == GENAIR_OK)
        *out = c;
    else
        cooccurrence_free(&c);
    return code;
}

static void free_const(const void *p) {
    void *q;
    memcpy(&q, &p, sizeof q);
    mem_free(q);
}

void cooccurrence_free(struct cooccurrence *c) {
    free_const(c->start);
    free_const(c->item);
    free_const(c->count);
    *c = (struct cooccurrence){0};
}
