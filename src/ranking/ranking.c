/* SPDX-License-Identifier: Apache-2.0 */
/* Users go in chunks (their vectors in memory at once), chunks in blocks of TILE_USERS (a task
 * each). Chunks and blocks are cut by user index alone, so nothing depends on the number of
 * threads. Sizes at width 128: a chunk's vectors 4 MiB, a slab of items 32 MiB, scratch 128 KiB a thread.
 *
 * Where processes share out the items, each counts its own against the targets' scores, which come from who has
 * the target; the counts of all are added. */
#include "ranking/ranking.h"

#include "base/alloc.h"
#include "base/group.h"
#include "base/size.h"
#include "ranking/rank.h"

#include <math.h>
#include <string.h>

enum {
    CHUNK_USERS = 64 * TILE_USERS,
    ENCODE_USERS = 512 /* histories a call: enough rows for a model's products, little memory */
};

/* A product of two vectors cannot leave the range of float32 when their lengths' product is below
 * this (Cauchy-Schwarz, also for partial sums): one check of the vectors replaces one of every
 * score. */
static const double largest_product = 1e38;

struct work {
    const struct scorer *scorer;
    const struct dataset *data;
    const struct kernels *kernels;
    struct ranking_result *out;
    struct shard shard;    /* of the items */
    size_t n_here;         /* items that are here */
    struct item_tiles tiles;
    size_t first, n;   /* this chunk: entries first .. first + n - 1 of the result */
    uint64_t *offsets; /* [CHUNK_USERS + 1] of items */
    uint32_t *known;   /* [CHUNK_USERS] how many of them training saw */
    uint32_t *items;   /* the chunk's histories; sorted by the tasks once the vectors are made */
    size_t items_capacity;
    float *vectors;        /* [CHUNK_USERS, width] */
    struct ranked_user *users; /* [CHUNK_USERS] whose items are places of the shard */
    struct topk *best;     /* [CHUNK_USERS] */
    struct scored *lists;  /* [CHUNK_USERS, RANKING_LIST] */
    uint32_t *numbers;     /* [CHUNK_USERS, 2] for the other processes */
    float **scratch;       /* [n_threads] */
    genair_status *failed; /* [CHUNK_USERS / TILE_USERS] */
};

const char *part_name(enum part part) {
    return part == PART_VALID ? "valid" : "test";
}

enum part part_named(const char *name) {
    return strcmp(name, part_name(PART_VALID)) == 0 ? PART_VALID : PART_TEST;
}

const char *protocol_name(enum protocol protocol) {
    return protocol == PROTOCOL_SAMPLED ? "sampled" : "full";
}

uint32_t target_position(const struct dataset *d, enum part part, uint32_t user) {
    return part == PART_VALID ? d->valid[user] : d->test[user];
}

size_t count_targets(const struct dataset *d, enum part part) {
    size_t n = 0;
    for (uint32_t u = 0; u < d->n_users; u++)
        n += target_position(d, part, u) != UINT32_MAX;
    return n;
}

void ranking_result_free(struct ranking_result *r) {
    mem_free(r->user);
    mem_free(r->target);
    mem_free(r->rank);
    mem_free(r->ties);
    mem_free(r->list);
    *r = (struct ranking_result){0};
}

genair_code ranking_result_create(const struct dataset *d, struct ranking_result *r, genair_status *st) {
    const size_t n = count_targets(d, r->part);
    r->user = mem_array(n, sizeof *r->user);
    r->target = mem_array(n, sizeof *r->target);
    r->rank = mem_zeros(n, sizeof *r->rank);
    r->ties = mem_zeros(n, sizeof *r->ties);
    if (r->protocol == PROTOCOL_FULL) r->list = mem_zeros(n, RANKING_LIST * sizeof *r->list);
    if (!r->user || !r->target || !r->rank || !r->ties || (r->protocol == PROTOCOL_FULL && !r->list))
        return fail_memory(st);
    for (uint32_t u = 0; u < d->n_users; u++) {
        const uint32_t at = target_position(d, r->part, u);
        if (at == UINT32_MAX) continue;
        r->user[r->n] = u;
        r->target[r->n++] = d->item[d->start[u] + at];
    }
    return GENAIR_OK;
}

static double norm(const float *v, size_t width) {
    double squares = 0;
    for (size_t i = 0; i < width; i++)
        squares += (double)v[i] * (double)v[i];
    return sqrt(squares);
}

static genair_code check_item_vectors(const struct work *w, double *largest, genair_status *st) {
    const struct scorer *s = w->scorer;
    *largest = 0;
    for (size_t i = 1; i <= w->n_here; i++) {
        const double length = norm(s->item_vectors + i * s->width, s->width);
        if (!isfinite(length)) {
            const struct text name = dataset_item_name(w->data, (uint32_t)shard_row(&w->shard, i));
            return fail(
                st, GENAIR_FORMAT,
                "the vector of item '%.*s' holds a value that is not a finite number: train again",
                (int)min_size(name.n, 100), name.p);
        }
        if (length > *largest) *largest = length;
    }
    return GENAIR_OK;
}

static genair_code fail_user(const struct dataset *d, uint32_t user, genair_status *st) {
    const struct text name = dataset_user_name(d, user);
    return fail(st, GENAIR_FORMAT,
                "a score of user '%.*s' is not a finite number: the model's parameters have run "
                "away, train "
                "again with a smaller --lr or --dropout",
                (int)min_size(name.n, 100), name.p);
}

static genair_code pack_histories(struct work *w, genair_status *st) {
    const struct dataset *d = w->data;
    uint64_t total = 0;
    for (size_t b = 0; b < w->n; b++) {
        w->offsets[b] = total;
        (void)dataset_training(d, w->out->user[w->first + b], &w->known[b]);
        total += target_position(d, w->out->part, w->out->user[w->first + b]);
    }
    w->offsets[w->n] = total;
    if (!mem_grow(&w->items, &w->items_capacity, total, sizeof *w->items)) return fail_memory(st);
    for (size_t b = 0; b < w->n; b++)
        if (w->offsets[b] < w->offsets[b + 1])
            memcpy(w->items + w->offsets[b], d->item + d->start[w->out->user[w->first + b]],
                   (w->offsets[b + 1] - w->offsets[b]) * sizeof *w->items);
    return GENAIR_OK;
}

static genair_code encode_chunk(struct work *w, double largest_item, genair_status *st) {
    const struct scorer *s = w->scorer;
    for (size_t b = 0; b < w->n; b += ENCODE_USERS) {
        /* offsets need not start at 0: items is the same array for all calls */
        const struct histories h = {min_size(ENCODE_USERS, w->n - b), w->offsets + b, w->items, w->known + b};
        const genair_code code = s->encode(s->model, &h, w->vectors + b * s->width, st);
        if (code != GENAIR_OK) return code;
    }
    for (size_t b = 0; b < w->n; b++)
        if (!(norm(w->vectors + b * s->width, s->width) * largest_item <= largest_product))
            return fail_user(w->data, w->out->user[w->first + b], st);
    return GENAIR_OK;
}

static void put(struct work *w, size_t b, struct placing p) {
    w->out->rank[w->first + b] = p.rank;
    w->out->ties[w->first + b] = p.ties;
}

/* The chunk's user b's history as ascending distinct ids. Destroys its order: the vectors are made.
 */
static uint32_t *exclusions(struct work *w, size_t b, size_t *n) {
    uint32_t *items = w->items + w->offsets[b];
    *n = ids_distinct(items, w->offsets[b + 1] - w->offsets[b]);
    return items;
}

static void keep_list(struct work *w, size_t b, struct topk *best) {
    topk_sort(best);
    for (size_t i = 0; i < best->n; i++)
        w->out->list[(w->first + b) * RANKING_LIST + i] = best->entries[i].id;
}

/* Of ascending ids those that are here, as places, in place. */
static size_t keep_ours(const struct work *w, uint32_t *ids, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (shard_owns(&w->shard, ids[i])) ids[kept++] = (uint32_t)shard_place(&w->shard, ids[i]);
    return kept;
}

/* The users of a block, and the scores of targets that are here. */
static void target_block(void *context, size_t block, int worker) {
    struct work *w = context;
    const struct scorer *s = w->scorer;
    const size_t begin = block * TILE_USERS, n = min_size(TILE_USERS, w->n - begin);
    const float *vectors = w->vectors + begin * s->width;
    struct ranked_user *users = w->users + begin;
    for (size_t u = 0; u < n; u++) {
        const uint32_t item = w->out->target[w->first + begin + u];
        users[u] = (struct ranked_user){0};
        if (shard_owns(&w->shard, item)) users[u].target = (uint32_t)shard_place(&w->shard, item);
    }
    if (w->out->protocol == PROTOCOL_FULL) {
        rank_targets(&w->tiles, vectors, users, n, w->scratch[worker]);
        return;
    }
    for (size_t u = 0; u < n; u++)
        users[u].target_score = w->kernels->dot(vectors + u * s->width, s->item_vectors + users[u].target * s->width, s->width);
}

/* Before the first slab: what the users leave out, and their lists. */
static void prepare_full_block(struct work *w, size_t begin, size_t n) {
    for (size_t b = begin; b < begin + n; b++) {
        struct ranked_user *user = &w->users[b];
        size_t n_seen;
        uint32_t *seen = exclusions(w, b, &n_seen);
        user->n_excluded = keep_ours(w, seen, n_seen);
        user->excluded = seen;
        w->best[b] = (struct topk){RANKING_LIST, 0, w->lists + b * RANKING_LIST};
        if (!w->scorer->group) user->best = &w->best[b];
    }
}

static void rank_full_block(void *context, size_t block, int worker) {
    struct work *w = context;
    const size_t begin = block * TILE_USERS, n = min_size(TILE_USERS, w->n - begin);
    if (w->tiles.first == 1) prepare_full_block(w, begin, n);
    rank_block(&w->tiles, w->vectors + begin * w->scorer->width, w->users + begin, n, w->scratch[worker]);
}

static void rank_sampled_block(void *context, size_t block, int worker) {
    (void)worker;
    struct work *w = context;
    const struct scorer *s = w->scorer;
    const size_t end = min_size(w->n, (block + 1) * TILE_USERS);
    for (size_t b = block * TILE_USERS; b < end; b++) {
        uint32_t n, others[DATASET_CANDIDATES];
        const uint32_t *all = dataset_candidates(w->data, (int)w->out->part, w->out->user[w->first + b], &n);
        if (n) memcpy(others, all, n * sizeof *others);
        w->users[b].placing = rank_among_vectors(w->kernels, w->vectors + b * s->width, s->item_vectors, s->width,
                                                 w->users[b].target_score, others, keep_ours(w, others, n));
    }
}

/* The targets' scores, from who has them: as bits, of which the others have none. */
static genair_code share_targets(struct work *w, genair_status *st) {
    if (!w->scorer->group) return GENAIR_OK;
    for (size_t b = 0; b < w->n; b++) {
        w->numbers[b] = 0;
        if (w->users[b].target) memcpy(&w->numbers[b], &w->users[b].target_score, sizeof(float));
    }
    const genair_code code = group_count(w->scorer->group, w->numbers, w->n, st);
    for (size_t b = 0; code == GENAIR_OK && b < w->n; b++) memcpy(&w->users[b].target_score, &w->numbers[b], sizeof(float));
    return code;
}

/* The places of the chunk's users among all items. */
static genair_code share_placings(struct work *w, genair_status *st) {
    for (size_t b = 0; b < w->n; b++) {
        w->numbers[2 * b] = w->users[b].placing.rank;
        w->numbers[2 * b + 1] = w->users[b].placing.ties;
    }
    const genair_code code = group_count(w->scorer->group, w->numbers, 2 * w->n, st);
    for (size_t b = 0; code == GENAIR_OK && b < w->n; b++)
        put(w, b, (struct placing){w->numbers[2 * b], w->numbers[2 * b + 1]});
    return code;
}

static genair_code rank_vectors(struct work *w, struct parallel *parallel, size_t n_blocks, genair_status *st) {
    parallel_run(parallel, n_blocks, target_block, w);
    const genair_code code = share_targets(w, st);
    if (code != GENAIR_OK) return code;
    if (w->out->protocol == PROTOCOL_SAMPLED) parallel_run(parallel, n_blocks, rank_sampled_block, w);
    for (size_t first = 1; w->out->protocol == PROTOCOL_FULL && first <= w->n_here; first += SLAB_ITEMS) {
        item_tiles_load(&w->tiles, parallel, first);
        parallel_run(parallel, n_blocks, rank_full_block, w);
    }
    for (size_t b = 0; w->out->protocol == PROTOCOL_FULL && !w->scorer->group && b < w->n; b++) keep_list(w, b, &w->best[b]);
    return share_placings(w, st);
}

static void rank_score_row(struct work *w, size_t b, float *row) {
    const uint32_t target = w->out->target[w->first + b];
    if (w->out->protocol == PROTOCOL_SAMPLED) {
        uint32_t n;
        const uint32_t *others =
            dataset_candidates(w->data, (int)w->out->part, w->out->user[w->first + b], &n);
        put(w, b, rank_among(row, target, others, n));
        return;
    }
    size_t n_excluded;
    const uint32_t *excluded = exclusions(w, b, &n_excluded);
    row[0] = -INFINITY; /* column 0 is no item */
    put(w, b, rank_in_row(row, (size_t)w->scorer->n_items + 1, target, excluded, n_excluded));
    for (size_t i = 0; i < n_excluded; i++) row[excluded[i]] = -INFINITY;
    struct topk best = {RANKING_LIST, 0, w->lists + b * RANKING_LIST};
    topk_push_row(&best, w->kernels, row, (size_t)w->scorer->n_items + 1, 0);
    keep_list(w, b, &best);
}

static void rank_scores_block(void *context, size_t block, int worker) {
    struct work *w = context;
    const struct scorer *s = w->scorer;
    const size_t end = min_size(w->n, (block + 1) * TILE_USERS), columns = (size_t)s->n_items + 1;
    float *row = w->scratch[worker];
    genair_status *st = &w->failed[block];
    for (size_t b = block * TILE_USERS; b < end; b++) {
        const struct histories h = {1, w->offsets + b, w->items, w->known + b};
        if (s->scores(s->model, &h, row, st) != GENAIR_OK) return;
        row[0] = 0;
        if (first_not_finite(row, columns) < columns) {
            fail_user(w->data, w->out->user[w->first + b], st);
            return;
        }
        rank_score_row(w, b, row);
    }
}

static genair_code rank_chunk(struct work *w, struct parallel *parallel, double largest_item,
                              genair_status *st) {
    genair_code code = pack_histories(w, st);
    if (code == GENAIR_OK && w->scorer->encode) code = encode_chunk(w, largest_item, st);
    if (code != GENAIR_OK) return code;
    const size_t n_blocks = (w->n + TILE_USERS - 1) / TILE_USERS;
    if (!w->scorer->scores) return rank_vectors(w, parallel, n_blocks, st);
    memset(w->failed, 0, CHUNK_USERS / TILE_USERS * sizeof *w->failed);
    parallel_run(parallel, n_blocks, rank_scores_block, w);
    for (size_t i = 0; i < n_blocks; i++)
        if (w->failed[i].code != GENAIR_OK)
            return fail(st, w->failed[i].code, "%s", w->failed[i].message);
    return GENAIR_OK;
}

static genair_code create_scratch(struct work *w, int n_threads, genair_status *st) {
    const size_t columns = (size_t)w->scorer->n_items + 1;
    const size_t scratch = w->scorer->scores ? columns : rank_scratch(&w->tiles);
    w->offsets = mem_array(CHUNK_USERS + 1, sizeof *w->offsets);
    w->known = mem_array(CHUNK_USERS, sizeof *w->known);
    w->vectors = mem_array(CHUNK_USERS * w->scorer->width, sizeof *w->vectors);
    w->users = mem_array(CHUNK_USERS, sizeof *w->users);
    w->best = mem_array(CHUNK_USERS, sizeof *w->best);
    w->lists = mem_array(CHUNK_USERS * RANKING_LIST, sizeof *w->lists);
    w->numbers = mem_array(CHUNK_USERS, 2 * sizeof *w->numbers);
    w->failed = mem_array(CHUNK_USERS / TILE_USERS, sizeof *w->failed);
    w->scratch = mem_zeros((size_t)n_threads, sizeof *w->scratch);
    if (!w->offsets || !w->known || !w->vectors || !w->users || !w->best || !w->lists || !w->numbers || !w->failed ||
        !w->scratch)
        return fail_memory(st);
    for (int i = 0; i < n_threads; i++) {
        w->scratch[i] = mem_aligned(scratch, sizeof **w->scratch);
        if (!w->scratch[i]) return fail_memory(st);
    }
    return GENAIR_OK;
}

static void free_work(struct work *w, int n_threads) {
    for (int i = 0; i < n_threads && w->scratch; i++)
        mem_free(w->scratch[i]);
    mem_free(w->scratch);
    mem_free(w->failed);
    mem_free(w->numbers);
    mem_free(w->lists);
    mem_free(w->best);
    mem_free(w->users);
    mem_free(w->vectors);
    mem_free(w->items);
    mem_free(w->offsets);
    mem_free(w->known);
    item_tiles_deinit(&w->tiles);
}

genair_code ranking_result_summarise(const uint8_t *cold, struct ranking_result *r, genair_status *st) {
    struct metrics by_group[2];
    uint8_t *is_cold = mem_array(r->n, 1);
    uint32_t *won = mem_array(r->n, sizeof *won);
    if (!is_cold || !won) {
        mem_free(won);
        mem_free(is_cold);
        return fail_memory(st);
    }
    for (size_t i = 0; i < r->n; i++) {
        is_cold[i] = cold[r->target[i]] != 0;
        won[i] = r->rank[i] - r->ties[i];
        r->n_tied += !is_cold[i] && r->ties[i] > 0;
    }
    metrics_by_group(won, is_cold, r->n, 2, &metrics_cutoffs, by_group);
    r->optimistic = by_group[0];
    metrics_by_group(r->rank, is_cold, r->n, 2, &metrics_cutoffs, by_group);
    r->metrics = by_group[0];
    r->cold = by_group[1];
    mem_free(won);
    mem_free(is_cold);
    return GENAIR_OK;
}

size_t ranking_result_warm(const uint8_t *cold, const struct ranking_result *r, uint32_t *out) {
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (!cold[r->target[i]]) out[n++] = (uint32_t)i;
    return n;
}

genair_code ranking_evaluate(struct parallel *parallel, const struct scorer *scorer,
                             const struct dataset *data, enum part part, enum protocol protocol,
                             struct ranking_result *out, genair_status *st) {
    const int n_threads = parallel_threads(parallel);
    struct ranking_result result = {.part = part, .protocol = protocol};
    struct work w = {
        .scorer = scorer, .data = data, .shard = group_shard(scorer->group), .kernels = kernels_select(NULL), .out = &result};
    w.n_here = shard_rows(&w.shard, (size_t)scorer->n_items + 1) - 1;
    double largest_item = 0;
    if (scorer->n_items != data->n_items)
        return fail(st, GENAIR_USAGE, "the model knows %u items, the workspace %u: train again",
                    scorer->n_items, data->n_items);
    genair_code code = ranking_result_create(data, &result, st);
    if (code == GENAIR_OK && scorer->encode)
        code = check_item_vectors(&w, &largest_item, st);
    if (code == GENAIR_OK && scorer->encode && protocol == PROTOCOL_FULL)
        code = item_tiles_init(&w.tiles, w.kernels, scorer->item_vectors, w.n_here, scorer->width, st);
    if (code == GENAIR_OK) code = create_scratch(&w, n_threads, st);
    for (w.first = 0; code == GENAIR_OK && w.first < result.n; w.first += CHUNK_USERS) {
        w.n = min_size(CHUNK_USERS, result.n - w.first);
        code = rank_chunk(&w, parallel, largest_item, st);
    }
    if (code == GENAIR_OK) code = ranking_result_summarise(data->cold, &result, st);
    if (code == GENAIR_OK)
        *out = result;
    else
        ranking_result_free(&result);
    free_work(&w, n_threads);
    return code;
}
