/* SPDX-License-Identifier: Apache-2.0 */
#include "ranking/topk.h"

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

void topk_push_row(struct topk *t, const struct kernels *k, const float *scores, size_t n, uint32_t first_id) {
    if (t->k == 0) return;
    for (size_t i = 0; i < n; i++) {
        /* after the first rows few scores enter */
        const float worst = t->n < t->k ? -INFINITY : t->entries[0].score;
        i += k->first_above(scores + i, n - i, worst);
        if (i < n) topk_push(t, scores[i], first_id + (uint32_t)i);
    }
}

static int compare(const void *a, const void *b) {
    const struct scored *x = a, *y = b;
    return scored_before(*y, *x) - scored_before(*x, *y);
}

void topk_sort(struct topk *t) {
    qsort(t->entries, t->n, sizeof *t->entries, compare);
}
