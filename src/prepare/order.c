/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/order.h"

#include "base/alloc.h"
#include "base/size.h"

#include <string.h>

enum {
    MAX_RANGES = 256, /* twice as many at most, a temporary file each: two neighbours together are larger than a range may be */
    INSERTION = 24,   /* shorter runs are sorted by insertion */
    DIGIT_BITS = 16,
    N_DIGITS = 1 << DIGIT_BITS,
};

struct event {
    int64_t time;
    uint32_t item;
};

struct range {
    uint32_t first, end; /* users */
    uint64_t n;          /* interactions */
};

struct sorter {
    const struct click_log *log;
    const struct numbering *numbering;
    struct range *ranges;
    size_t n_ranges, range_capacity;
    struct spill **dealt;  /* [n_ranges] clicks of each range, file order; unused with one range */
    struct event *events;  /* [largest range] grouped by user */
    uint64_t *next;        /* [most users of a range] where the user's next event goes */
    struct event *scratch; /* [longest history] */
    uint32_t *items;       /* [longest history] */
    int64_t *times;
};

/* ---- one history ---- */

static void sort_short(struct event *e, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const struct event x = e[i];
        size_t k = i;
        for (; k > 0 && e[k - 1].time > x.time; k--)
            e[k] = e[k - 1];
        e[k] = x;
    }
}

/* Stable merge sort; scratch: [n]. Logs mostly come in order already, which costs one comparison a
 * step. */
static void sort_events(struct event *e, size_t n, struct event *scratch) {
    if (n <= INSERTION) {
        sort_short(e, n);
        return;
    }
    const size_t half = n / 2;
    sort_events(e, half, scratch);
    sort_events(e + half, n - half, scratch);
    if (e[half - 1].time <= e[half].time) return;
    memcpy(scratch, e, half * sizeof *e);
    size_t a = 0, b = half, k = 0;
    while (a < half && b < n)
        e[k++] = e[b].time < scratch[a].time ? e[b++] : scratch[a++];
    while (a < half)
        e[k++] = scratch[a++];
}

static genair_code hand_on(struct sorter *s, uint32_t user, struct event *e, size_t n,
                           ordered_history *f, void *context, genair_status *st) {
    sort_events(e, n, s->scratch);
    for (size_t i = 0; i < n; i++) {
        s->items[i] = e[i].item;
        s->times[i] = e[i].time;
    }
    return f(context, user, n, s->items, s->times, st);
}

/* ---- ranges of users ---- */

static genair_code plan_ranges(struct sorter *s, size_t memory_bytes, genair_status *st) {
    const struct numbering *n = s->numbering;
    uint64_t most = memory_bytes / sizeof *s->events;
    if (n->n_interactions / MAX_RANGES > most) most = n->n_interactions / MAX_RANGES;
    for (uint32_t u = 0; u < n->n_users; u++) {
        struct range *r = s->n_ranges ? &s->ranges[s->n_ranges - 1] : NULL;
        if (!r || r->n + n->length[u] > most) {
            if (!mem_grow(&s->ranges, &s->range_capacity, s->n_ranges + 1, sizeof *s->ranges))
                return fail_memory(st);
            r = &s->ranges[s->n_ranges++];
            *r = (struct range){.first = u};
        }
        r->n += n->length[u];
        r->end = u + 1;
    }
    return GENAIR_OK;
}

static genair_code allocate(struct sorter *s, genair_status *st) {
    uint64_t largest = 0;
    uint32_t most_users = 0, longest = 0;
    for (size_t i = 0; i < s->n_ranges; i++) {
        const struct range *r = &s->ranges[i];
        if (r->n > largest) largest = r->n;
        if (r->end - r->first > most_users) most_users = r->end - r->first;
    }
    for (uint32_t u = 0; u < s->numbering->n_users; u++)
        if (s->numbering->length[u] > longest) longest = s->numbering->length[u];
    s->events = mem_array((size_t)largest, sizeof *s->events);
    s->next = mem_array(most_users, sizeof *s->next);
    s->scratch = mem_array(longest / 2 + 1, sizeof *s->scratch);
    s->items = mem_array(longest, sizeof *s->items);
    s->times = mem_array(longest, sizeof *s->times);
    return s->events && s->next && s->scratch && s->items && s->times ? GENAIR_OK : fail_memory(st);
}

static size_t range_of(const struct sorter *s, uint32_t user) {
    size_t low = 0, high = s->n_ranges - 1;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (user < s->ranges[middle].end)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static bool stays(const struct sorter *s, const struct click *c, uint32_t *user) {
    *user = s->numbering->user_id[c->user];
    return *user != FILTER_DROPPED && s->numbering->item_id[c->item] != FILTER_DROPPED;
}

static genair_code deal_out(genair_context *ctx, struct sorter *s, const char *directory,
                            size_t memory_bytes, genair_status *st) {
    s->dealt = mem_zeros(s->n_ranges, sizeof(struct spill *));
    if (!s->dealt) return fail_memory(st);
    genair_code code = spill_rewind(s->log->clicks, st);
    for (size_t i = 0; code == GENAIR_OK && i < s->n_ranges; i++)
        code = spill_create(directory, sizeof(struct click), memory_bytes / s->n_ranges,
                            &s->dealt[i], st);
    const void *block;
    size_t n = 1;
    while (code == GENAIR_OK && n) {
        if (context_stopped(ctx)) return context_interrupted(st);
        code = spill_next(s->log->clicks, &block, &n, st);
        const struct click *c = block;
        uint32_t user;
        for (size_t i = 0; code == GENAIR_OK && i < n; i++)
            if (stays(s, &c[i], &user)) code = spill_add(s->dealt[range_of(s, user)], &c[i], 1, st);
    }
    return code;
}

static genair_code place_range(genair_context *ctx, struct sorter *s, const struct range *r,
                               struct spill *clicks, genair_status *st) {
    uint64_t at = 0;
    for (uint32_t u = r->first; u < r->end; u++) {
        s->next[u - r->first] = at;
        at += s->numbering->length[u];
    }
    genair_code code = spill_rewind(clicks, st);
    const void *block;
    size_t n = 1;
    while (code == GENAIR_OK && n) {
        if (context_stopped(ctx)) return context_interrupted(st);
        code = spill_next(clicks, &block, &n, st);
        const struct click *c = block;
        uint32_t user;
        for (size_t i = 0; code == GENAIR_OK && i < n; i++)
            if (stays(s, &c[i], &user))
                s->events[s->next[user - r->first]++] =
                    (struct event){c[i].time, s->numbering->item_id[c[i].item]};
    }
    return code;
}

static genair_code do_range(genair_context *ctx, struct sorter *s, size_t i, ordered_history *f,
                            void *context, genair_status *st) {
    const struct range *r = &s->ranges[i];
    genair_code code = place_range(ctx, s, r, s->dealt ? s->dealt[i] : s->log->clicks, st);
    if (s->dealt) {
        spill_free(s->dealt[i]);
        s->dealt[i] = NULL;
    }
    uint64_t at = 0;
    for (uint32_t u = r->first; code == GENAIR_OK && u < r->end; u++) {
        if (u % 4096 == 0 && context_stopped(ctx)) return context_interrupted(st);
        context_progress(ctx, "ordering", u, s->numbering->n_users);
        code = hand_on(s, u, s->events + at, s->numbering->length[u], f, context, st);
        at += s->numbering->length[u];
    }
    return code;
}

static void free_sorter(struct sorter *s) {
    for (size_t i = 0; s->dealt && i < s->n_ranges; i++)
        spill_free(s->dealt[i]);
    mem_free(s->dealt);
    mem_free(s->ranges);
    mem_free(s->events);
    mem_free(s->next);
    mem_free(s->scratch);
    mem_free(s->items);
    mem_free(s->times);
}

genair_code order_log(genair_context *ctx, const struct click_log *log, const struct numbering *n,
                      const char *directory, size_t memory_bytes, ordered_history *f, void *context,
                      genair_status *st) {
    struct sorter s = {.log = log, .numbering = n};
    genair_code code = plan_ranges(&s, memory_bytes / 2, st);
    if (code == GENAIR_OK && s.n_ranges > 1)
        code = deal_out(ctx, &s, directory, memory_bytes / 2, st);
    if (code == GENAIR_OK) code = allocate(&s, st);
    for (size_t i = 0; code == GENAIR_OK && i < s.n_ranges; i++)
        code = do_range(ctx, &s, i, f, context, st);
    free_sorter(&s);
    return code;
}

/* ---- quantile ---- */

/* Order of the bits as unsigned is the order of the times. */
static uint64_t sortable(int64_t time) {
    return (uint64_t)time ^ UINT64_C(1) << 63;
}

/* Counts the digit below the first `known` bits, of interactions whose known bits are those of
 * prefix. */
static genair_code count_digits(genair_context *ctx, const struct sorter *s, uint64_t prefix,
                                int known, uint64_t *histogram, genair_status *st) {
    memset(histogram, 0, N_DIGITS * sizeof *histogram);
    genair_code code = spill_rewind(s->log->clicks, st);
    const void *block;
    size_t n = 1;
    while (code == GENAIR_OK && n) {
        if (context_stopped(ctx)) return context_interrupted(st);
        code = spill_next(s->log->clicks, &block, &n, st);
        const struct click *c = block;
        uint32_t user;
        for (size_t i = 0; code == GENAIR_OK && i < n; i++) {
            const uint64_t key = sortable(c[i].time);
            if (!stays(s, &c[i], &user) || (known && (key ^ prefix) >> (64 - known) != 0)) continue;
            histogram[key >> (64 - known - DIGIT_BITS) & (N_DIGITS - 1)]++;
        }
    }
    return code;
}

genair_code time_quantile(genair_context *ctx, const struct click_log *log,
                          const struct numbering *n, double quantile, int64_t *cut,
                          genair_status *st) {
    *cut = INT64_MIN;
    if (n->n_interactions == 0) return GENAIR_OK;
    const struct sorter s = {.log = log, .numbering = n};
    uint64_t *histogram = mem_array(N_DIGITS, sizeof *histogram);
    if (!histogram) return fail_memory(st);
    uint64_t rank = share_of(quantile, n->n_interactions), key = 0;
    if (rank >= n->n_interactions) rank = n->n_interactions - 1;
    genair_code code = GENAIR_OK;
    for (int known = 0; code == GENAIR_OK && known < 64; known += DIGIT_BITS) {
        code = count_digits(ctx, &s, key, known, histogram, st);
        uint64_t digit = 0;
        while (code == GENAIR_OK && rank >= histogram[digit])
            rank -= histogram[digit++];
        key |= digit << (64 - known - DIGIT_BITS);
    }
    mem_free(histogram);
    if (code == GENAIR_OK) *cut = (int64_t)sortable((int64_t)key);
    return code;
}
