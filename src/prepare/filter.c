/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/filter.h"

#include "base/alloc.h"

#include <string.h>

enum { MIN_HISTORY = 3 }; /* of mode once: training, validation, test */

/* While deciding, user_id and item_id hold 0 for what stays. */
static void drop_below(uint32_t *id, const uint32_t *count, uint32_t n, uint32_t least,
                       bool *changed) {
    for (uint32_t i = 0; i < n; i++) {
        if (id[i] == FILTER_DROPPED || count[i] >= least) continue;
        id[i] = FILTER_DROPPED;
        *changed = true;
    }
}

typedef void each_click(void *context, const struct click *c);

/* Calls f for every click between a user and an item that stay, in file order. */
static genair_code for_staying(genair_context *ctx, const struct click_log *log,
                               const struct numbering *n, each_click *f, void *context,
                               genair_status *st) {
    genair_code code = spill_rewind(log->clicks, st);
    const void *block;
    size_t n_block = 1;
    while (code == GENAIR_OK && n_block) {
        if (context_stopped(ctx)) return context_interrupted(st);
        code = spill_next(log->clicks, &block, &n_block, st);
        const struct click *c = block;
        for (size_t i = 0; code == GENAIR_OK && i < n_block; i++)
            if (n->user_id[c[i].user] != FILTER_DROPPED && n->item_id[c[i].item] != FILTER_DROPPED)
                f(context, &c[i]);
    }
    return code;
}

struct counts {
    uint32_t *user, *item; /* [names] */
};

static void count_click(void *context, const struct click *c) {
    const struct counts *k = context;
    if (k->user[c->user] < UINT32_MAX) k->user[c->user]++;
    if (k->item[c->item] < UINT32_MAX) k->item[c->item]++;
}

static genair_code count_staying(genair_context *ctx, const struct click_log *log,
                                 const struct numbering *n, const struct counts *k,
                                 genair_status *st) {
    memset(k->user, 0, map_count(log->users) * sizeof *k->user);
    memset(k->item, 0, map_count(log->items) * sizeof *k->item);
    struct counts copy = *k;
    return for_staying(ctx, log, n, count_click, &copy, st);
}

/* Dropping a user may bring an item below its threshold, so counting starts again until nothing
 * changes. */
static genair_code decide(genair_context *ctx, const struct click_log *log,
                          const struct filter_options *o, const struct counts *k,
                          struct numbering *n, genair_status *st) {
    const uint32_t n_users = map_count(log->users), n_items = map_count(log->items);
    bool changed = false;
    drop_below(n->user_id, log->user_count, n_users, o->user_core, &changed);
    drop_below(n->item_id, log->item_count, n_items, o->item_core, &changed);
    n->rounds = 1;
    genair_code code = count_staying(ctx, log, n, k, st);
    if (!o->until_stable) {
        if (code == GENAIR_OK) drop_below(n->user_id, k->user, n_users, MIN_HISTORY, &changed);
        return code;
    }
    while (code == GENAIR_OK) {
        changed = false;
        drop_below(n->user_id, k->user, n_users, o->user_core, &changed);
        drop_below(n->item_id, k->item, n_items, o->item_core, &changed);
        if (!changed) break;
        n->rounds++;
        code = count_staying(ctx, log, n, k, st);
    }
    return code;
}

static void number_click(void *context, const struct click *c) {
    struct numbering *n = context;
    uint32_t *user = &n->user_id[c->user], *item = &n->item_id[c->item];
    if (*user == 0) { /* ids are kept one up while numbering, 0: not met yet */
        n->user_name[n->n_users] = c->user;
        *user = ++n->n_users;
    }
    if (*item == 0) {
        n->item_name[++n->n_items] = c->item;
        *item = n->n_items;
    }
    n->length[*user - 1]++;
    n->n_interactions++;
}

static genair_code give_ids(genair_context *ctx, const struct click_log *log, struct numbering *n,
                            genair_status *st) {
    const genair_code code = for_staying(ctx, log, n, number_click, n, st);
    if (code != GENAIR_OK) return code;
    /* What was never met has no interaction left: an item whose users all went. */
    for (uint32_t i = 0; i < map_count(log->users); i++)
        if (n->user_id[i] != FILTER_DROPPED)
            n->user_id[i] = n->user_id[i] ? n->user_id[i] - 1 : FILTER_DROPPED;
    for (uint32_t i = 0; i < map_count(log->items); i++)
        if (n->item_id[i] == 0) n->item_id[i] = FILTER_DROPPED;
    return GENAIR_OK;
}

genair_code filter_log(genair_context *ctx, const struct click_log *log,
                       const struct filter_options *options, struct numbering *out,
                       genair_status *st) {
    const size_t n_users = map_count(log->users), n_items = map_count(log->items);
    struct counts k = {mem_array(n_users, sizeof *k.user), mem_array(n_items, sizeof *k.item)};
    struct numbering n = {.user_id = mem_zeros(n_users, sizeof *n.user_id),
                          .item_id = mem_zeros(n_items, sizeof *n.item_id)};
    genair_code code = k.user && k.item && n.user_id && n.item_id ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK) code = decide(ctx, log, options, &k, &n, st);
    mem_free(k.user);
    mem_free(k.item);
    if (code == GENAIR_OK) {
        n.user_name = mem_array(n_users, sizeof *n.user_name);
        n.item_name = mem_zeros(n_items + 1, sizeof *n.item_name);
        n.length = mem_zeros(n_users, sizeof *n.length);
        if (!n.user_name || !n.item_name || !n.length) code = fail_memory(st);
    }
    if (code == GENAIR_OK) code = give_ids(ctx, log, &n, st);
    if (code == GENAIR_OK)
        *out = n;
    else
        numbering_deinit(&n);
    return code;
}

void numbering_deinit(struct numbering *n) {
    mem_free(n->user_id);
    mem_free(n->item_id);
    mem_free(n->user_name);
    mem_free(n->item_name);
    mem_free(n->length);
    *n = (struct numbering){0};
}
