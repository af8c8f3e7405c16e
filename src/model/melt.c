/* SPDX-License-Identifier: Apache-2.0 */
/* MELT (Kim et al., 2023): two linear maps lift rare items and users with short histories. T_U learns to guess a long
 * history's vector from its latest items; T_I an item's vector from the histories that lead to it. Both learn on the
 * head, by a curriculum from the most to the least frequent of it, while the model goes on training:
 *
 *     L_U = mean w (T_U(f(latest R)) - f(all))^2
 *     L_I = mean w (T_I(mean of beta f(c) + T_U(f(c)) over contexts c) - e)^2
 *
 * Before an epoch, rare items get T_I(mean of f(c)). At requests a tail user's vector is T_U(f) + beta f. */
#include "model/melt.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"
#include "base/sort.h"
#include "model/backbones.h"
#include "tensor/ops.h"

#include <math.h>
#include <string.h>

enum { SEQUENCES_PER_BLOCK = 512, POSITIONS_PER_BLOCK = 4096, DRAW_USER, DRAW_ITEM, DECK_USERS, DECK_ITEMS };

static const json_t *options_of(const struct model *m) {
    return m->config.inputs->options;
}

static bool is_no(const struct model *m, const char *option) {
    return strcmp(method_text(options_of(m), option), "no") == 0;
}

static struct rng stream(const struct model *m, int use, uint64_t epoch, uint32_t id) {
    return rng_start(m->seed, RNG_MELT, (uint64_t)use << 60 | epoch << 32 | id);
}

static genair_code parameters(struct model *m, const float *matrix, genair_status *st) {
    (void)matrix;
    const bool training = m->method == &method_melt;
    const size_t d = m->config.hidden;
    genair_code code = add_table(m, "item_emb", d, NULL, st);
    if (code == GENAIR_OK) code = add_linear(m, "user_map", d, d, st);
    if (code == GENAIR_OK && training) code = add_linear(m, "melt.item_map", d, d, st);
    struct melt *s = code == GENAIR_OK ? mem_zeros(1, sizeof *s) : NULL;
    if (!s) return code == GENAIR_OK ? fail_memory(st) : code;
    m->state = s;
    s->beta = method_real(options_of(m), "melt-beta");
    s->maps_users = !is_no(m, "melt-user-map");
    return melt_deal(s, m->config.inputs->data, method_real(options_of(m), "melt-pareto"), training, st);
}

static void release(struct model *m) {
    melt_free(m->state);
}

/* ---- a step's own sequences ---- */

static void shuffle(const struct model *m, struct melt_deck *deck, int use, uint64_t epoch) {
    if (deck->epoch == epoch) return;
    /* From the sorted order each time: the same after a resume. */
    sort_u32(deck->order, deck->n);
    struct rng r = stream(m, use, epoch, 0);
    for (size_t i = deck->n; i > 1; i--) {
        const size_t j = rng_below(&r, i);
        const uint32_t swap = deck->order[i - 1];
        deck->order[i - 1] = deck->order[j];
        deck->order[j] = swap;
    }
    deck->epoch = epoch;
}

static const uint32_t *share(const struct melt_deck *deck, const struct batch *b, size_t *n) {
    const size_t first = deck->n * b->number / b->n_batches;
    *n = deck->n * (b->number + 1) / b->n_batches - first;
    return deck->order + first;
}

/* How many contexts an item is seen from in this epoch. */
static uint32_t n_contexts(const struct model *m, const struct melt *s, uint32_t item, struct rng *r, uint64_t epoch) {
    *r = stream(m, DRAW_ITEM, epoch, item);
    const uint64_t all = s->seen.start[item + 1] - s->seen.start[item], most = (uint64_t)fmax(1, floor(s->item_threshold));
    return 1 + (uint32_t)rng_below(r, all < most ? all : most);
}

/* k of n without replacement (Floyd, in Bentley, 1987). */
static void choose(struct rng *r, uint64_t n, uint32_t k, uint64_t *out) {
    for (uint32_t i = 0; i < k; i++) {
        const uint64_t last = n - k + i, drawn = rng_below(r, last + 1);
        out[i] = drawn;
        for (uint32_t j = 0; j < i; j++)
            if (out[j] == drawn) out[i] = last;
    }
}

static size_t room_of(const struct model *m) {
    return m->config.n_positions - 1 - (m->config.backbone == BERT4REC);
}

struct packer {
    struct model *m;
    struct melt *s;
    size_t n, at; /* sequences, items */
};

static void end_sequence(struct packer *p) {
    if (p->m->config.backbone == BERT4REC) p->s->step.items[p->at++] = MASK_ROW;
    p->s->step.offsets[++p->n] = (uint32_t)p->at;
}

static void pack_user(struct packer *p, uint32_t user, size_t most) {
    uint32_t n;
    const uint32_t *items = dataset_training(p->s->seen.data, user, &n);
    const size_t length = min_size(n, most);
    memcpy(p->s->step.items + p->at, items + n - length, length * sizeof *items);
    p->at += length;
    end_sequence(p);
}

static void pack_contexts(struct packer *p, const uint64_t *chosen, uint32_t k, uint32_t item) {
    for (uint32_t i = 0; i < k; i++) {
        p->at += melt_context_items(p->s, &p->s->seen.context[p->s->seen.start[item] + chosen[i]], room_of(p->m),
                                    p->s->step.items + p->at);
        end_sequence(p);
    }
}

static double weight_of(const struct model *m, const char *option) {
    return method_real(options_of(m), option);
}

static struct item_list begin_step(struct model *m, const struct batch *b) {
    struct melt *s = m->state;
    memset(&s->step, 0, sizeof s->step);
    const bool users = weight_of(m, "melt-lambda-user") > 0, items = weight_of(m, "melt-lambda-item") > 0;
    shuffle(m, &s->users, DECK_USERS, b->epoch);
    shuffle(m, &s->items, DECK_ITEMS, b->epoch);
    if (users) s->step.user = share(&s->users, b, &s->step.n_users);
    if (items) s->step.item = share(&s->items, b, &s->step.n_items);
    const size_t most = (size_t)fmax(1, floor(s->item_threshold));
    size_t n = 2 * s->step.n_users + s->step.n_items * most, total = n * (room_of(m) + 1);
    uint64_t *chosen = tape_array(&m->tape, most, sizeof *chosen);
    s->step.offsets = tape_array(&m->tape, n + 1, sizeof *s->step.offsets);
    s->step.items = tape_array(&m->tape, total + 1, sizeof *s->step.items);
    s->step.group = tape_array(&m->tape, s->step.n_items + 1, sizeof *s->step.group);
    if (tape_failed(&m->tape)) return (struct item_list){0};
    struct packer p = {.m = m, .s = s};
    s->step.offsets[0] = s->step.group[0] = 0;
    for (size_t i = 0; i < s->step.n_users; i++) pack_user(&p, s->step.user[i], room_of(m));
    for (size_t i = 0; i < s->step.n_users; i++) {
        struct rng r = stream(m, DRAW_USER, b->epoch, s->step.user[i]);
        const uint64_t longest = (uint64_t)fmax(1, floor(s->user_threshold));
        pack_user(&p, s->step.user[i], min_size(room_of(m), 1 + (size_t)rng_below(&r, longest)));
    }
    for (size_t i = 0; i < s->step.n_items; i++) {
        const uint32_t item = s->step.item[i];
        struct rng r;
        const uint32_t k = n_contexts(m, s, item, &r, b->epoch);
        choose(&r, s->seen.start[item + 1] - s->seen.start[item], k, chosen);
        pack_contexts(&p, chosen, k, item);
        s->step.group[i + 1] = s->step.group[i] + k;
    }
    s->step.n_sequences = p.n;
    return (struct item_list){s->step.items, p.at};
}

/* ---- losses ---- */

static double progress(const struct model *m, uint64_t epoch) {
    return (double)(epoch - 1) / fmax(1, method_real(options_of(m), "epochs"));
}

/* Rows first … first + n - 1. */
static struct tensor *rows(struct model *m, struct tensor *x, size_t first, size_t n) {
    uint32_t *index = tape_array(&m->tape, n, sizeof *index);
    for (size_t i = 0; index && i < n; i++) index[i] = (uint32_t)(first + i);
    return index && x ? op_gather(&m->tape, x, NULL, index, n) : NULL;
}

static double user_loss(struct model *m, struct tensor *f, uint64_t epoch) {
    const struct melt *s = m->state;
    const size_t n = s->step.n_users;
    const double lambda = weight_of(m, "melt-lambda-user"), most = method_real(options_of(m), "melt-lmax");
    float *weight = tape_array(&m->tape, n, sizeof *weight);
    for (size_t i = 0; weight && i < n; i++) {
        uint32_t length;
        (void)dataset_training(s->seen.data, s->step.user[i], &length);
        weight[i] = (float)(lambda / (double)(n * m->config.hidden) *
                            melt_weight(progress(m, epoch), melt_user_turn(length, s->user_threshold, most)));
    }
    return weight ? square_loss(&m->tape, linear_named(m, rows(m, f, n, n), "user_map"), rows(m, f, 0, n), weight) : 0;
}

static double item_loss(struct model *m, struct tensor *f, struct tensor *table, uint64_t epoch) {
    struct tape *t = &m->tape;
    const struct melt *s = m->state;
    const size_t n = s->step.n_items;
    const double lambda = weight_of(m, "melt-lambda-item");
    float *weight = tape_array(t, n, sizeof *weight);
    uint32_t *row = tape_array(t, n, sizeof *row);
    if (!weight || !row) return 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t item = s->step.item[i];
        row[i] = model_row(m, item);
        weight[i] = (float)(lambda / (double)(n * m->config.hidden) *
                            melt_weight(progress(m, epoch), melt_item_turn(s->seen.count[item], s->item_threshold)));
    }
    /* T_U is affine: the mean of its values is its value at the mean. */
    struct tensor *contexts = rows(m, f, 2 * s->step.n_users, s->step.group[n]);
    struct tensor *mean = op_group_mean(t, contexts, s->step.group, n, 1);
    struct tensor *lifted = op_add(t, linear_named(m, mean, "user_map"), op_group_mean(t, contexts, s->step.group, n, (float)s->beta));
    return square_loss(t, linear_named(m, lifted, "melt.item_map"), op_gather(t, table, NULL, row, n), weight);
}

static void loss(struct model *m, const struct method_step *step, struct step_losses *losses) {
    const struct melt *s = m->state;
    struct tape *t = &m->tape;
    if (s->step.n_sequences == 0) return;
    const size_t n = s->step.offsets[s->step.n_sequences];
    uint32_t *index = tape_array(t, n, sizeof *index), *last = tape_array(t, s->step.n_sequences, sizeof *last);
    if (!index || !last) return;
    for (size_t i = 0; i < n; i++) index[i] = model_row(m, s->step.items[i]);
    for (size_t i = 0; i < s->step.n_sequences; i++) last[i] = s->step.offsets[i + 1] - 1;
    struct tensor *h = model_backbone(m, step->table, index, s->step.offsets, s->step.n_sequences);
    struct tensor *f = h ? op_gather(t, h, NULL, last, s->step.n_sequences) : NULL;
    if (!f) return;
    double value = 0;
    if (s->step.n_users) value += user_loss(m, f, step->batch->epoch);
    if (s->step.n_items) value += item_loss(m, f, step->table, step->batch->epoch);
    losses->calibration += value;
    losses->total += value;
}

/* ---- rare items, before an epoch ---- */

static bool is_rare(const struct melt *s, uint32_t item) {
    return s->seen.count[item] > 0 && s->seen.count[item] <= s->item_threshold;
}

/* Histories on their way to being states; the one after an item is of a context of it. */
struct block {
    struct model *m;
    bool looks_back;     /* a model that does has the states of all forward or all backward contexts of a history at once */
    size_t n;
    uint64_t *offsets;   /* [SEQUENCES_PER_BLOCK + 1] */
    uint32_t *items;     /* [POSITIONS_PER_BLOCK + room] */
    bool *whole;         /* [SEQUENCES_PER_BLOCK] every place is read, not the last one alone */
    float *state, *mean; /* [POSITIONS_PER_BLOCK + room, d], [n_items, d] */
};

/* Adds the block's states to the means of their items, in order. */
static genair_code flush(struct block *b, genair_status *st) {
    const struct melt *s = b->m->state;
    const size_t d = b->m->config.hidden;
    if (b->n == 0) return GENAIR_OK;
    const struct histories h = {.n = b->n, .offsets = b->offsets, .items = b->items};
    const genair_code code = b->looks_back ? model_prefix_states(b->m, &h, b->state, st) : model_states(b->m, &h, b->state, st);
    for (size_t i = 0; code == GENAIR_OK && i < b->n; i++)
        for (uint64_t at = b->whole[i] ? b->offsets[i] : b->offsets[i + 1] - 1; at < b->offsets[i + 1]; at++) {
            const uint32_t item = b->items[at];
            if (!is_rare(s, item)) continue;
            b->m->kernels->axpy(1 / (float)(s->seen.start[item + 1] - s->seen.start[item]),
                                b->state + (b->looks_back ? at : i) * d, b->mean + (item - 1) * d, d);
        }
    b->n = 0;
    return code;
}

static genair_code add_context(struct block *b, const struct context *c, bool whole, genair_status *st) {
    const uint64_t at = b->n ? b->offsets[b->n] : 0;
    b->offsets[b->n] = at;
    b->whole[b->n++] = whole;
    b->offsets[b->n] = at + melt_context_items(b->m->state, c, room_of(b->m), b->items + at);
    return b->n == SEQUENCES_PER_BLOCK || b->offsets[b->n] >= POSITIONS_PER_BLOCK ? flush(b, st) : GENAIR_OK;
}

static genair_code add_item(struct block *b, uint32_t item, genair_status *st) {
    const struct melt *s = b->m->state;
    genair_code code = GENAIR_OK;
    for (uint64_t c = s->seen.start[item]; code == GENAIR_OK && c < s->seen.start[item + 1]; c++)
        code = add_context(b, &s->seen.context[c], false, st);
    return code;
}

/* All contexts of a user's history in one direction: those that end in the model's length at once, longer ones by themselves. */
static genair_code add_history(struct block *b, uint32_t user, bool backward, genair_status *st) {
    const struct melt *s = b->m->state;
    genair_code code = GENAIR_OK;
    uint32_t n;
    (void)dataset_training(s->seen.data, user, &n);
    const uint32_t room = (uint32_t)min_size(n, room_of(b->m));
    for (uint32_t length = room; code == GENAIR_OK && length <= n; length++)
        code = add_context(b, &(struct context){user, backward ? n - length : length - 1, backward}, length == room, st);
    return code;
}

static genair_code add_all(struct block *b, genair_status *st) {
    const struct melt *s = b->m->state;
    const struct dataset *data = s->seen.data;
    genair_code code = GENAIR_OK;
    for (uint32_t i = 1; !b->looks_back && code == GENAIR_OK && i <= data->n_items; i++)
        if (is_rare(s, i)) code = add_item(b, i, st);
    for (uint32_t u = 0; b->looks_back && code == GENAIR_OK && u < data->n_users; u++) {
        uint32_t n;
        (void)dataset_training(data, u, &n);
        if (n > 0) code = add_history(b, u, false, st);
        if (n > 1 && code == GENAIR_OK) code = add_history(b, u, true, st);
    }
    return code == GENAIR_OK ? flush(b, st) : code;
}

/* e = T_I(mean) + gamma e, for rare items alone. */
static genair_code replace_rare(struct model *m, float *means, genair_status *st) {
    const struct melt *s = m->state;
    const size_t d = m->config.hidden;
    const float gamma = (float)weight_of(m, "melt-gamma");
    tape_reset(&m->tape, false, 0);
    parameters_begin_step(m->parameters);
    struct tensor *mapped = linear_named(m, tape_view(&m->tape, m->config.n_items, d, means, NULL), "melt.item_map");
    if (!mapped) return fail_memory(st);
    for (uint32_t i = 1; i <= m->config.n_items; i++)
        if (is_rare(s, i)) m->kernels->scale_add(1, mapped->value + (i - 1) * d, gamma, m->table->value + i * d, d);
    return GENAIR_OK;
}

/* All from the table as it was, before any row is replaced. */
static genair_code begin_epoch(struct model *m, genair_status *st) {
    const size_t d = m->config.hidden, most = POSITIONS_PER_BLOCK + room_of(m);
    if (is_no(m, "melt-update")) return GENAIR_OK;
    struct block b = {.m = m,
                      .looks_back = m->config.causal || m->config.backbone == GRU4REC,
                      .offsets = mem_array(SEQUENCES_PER_BLOCK + 1, sizeof *b.offsets),
                      .items = mem_array(most, sizeof *b.items),
                      .whole = mem_array(SEQUENCES_PER_BLOCK, sizeof *b.whole),
                      .state = mem_array(most * d, sizeof *b.state),
                      .mean = mem_zeros(m->config.n_items * d + 1, sizeof *b.mean)};
    genair_code code = b.offsets && b.items && b.whole && b.state && b.mean ? model_refresh_items(m, st) : fail_memory(st);
    if (code == GENAIR_OK) code = add_all(&b, st);
    if (code == GENAIR_OK) code = replace_rare(m, b.mean, st);
    mem_free(b.offsets);
    mem_free(b.items);
    mem_free(b.whole);
    mem_free(b.state);
    mem_free(b.mean);
    return code;
}

/* ---- requests ---- */

static genair_code users(struct model *m, const struct histories *h, float *out, genair_status *st) {
    const struct melt *s = m->state;
    const size_t d = m->config.hidden;
    if (!s->maps_users) return GENAIR_OK;
    tape_reset(&m->tape, false, 0);
    parameters_begin_step(m->parameters);
    struct tensor *mapped = linear_named(m, tape_view(&m->tape, h->n, d, out, NULL), "user_map");
    if (!mapped) return fail_memory(st);
    for (size_t b = 0; b < h->n; b++) {
        const uint64_t length = h->known ? h->known[b] : h->offsets[b + 1] - h->offsets[b];
        if ((double)length > s->user_threshold || h->offsets[b + 1] == h->offsets[b]) continue;
        m->kernels->scale_add((float)s->beta, out + b * d, 0, out + b * d, d);
        m->kernels->axpy(1, mapped->value + b * d, out + b * d, d);
    }
    return GENAIR_OK;
}

/* With the map of a user of the tail. */
static double flops(const struct model *m, size_t n) {
    const struct melt *s = m->state;
    const double d = (double)m->config.hidden;
    return backbone_flops(m, n) + (s->maps_users ? 2 * d * d : 0);
}

static const struct method_default defaults[] = {{"epochs", "180"}, {0}};

static const struct method method_melt_served = {.name = "melt", .term = "transfer", .weight_options = "",
                                          .parameters = parameters, .release = release, .users = users, .flops = flops};

const struct method method_melt = {.name = "melt", .base_run = true, .continues = true, .defaults = defaults,
                                   .served = &method_melt_served, .term = "transfer",
                                   .weight_options = ", --melt-lambda-user, --melt-lambda-item",
                                   .parameters = parameters, .release = release, .begin_epoch = begin_epoch,
                                   .begin_step = begin_step, .loss = loss, .users = users, .flops = flops};
