/* SPDX-License-Identifier: Apache-2.0 */
#include "ranking/topk.h"

#include "base/size.h"

#include <math.h>
#include <stdlib.h>

static void sift_down(struct scored *heap, size_t n, size_t at) {
    const struct scored moving = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && scored_before(heap[child], heap[child + 1])) child++;
        if (!scored_before(moving, heap[child])) break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

static void sift_up(struct scored *heap, size_t at) {
    const struct scored moving = heap[at];
    while (at > 0) {
        const size_t parent = (at - 1) / 2;
        if (!scored_before(heap[parent], moving)) break;
        heap[at] = heap[parent];
        at = parent;
    }
    heap[at] = moving;
}

void topk_push(struct topk *t, float score, uint32_t id) {
    const struct scored entry = {score, id};
    if (t->n < t->k) {
        t->entries[t->n++] = entry;
        sift_up(t->entries, t->n - 1);
    } else if (t->k > 0 && scored_before(entry, t->entries[0])) {
        t->entries[0] = entry;
        sift_down(t->entries, t->n, 0);
    }
}

static float worst(const struct topk *t) {
    return t->n < t->k ? -INFINITY : t->entries[0].score;
}

void topk_push_row(struct topk *t, const float *scores, size_t n, uint32_t first_id) {
    /* After the first rows few scores enter: whole groups are passed over by one branch. */
    enum { GROUP = 32 };
    if (t->k == 0) return;
    for (size_t i = 0; i < n; i += GROUP) {
        const size_t end = min_size(n, i + GROUP);
        float bound = worst(t);
        if (end - i == GROUP) {
            uint32_t above = 0;
            for (size_t j = 0; j < GROUP; j++)
                above |= scores[i + j] > bound;
            if (!above) continue;
        }
        for (size_t j = i; j < end; j++) {
            if (!(scores[j] > bound)) continue;
            topk_push(t, scores[j], first_id + (uint32_t)j);
            bound = worst(t);
        }
    }
}

static int compare(const void *a, const void *b) {
    const struct scored *x = a, *y = b;
    return scored_before(*y, *x) - scored_before(*x, *y);
}

void topk_sort(struct topk *t) {
    qsort(t->entries, t->n, sizeof *t->entries, compare);
}
