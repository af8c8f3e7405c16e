/* SPDX-License-Identifier: Apache-2.0 */
#include "train/batches.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"
#include "base/sort.h"
#include "tensor/ops.h"

#include <string.h>

enum { SEQUENCES_PER_TASK = 8, SHORT = 24 };

struct batches {
    struct batches_options options;
    const struct dataset *data;
    struct parallel *parallel;
    uint32_t *order;      /* [n_samples] */
    size_t n_samples;
    uint64_t epoch;
    uint32_t n_warm;      /* items that may be negatives */
    /* the batch being built */
    size_t first_sample;
    struct arena *arena;
    uint32_t *user, *offsets, *items, *target_start, *position, *positive, *negatives;
    bool *last_hidden;
    size_t n_sequences, n_targets;
};

/* What a user's sample is made of. */
struct sample {
    uint32_t user;
    bool last_only;        /* BERT4Rec's second sample */
    const uint32_t *whole; /* [n_whole] the user's training part: never a negative */
    uint32_t n_whole;
    const uint32_t *items; /* [n] the latest of it */
    uint32_t n;
    uint64_t stream;       /* of its random numbers */
};

static size_t samples_per_user(const struct batches *b) {
    return (b->options.backbone == BERT4REC ? 2 : 1) * b->options.repeat;
}

static struct sample sample_at(const struct batches *b, size_t place) {
    const size_t id = b->order[place], per_user = samples_per_user(b);
    struct sample s = {.user = (uint32_t)(id / per_user),
                       .last_only = b->options.backbone == BERT4REC && id % 2 == 1,
                       .stream = b->epoch << 40 | id};
    s.whole = dataset_training(b->data, s.user, &s.n_whole);
    /* Next-item models read one item fewer than they see. */
    const size_t room = b->options.max_len + (b->options.backbone != BERT4REC);
    s.n = (uint32_t)min_size(s.n_whole, room);
    s.items = s.whole + (s.n_whole - s.n);
    return s;
}

static size_t input_length(const struct batches *b, const struct sample *s) {
    return b->options.backbone == BERT4REC ? s->n : s->n - 1;
}

genair_code batches_create(const struct batches_options *options, const struct dataset *data,
                           struct parallel *parallel, struct batches **out, genair_status *st) {
    struct batches *b = mem_zeros(1, sizeof *b);
    if (!b) return fail_memory(st);
    *b = (struct batches){.options = *options, .data = data, .parallel = parallel, .arena = arena_create()};
    const size_t per_user = samples_per_user(b);
    size_t most;
    if (mul_size(data->n_users, per_user, &most) && most < UINT32_MAX) b->order = mem_array(most, sizeof *b->order);
    if (!b->arena || !b->order) {
        batches_free(b);
        return fail_memory(st);
    }
    for (uint32_t u = 0; u < data->n_users; u++) {
        uint32_t n;
        (void)dataset_training(data, u, &n);
        for (size_t i = 0; n >= 2 && i < per_user; i++) b->order[b->n_samples++] = (uint32_t)(u * per_user + i);
    }
    for (uint32_t i = 1; i <= data->n_items; i++) b->n_warm += !data->cold[i];
    if (b->n_samples == 0) {
        batches_free(b);
        return fail(st, GENAIR_USAGE, "no user has two interactions to learn from; give prepare a longer log "
                    "or smaller --user-core and --item-core");
    }
    *out = b;
    return GENAIR_OK;
}

void batches_free(struct batches *b) {
    if (!b) return;
    mem_free(b->order);
    arena_free(b->arena);
    mem_free(b);
}

size_t batches_count(const struct batches *b) {
    return (b->n_samples + b->options.batch - 1) / b->options.batch;
}

uint64_t batches_positions(const struct batches *b) {
    uint64_t sum = 0;
    for (size_t i = 0; i < b->n_samples; i++) {
        const struct sample s = sample_at(b, i);
        sum += input_length(b, &s);
    }
    return sum;
}

void batches_start(struct batches *b, uint64_t epoch) {
    b->epoch = epoch;
    /* From the sorted order each time, so that an epoch is the same after a resume. */
    sort_u32(b->order, b->n_samples);
    struct rng r = rng_start(b->options.seed, RNG_SHUFFLE, epoch);
    for (size_t i = b->n_samples; i > 1; i--) {
        const size_t j = rng_below(&r, i);
        const uint32_t swap = b->order[i - 1];
        b->order[i - 1] = b->order[j];
        b->order[j] = swap;
    }
}

/* Uniform over the items that training knows. */
static uint32_t warm_item(const struct batches *b, struct rng *r) {
    uint32_t item;
    do item = 1 + (uint32_t)rng_below(r, b->data->n_items);
    while (b->data->cold[item]);
    return item;
}

/* ---- targets ---- */

/* BERT4Rec's corruption (Devlin et al., 2019): 80 % mask, 10 % a random item, 10 % left. Returns the number
 * of targets; with items NULL only counts. */
static size_t hide(const struct batches *b, const struct sample *s, uint32_t first, uint32_t *items,
                   uint32_t *position, uint32_t *positive) {
    struct rng r = rng_start(b->options.seed, RNG_MASK, s->stream);
    size_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const bool last = i + 1 == s->n;
        /* A sample without any target would teach nothing: then the last item is hidden. */
        const bool chosen = s->last_only ? last
                                         : (rng_unit(&r) < b->options.mask_probability || (last && n == 0));
        uint32_t shown = s->items[i];
        if (chosen) {
            const double u = s->last_only ? 0 : rng_unit(&r);
            if (u < 0.8)
                shown = MASK_ROW;
            else if (u < 0.9)
                shown = warm_item(b, &r);
            if (items) {
                position[n] = first + i;
                positive[n] = s->items[i];
            }
            n++;
        }
        if (items) items[first + i] = shown;
    }
    return n;
}

static size_t next_items(const struct batches *b, const struct sample *s, uint32_t first, uint32_t *items,
                         uint32_t *position, uint32_t *positive) {
    const size_t n_inputs = s->n - 1;
    const bool last_only = b->options.backbone == GRU4REC && !b->options.seq2seq;
    const size_t n = last_only ? 1 : n_inputs;
    if (!items) return n;
    memcpy(items + first, s->items, n_inputs * sizeof *items);
    for (size_t i = 0; i < n; i++) {
        const size_t at = last_only ? n_inputs - 1 : i;
        position[i] = first + (uint32_t)at;
        positive[i] = s->items[at + 1];
    }
    return n;
}

static size_t targets(const struct batches *b, const struct sample *s, uint32_t first, uint32_t *items,
                      uint32_t *position, uint32_t *positive) {
    return b->options.backbone == BERT4REC ? hide(b, s, first, items, position, positive)
                                           : next_items(b, s, first, items, position, positive);
}

/* ---- negatives: uniform over warm items that the user's training part does not hold ---- */

struct seen {
    const uint32_t *items;
    size_t n;
    bool sorted;
};

static bool holds(const struct seen *seen, uint32_t item) {
    if (seen->sorted) return sorted_u32_holds(seen->items, seen->n, item);
    for (size_t i = 0; i < seen->n; i++)
        if (seen->items[i] == item) return true;
    return false;
}

static size_t count_distinct(const struct seen *seen) {
    size_t n = 0;
    for (size_t i = 0; i < seen->n; i++) {
        const struct seen before = {seen->items, i, false};
        n += seen->sorted ? i == 0 || seen->items[i] != seen->items[i - 1] : !holds(&before, seen->items[i]);
    }
    return n;
}

static void draw_negatives(const struct batches *b, const struct sample *s, size_t n, const struct seen *seen,
                           uint32_t *negatives) {
    struct rng r = rng_start(b->options.seed, RNG_NEGATIVE, s->stream);
    /* A user who has everything still gets numbers, without the rule that cannot be kept. Training parts hold
     * no cold item, so only where they are as long as the catalogue are repeats worth counting. */
    const bool possible = s->n_whole < b->n_warm || count_distinct(seen) < b->n_warm;
    for (size_t i = 0; i < n; i++) {
        do negatives[i] = warm_item(b, &r);
        while (possible && holds(seen, negatives[i]));
    }
}

static void fill_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct batches *b = context;
    const size_t end = min_size(b->n_sequences, (task + 1) * SEQUENCES_PER_TASK);
    for (size_t i = task * SEQUENCES_PER_TASK; i < end; i++) {
        const struct sample s = sample_at(b, b->first_sample + i);
        const uint32_t at = b->target_start[i];
        const size_t n = targets(b, &s, b->offsets[i], b->items, b->position + at, b->positive + at);
        if (!b->options.n_negatives) continue;
        struct seen seen = {s.whole, s.n_whole, false};
        uint32_t *copy = NULL; /* only faster: without memory for it the list is walked */
        if (s.n_whole > SHORT && (copy = mem_array(s.n_whole, sizeof *copy))) {
            memcpy(copy, s.whole, s.n_whole * sizeof *copy);
            sort_u32(copy, s.n_whole);
            seen = (struct seen){copy, s.n_whole, true};
        }
        draw_negatives(b, &s, n * b->options.n_negatives, &seen, b->negatives + at * b->options.n_negatives);
        mem_free(copy);
    }
}

genair_code batches_get(struct batches *b, size_t i, struct batch *out, genair_status *st) {
    arena_reset(b->arena);
    b->first_sample = i * b->options.batch;
    b->n_sequences = min_size(b->options.batch, b->n_samples - b->first_sample);
    b->offsets = arena_array(b->arena, b->n_sequences + 1, sizeof *b->offsets);
    b->user = arena_array(b->arena, b->n_sequences, sizeof *b->user);
    b->last_hidden = arena_array(b->arena, b->n_sequences, sizeof *b->last_hidden);
    b->target_start = arena_array(b->arena, b->n_sequences + 1, sizeof *b->target_start);
    if (arena_failed(b->arena)) return fail_memory(st);
    uint32_t at = 0, n_targets = 0;
    for (size_t j = 0; j < b->n_sequences; j++) {
        const struct sample s = sample_at(b, b->first_sample + j);
        b->user[j] = s.user;
        b->last_hidden[j] = s.last_only;
        b->offsets[j] = at;
        b->target_start[j] = n_targets;
        at += (uint32_t)input_length(b, &s);
        n_targets += (uint32_t)targets(b, &s, 0, NULL, NULL, NULL);
    }
    b->offsets[b->n_sequences] = at;
    b->items = arena_array(b->arena, at, sizeof *b->items);
    b->position = arena_array(b->arena, n_targets, sizeof *b->position);
    b->positive = arena_array(b->arena, n_targets, sizeof *b->positive);
    b->negatives = arena_array(b->arena, n_targets * b->options.n_negatives, sizeof *b->negatives);
    if (arena_failed(b->arena)) return fail_memory(st);
    parallel_run(b->parallel, (b->n_sequences + SEQUENCES_PER_TASK - 1) / SEQUENCES_PER_TASK, fill_task, b);
    *out = (struct batch){.n_sequences = b->n_sequences,
                          .offsets = b->offsets,
                          .items = b->items,
                          .n_targets = n_targets,
                          .position = b->position,
                          .positive = b->positive,
                          .n_negatives = b->options.n_negatives,
                          .negatives = b->negatives,
                          .user = b->user,
                          .last_hidden = b->options.backbone == BERT4REC ? b->last_hidden : NULL,
                          .epoch = b->epoch,
                          .number = i,
                          .n_batches = batches_count(b)};
    return GENAIR_OK;
}
