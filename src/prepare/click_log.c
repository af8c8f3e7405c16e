/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/click_log.h"

#include "base/alloc.h"

#include <string.h>

struct pending {
    size_t n, n_bytes, capacity;
    size_t user_bytes[MAP_MANY], item_bytes[MAP_MANY];
    int64_t time[MAP_MANY];
    char *text; /* user and item names in turn */
};

genair_code click_log_init(struct click_log *log, const char *directory, size_t memory_bytes,
                           genair_status *st) {
    *log = (struct click_log){.users = map_create(),
                              .items = map_create(),
                              .pending = mem_zeros(1, sizeof *log->pending)};
    genair_code code = log->users && log->items && log->pending ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK)
        code = spill_create(directory, sizeof(struct click), memory_bytes, &log->clicks, st);
    if (code != GENAIR_OK) click_log_deinit(log);
    return code;
}

void click_log_deinit(struct click_log *log) {
    if (log->pending) mem_free(log->pending->text);
    mem_free(log->pending);
    map_free(log->users);
    map_free(log->items);
    mem_free(log->user_count);
    mem_free(log->item_count);
    spill_free(log->clicks);
    *log = (struct click_log){0};
}

/* Numbers the names and counts them. */
static genair_code count_names(struct map *m, const struct text *names, size_t n, uint32_t **count,
                               size_t *capacity, uint32_t *ids, genair_status *st) {
    const uint32_t before = map_count(m);
    const genair_code code = map_add_many(m, names, n, ids, st);
    if (code != GENAIR_OK) return code;
    if (!mem_grow(count, capacity, map_count(m), sizeof **count)) return fail_memory(st);
    for (uint32_t id = before; id < map_count(m); id++)
        (*count)[id] = 0;
    for (size_t i = 0; i < n; i++)
        if ((*count)[ids[i]] < UINT32_MAX) (*count)[ids[i]]++;
    return GENAIR_OK;
}

genair_code click_log_finish(struct click_log *log, genair_status *st) {
    struct pending *p = log->pending;
    struct text users[MAP_MANY], items[MAP_MANY];
    uint32_t user[MAP_MANY], item[MAP_MANY];
    struct click clicks[MAP_MANY];
    const char *at = p->text;
    for (size_t i = 0; i < p->n; i++) {
        users[i] = (struct text){at, p->user_bytes[i]};
        items[i] = (struct text){at + p->user_bytes[i], p->item_bytes[i]};
        at = items[i].p + items[i].n;
    }
    genair_code code =
        count_names(log->users, users, p->n, &log->user_count, &log->user_capacity, user, st);
    if (code == GENAIR_OK)
        code =
            count_names(log->items, items, p->n, &log->item_count, &log->item_capacity, item, st);
    for (size_t i = 0; code == GENAIR_OK && i < p->n; i++)
        clicks[i] = (struct click){user[i], item[i], p->time[i]};
    if (code == GENAIR_OK) code = spill_add(log->clicks, clicks, p->n, st);
    p->n = p->n_bytes = 0;
    return code;
}

genair_code click_log_add(struct click_log *log, struct text user, struct text item, int64_t time,
                          genair_status *st) {
    struct pending *p = log->pending;
    if (!mem_grow(&p->text, &p->capacity, p->n_bytes + user.n + item.n, 1)) return fail_memory(st);
    if (user.n) memcpy(p->text + p->n_bytes, user.p, user.n);
    if (item.n) memcpy(p->text + p->n_bytes + user.n, item.p, item.n);
    p->n_bytes += user.n + item.n;
    p->user_bytes[p->n] = user.n;
    p->item_bytes[p->n] = item.n;
    p->time[p->n++] = time;
    log->n++;
    return p->n == MAP_MANY ? click_log_finish(log, st) : GENAIR_OK;
}
