/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/alloc.h"

#include <string.h>
#include <xxhash.h>

enum { FIRST_SLOTS = 1024 };
static const uint32_t MAX_NAMES = UINT32_MAX - 16; /* an enumerator is an int */

/* The hash beside the number spares most looks at the names, which are cache misses. */
struct slot {
    uint32_t number; /* id + 1, or 0 */
    uint32_t hash;
};

struct map {
    uint32_t n;
    struct slot *slots;
    size_t n_slots;  /* a power of two, more than 4/3 n */
    uint64_t *start; /* [n + 1] into text */
    size_t start_capacity;
    char *text;
    size_t text_capacity;
};

static uint32_t hash_of(struct text name) {
    return (uint32_t)XXH3_64bits(name.p, name.n);
}

struct map *map_create(void) {
    struct map *m = mem_zeros(1, sizeof *m);
    if (!m) return NULL;
    m->slots = mem_zeros(FIRST_SLOTS, sizeof *m->slots);
    m->n_slots = FIRST_SLOTS;
    if (!m->slots || !mem_grow(&m->start, &m->start_capacity, 1, sizeof *m->start) ||
        !mem_grow(&m->text, &m->text_capacity, 1, 1)) { /* never NULL: all names may be empty */
        map_free(m);
        return NULL;
    }
    m->start[0] = 0;
    return m;
}

void map_free(struct map *m) {
    if (!m) return;
    mem_free(m->slots);
    mem_free(m->start);
    mem_free(m->text);
    mem_free(m);
}

uint32_t map_count(const struct map *m) {
    return m->n;
}

struct text map_name(const struct map *m, uint32_t id) {
    return (struct text){m->text + m->start[id], (size_t)(m->start[id + 1] - m->start[id])};
}

static bool same(struct text a, struct text b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* The slot that holds the name, or the empty one where it belongs. */
static size_t probe(const struct map *m, struct text name, uint32_t hash) {
    const size_t mask = m->n_slots - 1;
    size_t i = hash & mask;
    while (m->slots[i].number) {
        if (m->slots[i].hash == hash && same(map_name(m, m->slots[i].number - 1), name)) break;
        i = (i + 1) & mask;
    }
    return i;
}

bool map_find(const struct map *m, struct text name, uint32_t *id) {
    const uint32_t number = m->slots[probe(m, name, hash_of(name))].number;
    if (number) *id = number - 1;
    return number != 0;
}

static bool grow_slots(struct map *m) {
    const size_t n_slots = 2 * m->n_slots, mask = n_slots - 1;
    struct slot *slots = mem_zeros(n_slots, sizeof *slots);
    if (!slots) return false;
    for (size_t k = 0; k < m->n_slots; k++) {
        if (!m->slots[k].number) continue;
        size_t i = m->slots[k].hash & mask;
        while (slots[i].number)
            i = (i + 1) & mask;
        slots[i] = m->slots[k];
    }
    mem_free(m->slots);
    m->slots = slots;
    m->n_slots = n_slots;
    return true;
}

static genair_code add_hashed(struct map *m, struct text name, uint32_t hash, uint32_t *id,
                              genair_status *st) {
    size_t i = probe(m, name, hash);
    if (m->slots[i].number) {
        *id = m->slots[i].number - 1;
        return GENAIR_OK;
    }
    if (m->n >= MAX_NAMES)
        return fail(st, GENAIR_FORMAT, "more than %u different ids", (unsigned)MAX_NAMES);
    const size_t n = m->n, end = m->start[n];
    if (!mem_grow(&m->start, &m->start_capacity, n + 2, sizeof *m->start) ||
        !mem_grow(&m->text, &m->text_capacity, end + name.n, 1))
        return fail_memory(st);
    if (4 * (n + 1) > 3 * m->n_slots) {
        if (!grow_slots(m)) return fail_memory(st);
        i = probe(m, name, hash);
    }
    if (name.n) memcpy(m->text + end, name.p, name.n);
    m->start[n + 1] = end + name.n;
    m->slots[i] = (struct slot){++m->n, hash};
    *id = (uint32_t)n;
    return GENAIR_OK;
}

genair_code map_add(struct map *m, struct text name, uint32_t *id, genair_status *st) {
    return add_hashed(m, name, hash_of(name), id, st);
}

/* A look-up reads slot, start and text, each a cache miss that waits for the one before; here they
 * are asked for one after the other for all names. */
genair_code map_add_many(struct map *m, const struct text *names, size_t n, uint32_t *ids,
                         genair_status *st) {
    uint32_t hash[MAP_MANY];
    const size_t mask = m->n_slots - 1;
    for (size_t i = 0; i < n; i++) {
        hash[i] = hash_of(names[i]);
        __builtin_prefetch(&m->slots[hash[i] & mask]);
    }
    for (size_t i = 0; i < n; i++)
        __builtin_prefetch(&m->start[m->slots[hash[i] & mask].number]);
    for (size_t i = 0; i < n; i++) {
        const uint32_t number = m->slots[hash[i] & mask].number;
        if (number) __builtin_prefetch(m->text + m->start[number - 1]);
    }
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && i < n; i++)
        code = add_hashed(m, names[i], hash[i], &ids[i], st);
    return code;
}

size_t map_slots_for(size_t n_names) {
    size_t n = 2;
    while (n < n_names + n_names / 2 + 1)
        n *= 2;
    return n;
}

void map_place(uint32_t *slots, size_t n_slots, struct text name, uint32_t id) {
    size_t i = hash_of(name) & (n_slots - 1);
    while (slots[i])
        i = (i + 1) & (n_slots - 1);
    slots[i] = id + 1;
}

static struct text name_at(const char *text, const uint64_t *start, uint32_t i) {
    return (struct text){text + start[i], (size_t)(start[i + 1] - start[i])};
}

bool map_lookup(const uint32_t *slots, size_t n_slots, const char *text, const uint64_t *start,
                struct text name, uint32_t *id) {
    size_t i = hash_of(name) & (n_slots - 1);
    for (; slots[i]; i = (i + 1) & (n_slots - 1)) {
        if (!same(name_at(text, start, slots[i] - 1), name)) continue;
        *id = slots[i] - 1;
        return true;
    }
    return false;
}
