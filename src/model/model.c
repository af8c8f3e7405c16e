/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model.h"

#include "base/alloc.h"
#include "base/group.h"
#include "base/size.h"
#include "model/backbones.h"
#include "model/method.h"
#include "model/owned_rows.h"
#include "model/parts.h"
#include "model/step.h"
#include "tensor/ops.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const backbone_names[] = {[SASREC] = "sasrec", [BERT4REC] = "bert4rec", [GRU4REC] = "gru4rec"};
static_assert(COUNT(backbone_names) == N_BACKBONES, "one name for each backbone");

const char *const loss_names[] = {[LOSS_BCE] = "bce", [LOSS_BPR] = "bpr", [LOSS_CE] = "ce",
                                  [LOSS_SAMPLED_SOFTMAX] = "sampled-softmax", [LOSS_GBCE] = "gbce"};
static_assert(COUNT(loss_names) == N_LOSSES, "one name for each loss");

static const struct {
    genair_code (*add_parameters)(struct model *, genair_status *);
    struct tensor *(*forward)(struct model *, struct tensor *, const uint32_t *, const uint32_t *, size_t);
} backbones[] = {
    [SASREC] = {transformer_parameters, transformer_forward},
    [BERT4REC] = {transformer_parameters, transformer_forward},
    [GRU4REC] = {gru4rec_parameters, gru4rec_forward},
};
static_assert(COUNT(backbones) == N_BACKBONES, "one row for each backbone");

enum { ITEMS_PER_BLOCK = 1024, ROWS_PER_TASK = 64 };

genair_code add_matrix(struct model *m, const char *name, size_t rows, size_t cols, double gain, genair_status *st) {
    struct parameter *p;
    const genair_code code = parameters_add(m->parameters, name, rows, cols, false, &p, st);
    if (code == GENAIR_OK) parameter_xavier_normal(p, gain, m->seed);
    return code;
}

genair_code add_vector(struct model *m, const char *name, size_t n, float value, genair_status *st) {
    struct parameter *p;
    const genair_code code = parameters_add(m->parameters, name, 1, n, false, &p, st);
    if (code == GENAIR_OK) parameter_fill(p, value);
    return code;
}

genair_code add_linear(struct model *m, const char *name, size_t out, size_t in, genair_status *st) {
    char weight[64], bias[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    struct parameter *b;
    genair_code code = add_matrix(m, weight, out, in, 1, st);
    if (code == GENAIR_OK) code = parameters_add(m->parameters, bias, 1, out, false, &b, st);
    if (code == GENAIR_OK) parameter_uniform(b, 1 / sqrt((double)in), m->seed);
    return code;
}

struct tensor *parameter_named(struct model *m, const char *format, ...) {
    char name[64];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    struct parameter *p = parameters_find(m->parameters, name);
    assert(p);
    return parameter_tensor(&m->tape, p);
}

struct tensor *linear_named(struct model *m, struct tensor *x, const char *name) {
    return op_linear(&m->tape, x, parameter_named(m, "%s.weight", name), parameter_named(m, "%s.bias", name));
}

static genair_code check(const struct model_config *c, genair_status *st) {
    if (c->n_items == 0 || c->n_items > UINT32_MAX - 2) return fail(st, GENAIR_USAGE, "%zu items", c->n_items);
    if (c->backbone != GRU4REC && (c->n_heads == 0 || c->hidden % c->n_heads != 0))
        return fail(st, GENAIR_USAGE, "%zu heads do not divide a hidden size of %zu", c->n_heads, c->hidden);
    return GENAIR_OK;
}

/* Where item vectors are rows of the table and nobody wants them as they were before a step, they are kept once. */
static genair_code make_item_vectors(struct model *m, bool only_read, genair_status *st) {
    const bool rows = !m->method->items && m->table && m->table->cols == m->config.hidden;
    m->shares_table = rows && (only_read || parts_suit(m->method));
    m->item_vectors = m->shares_table ? m->table->value
                                      : mem_zeros((m->config.n_items + 1) * m->config.hidden, sizeof *m->item_vectors);
    return m->item_vectors ? GENAIR_OK : fail_memory(st);
}

genair_code model_create(const struct model_config *config, const float *fused, struct parallel *parallel,
                         const struct kernels *kernels, const struct adam_options *adam, uint64_t seed,
                         struct model **out, genair_status *st) {
    genair_code code = check(config, st);
    if (code != GENAIR_OK) return code;
    struct model *m = mem_zeros(1, sizeof *m);
    if (!m) return fail_memory(st);
    *m = (struct model){.config = *config, .parallel = parallel, .kernels = kernels, .seed = seed,
                        .method = method_of(config), .width = config->hidden};
    m->local = mem_zeros(config->n_items + 2, sizeof *m->local);
    m->identity = mem_array(config->n_items, sizeof *m->identity);
    m->catalogue = mem_array(config->n_items, sizeof *m->catalogue);
    if (!m->local || !m->identity || !m->catalogue || !tape_init(&m->tape, parallel, kernels, seed))
        code = fail_memory(st);
    for (size_t i = 1; code == GENAIR_OK && i <= config->n_items; i++) {
        m->identity[i - 1] = (uint32_t)i;
        if (!config->cold || !config->cold[i]) m->catalogue[m->n_catalogue++] = (uint32_t)i;
    }
    if (code == GENAIR_OK) code = parameters_create(adam, parallel, kernels, &m->parameters, st);
    if (code == GENAIR_OK) parameters_share(m->parameters, group_shard(config->group));
    if (code == GENAIR_OK) code = m->method->parameters(m, fused, st);
    if (code == GENAIR_OK) code = backbones[config->backbone].add_parameters(m, st);
    if (code == GENAIR_OK) code = make_item_vectors(m, !adam, st);
    if (code == GENAIR_OK && m->method->begin) code = m->method->begin(m, st);
    if (code != GENAIR_OK) {
        model_free(m);
        return code;
    }
    *out = m;
    return GENAIR_OK;
}

void model_free(struct model *m) {
    if (!m) return;
    if (m->method->release) m->method->release(m);
    parts_free(m->parts);
    tape_deinit(&m->tape);
    parameters_free(m->parameters);
    mem_free(m->local);
    mem_free(m->identity);
    mem_free(m->catalogue);
    if (!m->shares_table) mem_free(m->item_vectors);
    mem_free(m);
}

struct tensor *model_backbone(struct model *m, struct tensor *table, const uint32_t *index,
                              const uint32_t *offsets, size_t n_sequences) {
    if (m->method->forward) return m->method->forward(m, table, index, offsets, n_sequences);
    return backbones[m->config.backbone].forward(m, table, index, offsets, n_sequences);
}

/* ---- the distinct items of a step ---- */

void step_collect(struct model *m, struct distinct *d, const uint32_t *items, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t item = items[i];
        if (item == MASK_ROW || m->local[item]) continue;
        d->ids[d->n++] = item;
        m->local[item] = (uint32_t)d->n;
    }
}

/* extra: items that the method's own sequences hold. */
bool step_items(struct model *m, const struct batch *b, bool whole_catalogue, const struct item_list *extra,
                struct distinct *d) {
    const size_t n_tokens = b->offsets[b->n_sequences], n_negatives = b->n_targets * b->n_negatives;
    const size_t n_ranked = whole_catalogue ? m->n_catalogue : n_tokens + b->n_targets + n_negatives;
    const size_t most = min_size(m->config.n_items, n_ranked + extra->n);
    d->ids = tape_array(&m->tape, most + 1, sizeof *d->ids);
    if (!d->ids) return false;
    if (whole_catalogue) {
        step_collect(m, d, m->catalogue, m->n_catalogue);
    } else {
        step_collect(m, d, b->items, n_tokens);
        step_collect(m, d, b->positive, b->n_targets);
        step_collect(m, d, b->negatives, n_negatives);
    }
    step_collect(m, d, extra->items, extra->n);
    return true;
}

void step_forget(struct model *m, const struct distinct *d) {
    for (size_t i = 0; i < d->n; i++) m->local[d->ids[i]] = 0;
}

uint32_t model_row(const struct model *m, uint32_t item) {
    return item == MASK_ROW ? MASK_ROW : m->local[item] - 1;
}

uint32_t *model_rows(struct model *m, const uint32_t *items, size_t n) {
    uint32_t *rows = tape_array(&m->tape, n + 1, sizeof *rows);
    for (size_t i = 0; rows && i < n; i++)
        rows[i] = model_row(m, items[i]);
    return rows;
}

struct copy {
    const float *from;
    const uint32_t *ids;
    size_t first_id; /* id of from's first row */
    struct tensor *to;
};

static void copy_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct copy *c = context;
    const size_t end = min_size(c->to->rows, (task + 1) * ROWS_PER_TASK), cols = c->to->cols;
    for (size_t r = task * ROWS_PER_TASK; r < end; r++)
        memcpy(c->to->value + r * cols, c->from + (c->ids[r] - c->first_id) * cols, cols * sizeof(float));
}

static void copy_rows(struct model *m, const float *from, size_t first_id, const uint32_t *ids, struct tensor *to) {
    struct copy c = {from, ids, first_id, to};
    parallel_run(m->parallel, (to->rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK, copy_task, &c);
}

struct tensor *model_constants(struct model *m, const float *matrix, size_t width, size_t first_id, const uint32_t *ids,
                               size_t n) {
    struct tensor *x = tape_tensor(&m->tape, n, width, false);
    if (x) copy_rows(m, matrix, first_id, ids, x);
    return x;
}

/* Rows of the table or the frozen matrix. missed: steps that rows of the table missed are made good. */
static struct tensor *source_rows(struct model *m, const uint32_t *ids, size_t n, bool missed) {
    const size_t width = m->table ? m->table->cols : m->config.fused_width;
    /* Where these are the item vectors themselves, losses leave a gradient, wanted or not. */
    struct tensor *x = tape_tensor(&m->tape, n, width, m->table || !m->method->items);
    if (!x) return NULL;
    if (m->table && missed) parameters_catch_up(m->parameters, m->table, ids, n);
    copy_rows(m, m->table ? m->table->value : m->fused, m->table ? 0 : 1, ids, x);
    return x;
}

static struct tensor *item_vectors_of(struct model *m, struct tensor *source, const uint32_t *ids) {
    return m->method->items && source ? m->method->items(m, source, ids) : source;
}

/* ---- one step ---- */

/* Mean over n_all targets of the whole softmax of some. */
static double part_of_softmax(struct model *m, size_t n_targets, size_t n_all, struct tensor *u, struct tensor *table,
                              const uint32_t *positive) {
    float *weight = tape_array(&m->tape, n_targets, sizeof *weight);
    if (!weight) return 0;
    for (size_t r = 0; r < n_targets; r++) weight[r] = 1 / (float)n_all;
    return weighted_softmax_loss(&m->tape, u, table, positive, weight, 0);
}

double step_rank_loss(struct model *m, const struct batch *b, size_t n_all, const struct objective *o, struct tensor *u,
                      struct tensor *table) {
    const uint32_t *positive = model_rows(m, b->positive, b->n_targets);
    if (o->loss == LOSS_CE && n_all && positive)
        return part_of_softmax(m, b->n_targets, n_all, u, table, positive);
    if (o->loss == LOSS_CE) return positive ? softmax_loss(&m->tape, u, table, positive) : 0;
    static const enum pair_form forms[] = {[LOSS_BCE] = PAIR_BCE, [LOSS_BPR] = PAIR_BPR,
                                           [LOSS_SAMPLED_SOFTMAX] = PAIR_SAMPLED_SOFTMAX,
                                           [LOSS_GBCE] = PAIR_GBCE, [LOSS_BPR_SUM] = PAIR_BPR_SUM};
    const struct pair_loss loss = {
        .form = forms[o->loss],
        .n_negatives = b->n_negatives,
        .positive = positive,
        .negatives = model_rows(m, b->negatives, b->n_targets * b->n_negatives),
        .beta = gbce_beta(b->n_negatives, m->n_catalogue, o->gbce_t),
        .n_all = n_all,
    };
    return tape_failed(&m->tape) ? 0 : pair_loss(&m->tape, u, table, &loss);
}

bool model_places(struct model *m, const uint32_t *items, size_t n_items, const struct tensor *table, bool once,
                  struct positives *out) {
    struct tape *t = &m->tape;
    const size_t most = min_size(n_items, table ? table->rows : 0);
    uint32_t *place = table ? tape_array(t, table->rows, sizeof *place) : NULL;
    uint32_t *row = tape_array(t, most + 1, sizeof *row), *item = tape_array(t, most + 1, sizeof *item);
    uint32_t *multiplicity = tape_array(t, most + 1, sizeof *multiplicity);
    if (!place || tape_failed(t)) return false;
    memset(place, 0, table->rows * sizeof *place);
    size_t n = 0, n_places = 0;
    for (size_t r = 0; r < n_items; r++) {
        if (items[r] == MASK_ROW) continue;
        const uint32_t at = model_row(m, items[r]);
        n_places++;
        if (place[at]) {
            if (!once) multiplicity[place[at] - 1]++;
            continue;
        }
        row[n] = at;
        item[n] = items[r];
        multiplicity[n] = 1;
        place[at] = (uint32_t)++n;
    }
    *out = (struct positives){n, once ? n : n_places, row, item, multiplicity};
    return true;
}

bool model_positives(struct model *m, const struct batch *b, const struct tensor *table, bool once,
                     struct positives *out) {
    return model_places(m, b->positive, b->n_targets, table, once, out);
}

double step_calibration(struct model *m, const struct batch *b, const struct objective *o, struct tensor *table, size_t part,
                        size_t n_parts) {
    struct positives p;
    if (o->calibration == CALIBRATION_NONE || o->alpha == 0 || !model_positives(m, b, table, o->unique_items, &p))
        return 0;
    return calibration_loss(&m->tape, table, &(struct calibration){.form = o->calibration, .weight = o->alpha,
                                                                   .gamma = o->gamma, .t = o->t, .n_distinct = p.n,
                                                                   .row = p.row, .item = p.item,
                                                                   .multiplicity = p.multiplicity,
                                                                   .cooccurrence = o->cooccurrence,
                                                                   .part = part, .n_parts = n_parts});
}

/* Whether the targets' states are all states. */
static bool reads_every_position(const struct batch *b) {
    if (b->n_targets != b->offsets[b->n_sequences]) return false;
    for (size_t r = 0; r < b->n_targets; r++)
        if (b->position[r] != r) return false;
    return true;
}

struct tensor *step_states(struct model *m, const struct batch *b, struct tensor *table, struct tensor **targets) {
    const uint32_t *index = model_rows(m, b->items, b->offsets[b->n_sequences]);
    struct tensor *h = index ? model_backbone(m, table, index, b->offsets, b->n_sequences) : NULL;
    *targets = reads_every_position(b) || !h ? h : op_gather(&m->tape, h, NULL, b->position, b->n_targets);
    return h;
}

genair_code step_check(const struct model *m, const struct step_losses *losses, genair_status *st) {
    if (isfinite(losses->total)) return GENAIR_OK;
    return fail(st, GENAIR_INTERNAL, "step %llu: the loss is not finite (ranking %g, %s %g); use a smaller --lr%s or --dropout",
                (unsigned long long)m->tape.step, losses->rank, m->method->term, losses->calibration,
                m->method->weight_options);
}

genair_code model_check_moments(const struct model *m, genair_status *st) {
    const struct parameter *p = parameters_overflown(m->parameters);
    if (!p) return GENAIR_OK;
    return fail(st, GENAIR_INTERNAL, "step %llu: squares of gradients of %s have left float32's range, so that it learns no more; "
                "use a smaller --lr%s or --dropout", (unsigned long long)m->tape.step, p->name, m->method->weight_options);
}

genair_code model_step(struct model *m, const struct batch *b, const struct objective *o,
                       struct step_losses *losses, genair_status *st) {
    if (m->parts) return parts_step(m, b, o, losses, st);
    struct tape *t = &m->tape;
    tape_reset(t, true, parameters_step(m->parameters) + 1);
    parameters_begin_step(m->parameters);
    struct distinct items = {0};
    struct item_list extra = {0};
    if (m->method->begin_step) extra = m->method->begin_step(m, b);
    if (tape_failed(t) || !step_items(m, b, o->loss == LOSS_CE, &extra, &items)) return fail_memory(st);
    struct tensor *source = source_rows(m, items.ids, items.n, true);
    struct tensor *table = item_vectors_of(m, source, items.ids);
    struct tensor *u, *h = step_states(m, b, table, &u);
    const bool own = m->method->ranks && m->method->ranks(m);
    *losses = (struct step_losses){.rank = own ? 0 : step_rank_loss(m, b, 0, o, u, table),
                                    .calibration = step_calibration(m, b, o, table, 0, 0)};
    losses->total = losses->rank + o->alpha * losses->calibration;
    if (m->method->loss && u) m->method->loss(m, &(struct method_step){b, table, h, u, extra}, losses);
    step_forget(m, &items);
    tape_backward(t);
    if (tape_failed(t)) return fail_memory(st);
    const genair_code code = step_check(m, losses, st);
    if (code != GENAIR_OK) return code;
    if (m->table) {
        tensor_open_gradient(source);
        parameters_touch(m->table, items.ids, items.n, source->gradient);
    }
    return GENAIR_OK;
}

genair_code model_update(struct model *m, genair_status *st) {
    return m->parts ? parts_update(m, st) : parameters_adam(m->parameters, st);
}

genair_code model_begin_epoch(struct model *m, genair_status *st) {
    return m->method->begin_epoch ? m->method->begin_epoch(m, st) : GENAIR_OK;
}

/* ---- item vectors ---- */

void model_catch_up(struct model *m) {
    if (m->table) parameters_catch_up(m->parameters, m->table, NULL, 0);
}

genair_code step_fetch_rows(struct model *m, const uint32_t *ids, size_t n, struct tensor **out, genair_status *st) {
    struct owned_rows o;
    *out = tape_tensor(&m->tape, n, m->table->cols, false);
    if (!*out || !owned_rows_sort(&m->tape, m->config.group, ids, n, &o)) return fail_memory(st);
    return owned_rows_gather(&m->tape, m->config.group, &o, m->table->value, (*out)->value, m->table->cols, st);
}

static genair_code refresh_block(struct model *m, size_t first, size_t n, genair_status *st) {
    const uint32_t *ids = m->identity + first;
    struct tensor *source = NULL;
    tape_reset(&m->tape, false, 0);
    parameters_begin_step(m->parameters);
    if (m->table && m->config.group) {
        const genair_code code = step_fetch_rows(m, ids, n, &source, st);
        if (code != GENAIR_OK) return code;
    } else {
        source = source_rows(m, ids, n, false);
    }
    const struct tensor *e = item_vectors_of(m, source, ids);
    if (!e) return fail_memory(st);
    memcpy(m->item_vectors + (first + 1) * m->config.hidden, e->value, n * m->config.hidden * sizeof *e->value);
    return GENAIR_OK;
}

genair_code model_refresh_items(struct model *m, genair_status *st) {
    genair_code code = GENAIR_OK;
    model_catch_up(m);
    for (size_t first = 0; code == GENAIR_OK && !m->shares_table && first < m->config.n_items; first += ITEMS_PER_BLOCK)
        code = refresh_block(m, first, min_size(ITEMS_PER_BLOCK, m->config.n_items - first), st);
    return code;
}

double backbone_flops(const struct model *m, size_t n) {
    const double w = (double)m->width, length = (double)n;
    if (m->config.backbone == GRU4REC) return length * 12 * w * w;
    const double pairs = m->config.causal ? length * (length + 1) / 2 : length * length;
    return (double)m->config.n_layers * (length * 12 * w * w + 4 * pairs * w);
}

double model_inference_flops(const struct model *m, size_t n) {
    const double scoring = 2 * (double)m->config.hidden * (double)m->config.n_items;
    n = min_size(n + (m->config.backbone == BERT4REC), m->config.n_positions - 1); /* its mask is read too */
    return (m->method->flops ? m->method->flops(m, n) : backbone_flops(m, n)) + scoring;
}
