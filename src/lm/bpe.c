/* SPDX-License-Identifier: Apache-2.0 */
#include "lm/bpe.h"

#include "base/alloc.h"
#include "base/map.h"

#include <assert.h>
#include <string.h>

/* ---- pairs ---- */

genair_code bpe_pairs_create(struct bpe_rules *rules, size_t n, genair_status *st) {
    rules->n_slots = map_slots_for(n);
    rules->pairs = mem_array(rules->n_slots, sizeof *rules->pairs);
    if (!rules->pairs) return fail_memory(st);
    memset(rules->pairs, 0xFF, rules->n_slots * sizeof *rules->pairs); /* NO_TOKEN everywhere */
    rules->by_pairs = true;
    return GENAIR_OK;
}

/* The slot that holds the pair, or the empty one where it belongs. */
static size_t pair_slot(const struct bpe_rules *rules, uint32_t left, uint32_t right) {
    const uint64_t mixed = ((uint64_t)left << 32 | right) * UINT64_C(0x9E3779B97F4A7C15);
    size_t i = (size_t)(mixed >> 32 ^ mixed) & (rules->n_slots - 1);
    while (rules->pairs[i].left != NO_TOKEN &&
           (rules->pairs[i].left != left || rules->pairs[i].right != right))
        i = (i + 1) & (rules->n_slots - 1);
    return i;
}

bool bpe_pairs_put(struct bpe_rules *rules, struct pair pair) {
    struct pair *slot = &rules->pairs[pair_slot(rules, pair.left, pair.right)];
    if (slot->left != NO_TOKEN) return false;
    *slot = pair;
    return true;
}

/* ---- candidates: a binary heap, least order first ---- */

static bool heap_push(struct bpe *b, struct bpe_candidate c) {
    if (!mem_grow(&b->heap, &b->heap_capacity, b->n_heap + 1, sizeof *b->heap)) return false;
    size_t i = b->n_heap++;
    for (; i && c.order < b->heap[(i - 1) / 2].order; i = (i - 1) / 2)
        b->heap[i] = b->heap[(i - 1) / 2];
    b->heap[i] = c;
    return true;
}

static struct bpe_candidate heap_pop(struct bpe *b) {
    const struct bpe_candidate top = b->heap[0], last = b->heap[--b->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < b->n_heap; i = child) {
        if (child + 1 < b->n_heap && b->heap[child + 1].order < b->heap[child].order) child++;
        if (last.order <= b->heap[child].order) break;
        b->heap[i] = b->heap[child];
    }
    b->heap[i] = last;
    return top;
}

/* ---- merging ---- */

void bpe_deinit(struct bpe *b) {
    mem_free(b->symbols);
    mem_free(b->heap);
    *b = (struct bpe){0};
}

genair_code bpe_push(struct bpe *b, uint32_t start, uint32_t end, uint32_t id, genair_status *st) {
    if (!mem_grow(&b->symbols, &b->capacity, b->n + 1, sizeof *b->symbols)) return fail_memory(st);
    const uint32_t i = (uint32_t)b->n++;
    if (i) b->symbols[i - 1].next = i;
    b->symbols[i] = (struct bpe_symbol){start, end, i ? i - 1 : NO_TOKEN, NO_TOKEN, id};
    return GENAIR_OK;
}

static bool rule_of(const struct bpe_rules *rules, const char *text, const struct bpe_symbol *l,
                    const struct bpe_symbol *r, uint32_t *rank, uint32_t *id) {
    if (rules->by_pairs) {
        if (l->id == NO_TOKEN || r->id == NO_TOKEN) return false;
        const struct pair *pair = &rules->pairs[pair_slot(rules, l->id, r->id)];
        *rank = pair->rank;
        *id = pair->merged;
        return pair->left != NO_TOKEN;
    }
    const struct text bytes = {text + l->start, r->end - l->start};
    if (bytes.n > rules->vocabulary->longest || !vocabulary_find(rules->vocabulary, bytes, id))
        return false;
    *rank = rules->rank ? rules->rank[*id] : *id;
    return true;
}

static bool consider(struct bpe *b, const struct bpe_rules *rules, const char *text,
                     uint32_t left) {
    uint32_t rank, id;
    if (left == NO_TOKEN || b->symbols[left].next == NO_TOKEN) return true;
    const struct bpe_symbol *l = &b->symbols[left], *r = &b->symbols[l->next];
    if (!rule_of(rules, text, l, r, &rank, &id)) return true;
    return heap_push(b, (struct bpe_candidate){(uint64_t)rank << 32 | left, r->end, id});
}

genair_code bpe_merge(struct bpe *b, const struct bpe_rules *rules, const char *text,
                      genair_status *st) {
    b->n_heap = 0;
    for (uint32_t i = 0; i < b->n; i++)
        if (!consider(b, rules, text, i)) return fail_memory(st);
    while (b->n_heap) {
        const struct bpe_candidate c = heap_pop(b);
        const uint32_t left = (uint32_t)c.order;
        struct bpe_symbol *l = &b->symbols[left];
        /* Symbols only grow, so a left one that is there and a right one that ends where it did are
         * the same two; what was merged away has an empty span. */
        if (l->start == l->end || l->next == NO_TOKEN || b->symbols[l->next].end != c.end) continue;
        struct bpe_symbol *r = &b->symbols[l->next];
        l->end = r->end;
        l->id = c.id;
        l->next = r->next;
        r->start = r->end;
        if (l->next != NO_TOKEN) b->symbols[l->next].previous = left;
        if (!consider(b, rules, text, left) || !consider(b, rules, text, l->previous))
            return fail_memory(st);
    }
    return GENAIR_OK;
}
