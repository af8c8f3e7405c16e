/* SPDX-License-Identifier: Apache-2.0 */
#include "model/owned_rows.h"

#include <string.h>

bool owned_rows_sort(struct tape *t, const struct group *g, const uint32_t *ids, size_t n, struct owned_rows *out) {
    const struct shard shard = group_shard(g);
    struct owned_rows o = {.n_all = n};
    o.order = tape_array(t, n, sizeof *o.order);
    o.first = tape_array(t, shard.n + 2, sizeof *o.first);
    o.place = tape_array(t, n, sizeof *o.place);
    if (!o.order || !o.first || !o.place) return false;
    /* Counting sort; first is kept one place ahead while filling. */
    memset(o.first, 0, (shard.n + 2) * sizeof *o.first);
    for (size_t i = 0; i < n; i++) o.first[shard_owner(&shard, ids[i]) + 2]++;
    for (size_t r = 2; r < shard.n + 2; r++) o.first[r] += o.first[r - 1];
    for (size_t i = 0; i < n; i++) o.order[o.first[shard_owner(&shard, ids[i]) + 1]++] = (uint32_t)i;
    for (size_t i = o.first[shard.rank]; i < o.first[shard.rank + 1]; i++)
        o.place[o.n++] = (uint32_t)shard_place(&shard, ids[o.order[i]]);
    *out = o;
    return true;
}

size_t *owned_rows_start(struct tape *t, const struct group *g, const struct owned_rows *o, size_t cols) {
    const size_t processes = group_size(g);
    size_t *start = tape_array(t, processes + 1, sizeof *start);
    for (size_t r = 0; start && r <= processes; r++) start[r] = o->first[r] * cols;
    return start;
}

void owned_rows_pack(const struct owned_rows *o, const float *from, float *to, size_t cols) {
    for (size_t i = 0; i < o->n_all; i++) memcpy(to + i * cols, from + o->order[i] * cols, cols * sizeof *to);
}

static void unpack(const struct owned_rows *o, const float *from, float *to, size_t cols) {
    for (size_t i = 0; i < o->n_all; i++) memcpy(to + o->order[i] * cols, from + i * cols, cols * sizeof *to);
}

/* How group_gather and group_collect exchange them. */
typedef genair_code exchange(struct group *g, float *data, const size_t *start, genair_status *st);

static genair_code bring(exchange *all, struct tape *t, struct group *g, const struct owned_rows *o, const float *table,
                         float *out, size_t cols, genair_status *st) {
    const bool alone = group_size(g) == 1; /* then the order is the list's own */
    float *sorted = alone ? out : tape_array(t, o->n_all * cols, sizeof *sorted);
    const size_t *start = owned_rows_start(t, g, o, cols);
    if (!sorted || !start) return fail_memory(st);
    float *ours = sorted + start[group_rank(g)];
    for (size_t i = 0; i < o->n; i++) memcpy(ours + i * cols, table + o->place[i] * cols, cols * sizeof *ours);
    const genair_code code = all(g, sorted, start, st);
    if (code == GENAIR_OK && !alone && out) unpack(o, sorted, out, cols);
    return code;
}

genair_code owned_rows_gather(struct tape *t, struct group *g, const struct owned_rows *o, const float *table, float *out,
                              size_t cols, genair_status *st) {
    return bring(group_gather, t, g, o, table, out, cols, st);
}

genair_code owned_rows_collect(struct tape *t, struct group *g, const struct owned_rows *o, const float *table, float *out,
                               size_t cols, genair_status *st) {
    return bring(group_collect, t, g, o, table, out, cols, st);
}
