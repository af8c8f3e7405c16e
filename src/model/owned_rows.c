/* SPDX-License-Identifier: Apache-2.0 */
#include "model/owned_rows.h"

#include "base/size.h"

#include <string.h>

enum { VALUES_AT_ONCE = 4 << 20 }; /* of a whole table */

static size_t owner_of(uint32_t row, size_t processes) {
    return row / OWNED_BLOCK % processes;
}

bool owned_rows_sort(struct tape *t, const struct group *g, const uint32_t *ids, size_t n, struct owned_rows *out) {
    const size_t processes = group_size(g), rank = group_rank(g);
    struct owned_rows o = {.n_all = n};
    o.order = tape_array(t, n, sizeof *o.order);
    o.first = tape_array(t, processes + 2, sizeof *o.first);
    o.ids = tape_array(t, n, sizeof *o.ids);
    if (!o.order || !o.first || !o.ids) return false;
    /* Counting sort; first is kept one place ahead while filling. */
    memset(o.first, 0, (processes + 2) * sizeof *o.first);
    for (size_t i = 0; i < n; i++) o.first[owner_of(ids[i], processes) + 2]++;
    for (size_t r = 2; r < processes + 2; r++) o.first[r] += o.first[r - 1];
    for (size_t i = 0; i < n; i++) o.order[o.first[owner_of(ids[i], processes) + 1]++] = (uint32_t)i;
    for (size_t i = o.first[rank]; i < o.first[rank + 1]; i++) o.ids[o.n++] = ids[o.order[i]];
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

genair_code owned_rows_gather(struct tape *t, struct group *g, const struct owned_rows *o, const float *table, float *out,
                              size_t cols, genair_status *st) {
    const bool alone = group_size(g) == 1; /* then the order is the list's own */
    float *sorted = alone ? out : tape_array(t, o->n_all * cols, sizeof *sorted);
    const size_t *start = owned_rows_start(t, g, o, cols);
    if (!sorted || !start) return fail_memory(st);
    float *ours = sorted + start[group_rank(g)];
    for (size_t i = 0; i < o->n; i++) memcpy(ours + i * cols, table + o->ids[i] * cols, cols * sizeof *ours);
    const genair_code code = group_gather(g, sorted, start, st);
    for (size_t i = 0; code == GENAIR_OK && !alone && i < o->n_all; i++)
        memcpy(out + o->order[i] * cols, sorted + i * cols, cols * sizeof *out);
    return code;
}

genair_code owned_rows_collect(struct tape *t, struct group *g, float *table, size_t rows, size_t cols, genair_status *st) {
    const size_t most = max_size(1, VALUES_AT_ONCE / max_size(1, cols));
    genair_code code = GENAIR_OK;
    for (size_t first = 0; code == GENAIR_OK && first < rows; first += most) {
        const size_t n = min_size(most, rows - first);
        struct owned_rows o;
        tape_reset(t, false, 0);
        uint32_t *ids = tape_array(t, n, sizeof *ids);
        for (size_t i = 0; ids && i < n; i++) ids[i] = (uint32_t)(first + i);
        if (!ids || !owned_rows_sort(t, g, ids, n, &o)) return fail_memory(st);
        code = owned_rows_gather(t, g, &o, table, table + first * cols, cols, st);
    }
    return code;
}

bool owned_rows_ours(struct tape *t, const struct group *g, size_t rows, uint32_t **ids, size_t *n) {
    const size_t processes = group_size(g), rank = group_rank(g);
    *ids = tape_array(t, rows, sizeof **ids);
    *n = 0;
    for (size_t i = 0; *ids && i < rows; i++)
        if (owner_of((uint32_t)i, processes) == rank) (*ids)[(*n)++] = (uint32_t)i;
    return *ids != NULL;
}
