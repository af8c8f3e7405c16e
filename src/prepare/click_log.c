/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/click_log.h"

#include "base/alloc.h"

genair_code click_log_init(struct click_log *log, const char *directory, size_t memory_bytes,
                           genair_status *st) {
    *log = (struct click_log){.users = map_create(), .items = map_create()};
    genair_code code = log->users && log->items ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK)
        code = spill_create(directory, sizeof(struct click), memory_bytes, &log->clicks, st);
    if (code != GENAIR_OK) click_log_deinit(log);
    return code;
}

void click_log_deinit(struct click_log *log) {
    map_free(log->users);
    map_free(log->items);
    mem_free(log->user_count);
    mem_free(log->item_count);
    spill_free(log->clicks);
    *log = (struct click_log){0};
}

static genair_code count_name(struct map *m, struct text name, uint32_t **count, size_t *capacity,
                              uint32_t *id, genair_status *st) {
    const uint32_t before = map_count(m);
    const genair_code code = map_add(m, name, id, st);
    if (code != GENAIR_OK) return code;
    if (!mem_grow(count, capacity, map_count(m), sizeof **count)) return fail_memory(st);
    if (*id == before) (*count)[*id] = 0;
    if ((*count)[*id] < UINT32_MAX) (*count)[*id]++;
    return GENAIR_OK;
}

genair_code click_log_add(struct click_log *log, struct text user, struct text item, int64_t time,
                          genair_status *st) {
    struct click c = {.time = time};
    genair_code code =
        count_name(log->users, user, &log->user_count, &log->user_capacity, &c.user, st);
    if (code == GENAIR_OK)
        code = count_name(log->items, item, &log->item_count, &log->item_capacity, &c.item, st);
    if (code == GENAIR_OK) code = spill_add(log->clicks, &c, 1, st);
    if (code == GENAIR_OK) log->n++;
    return code;
}
