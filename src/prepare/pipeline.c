/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/pipeline.h"

#include "base/alloc.h"
#include "prepare/order.h"

/* What the writing of histories needs. */
struct sink {
    struct sequences_writer *writer;
    struct split split;
    struct pipeline_statistics *s;
    uint32_t *last_user; /* [n_items + 1] u + 1 of the last user whose history holds the item */
};

static genair_code put_history(void *context, uint32_t user, size_t n, const uint32_t *items,
                               const int64_t *times, genair_status *st) {
    struct sink *k = context;
    struct pipeline_statistics *s = k->s;
    const struct split_user split = split_history(&k->split, user, n, times);
    s->n_valid += split.valid != DATASET_NONE;
    s->n_test += split.test != DATASET_NONE;
    s->tied_valid += split.tied_time & 1;
    s->tied_test += split.tied_time >> 1 & 1;
    if (user == 0 || n < s->shortest) s->shortest = (uint32_t)n;
    if (n > s->longest) s->longest = (uint32_t)n;
    if (user == 0 || times[0] < s->first_time) s->first_time = times[0];
    if (user == 0 || times[n - 1] > s->last_time) s->last_time = times[n - 1];
    for (size_t p = 0; p < n; p++) {
        s->n_repeated += k->last_user[items[p]] == user + 1;
        k->last_user[items[p]] = user + 1;
    }
    return sequences_put(k->writer, n, items, times, &split, st);
}

static genair_code write_sequences(genair_context *ctx, const char *workspace,
                                   const struct click_log *log, const struct pipeline_options *o,
                                   const struct numbering *n, const uint8_t *cold,
                                   struct pipeline_statistics *s, genair_status *st) {
    struct sink k = {.split = {o->by_time, 0, o->held_out_users, o->candidate_seed}, .s = s};
    genair_code code = GENAIR_OK;
    if (o->by_time) code = time_quantile(ctx, log, n, o->time_quantile, &k.split.cut, st);
    s->cut = k.split.cut;
    k.last_user = mem_zeros((size_t)n->n_items + 1, sizeof *k.last_user);
    if (code == GENAIR_OK && !k.last_user) code = fail_memory(st);
    if (code == GENAIR_OK)
        code = sequences_create(workspace, o->made_from, n->n_items, cold, o->memory_bytes / 4,
                                &k.writer, st);
    if (code == GENAIR_OK)
        code = order_log(ctx, log, n, workspace, o->memory_bytes / 2, put_history, &k, st);
    mem_free(k.last_user);
    if (code == GENAIR_OK) return sequences_commit(k.writer, st);
    sequences_abandon(k.writer);
    return code;
}

static void count_targets(const struct dataset *d, struct pipeline_statistics *s) {
    for (uint32_t i = 1; i <= d->n_items; i++)
        s->n_training += d->popularity[i];
    for (uint32_t u = 0; u < d->n_users; u++) {
        if (d->test[u] == DATASET_NONE) continue;
        const uint32_t target = d->item[d->start[u] + d->test[u]];
        s->unseen_test += d->popularity[target] == 0;
        s->cold_test += d->cold[target];
    }
}

/* A count gets too large where few items repeat without end: names the user who has one most often. */
static genair_code tell_endless(const struct dataset *d, const struct click_log *log, const struct numbering *n,
                                const char *what, genair_status *st) {
    struct met {
        uint32_t user, times; /* user: u + 1 of the last one with the item */
    } *met = mem_zeros((size_t)d->n_items + 1, sizeof *met);
    if (!met) return fail_memory(st);
    const struct item_lists *l = &d->training;
    uint32_t most = 0, user = 0;
    for (uint32_t u = 0; u < l->n; u++)
        for (uint32_t p = 0; p < l->length[u]; p++) {
            struct met *m = &met[l->item[l->start[u] + p]];
            if (m->user != u + 1) *m = (struct met){.user = u + 1};
            if (++m->times <= most) continue;
            most = m->times;
            user = u;
        }
    mem_free(met);
    char excerpt[TEXT_EXCERPT];
    text_excerpt(map_name(log->users, n->user_name[user]), excerpt);
    return fail(st, GENAIR_FORMAT, "%s: the user \"%s\" has one item %u times; leave such users out of the log", what,
                excerpt, most);
}

static genair_code write_cooccurrence(genair_context *ctx, const char *workspace, const struct dataset *d,
                                      const struct click_log *log, const struct pipeline_options *o,
                                      const struct numbering *n, struct cooccurrence *summary, genair_status *st) {
    genair_status why = {0};
    const genair_code code = dataset_write_cooccurrence(ctx, workspace, d, o->memory_bytes, summary, &why);
    if (code == GENAIR_FORMAT) return tell_endless(d, log, n, why.message, st);
    return code == GENAIR_OK ? GENAIR_OK : fail_like(st, &why);
}

/* From the histories as they lie in the file: they need not fit into memory. */
static genair_code write_derived(genair_context *ctx, const char *workspace, const struct click_log *log,
                                 const struct pipeline_options *o, const struct numbering *n,
                                 struct pipeline_statistics *s, genair_status *st) {
    struct dataset *d;
    genair_code code = dataset_open_sequences(workspace, &d, st);
    if (code != GENAIR_OK) return code;
    struct cooccurrence summary;
    code = write_cooccurrence(ctx, workspace, d, log, o, n, &summary, st);
    if (code == GENAIR_OK) {
        s->n_pairs = summary.n_pairs;
        s->max_count = summary.max_count;
        context_info(ctx, "drawing evaluation candidates");
        code = dataset_write_candidates(ctx, workspace, d, o->candidate_seed, st);
    }
    count_targets(d, s);
    dataset_close(d);
    return code;
}

static genair_code require_users(const struct click_log *log, const struct pipeline_options *o,
                                 const struct numbering *n, genair_status *st) {
    if (n->n_users) return GENAIR_OK;
    if (log->n == 0) return fail(st, GENAIR_FORMAT, "the log holds no interactions");
    return fail(st, GENAIR_FORMAT,
                "of %llu interactions of %u users with %u items none is left: --user-core %u and "
                "--item-core %u "
                "are too high for this log%s",
                (unsigned long long)log->n, map_count(log->users), map_count(log->items),
                o->filter.user_core, o->filter.item_core,
                o->filter.until_stable ? "" : ", or every user has fewer than 3 interactions left");
}

genair_code pipeline_run(genair_context *ctx, const char *workspace, struct click_log *log,
                         const struct pipeline_options *o, struct pipeline_statistics *out,
                         struct numbering *numbering, genair_status *st) {
    genair_code code = click_log_finish(log, st);
    if (code != GENAIR_OK) return code;
    struct pipeline_statistics s = {.n_raw_interactions = log->n,
                                    .n_raw_users = map_count(log->users),
                                    .n_raw_items = map_count(log->items)};
    struct numbering n = {0};
    uint8_t *cold = NULL;
    context_info(ctx, "filtering %llu interactions", (unsigned long long)log->n);
    code = filter_log(ctx, log, &o->filter, &n, st);
    if (code == GENAIR_OK) code = require_users(log, o, &n, st);
    if (code == GENAIR_OK) {
        s.n_users = n.n_users, s.n_items = n.n_items, s.rounds = n.rounds;
        s.n_interactions = n.n_interactions;
        cold = mem_zeros((size_t)n.n_items + 1, 1);
        if (!cold) code = fail_memory(st);
    }
    if (code == GENAIR_OK)
        code = choose_cold_items(n.n_items, o->cold_share, o->seed, cold, &s.n_cold, st);
    if (code == GENAIR_OK) code = write_sequences(ctx, workspace, log, o, &n, cold, &s, st);
    mem_free(cold);
    spill_free(log->clicks); /* its memory is wanted for counting */
    log->clicks = NULL;
    if (code == GENAIR_OK)
        code = dataset_write_ids(workspace, o->made_from, log->users, n.user_name, n.n_users,
                                 log->items, n.item_name, n.n_items, st);
    if (code == GENAIR_OK) code = write_derived(ctx, workspace, log, o, &n, &s, st);
    if (code == GENAIR_OK) {
        *out = s;
        *numbering = n;
    } else {
        numbering_deinit(&n);
    }
    return code;
}
