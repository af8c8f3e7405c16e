/* SPDX-License-Identifier: Apache-2.0 */
/* The similar users of a batch's users are read with the step's parameters and dropout, each once, on a tape that records
 * nothing: a few thousand positions at a time, so that memory does not grow with their number. */
#include "model/llm_esr.h"

#include "base/alloc.h"
#include "base/size.h"
#include "tensor/ops.h"

#include <string.h>

enum { POSITIONS_PER_PASS = 4096 };

static const json_t *options_of(const struct model *m) {
    return m->config.inputs->options;
}

genair_code esr_teach(struct model *m, genair_status *st) {
    struct esr *s = m->state;
    const struct method_inputs *in = m->config.inputs;
    if (!in->similar || !m->method->similar_users(in->options)) return GENAIR_OK;
    s->place = mem_zeros(in->data->n_users, sizeof *s->place);
    if (!s->place || !tape_init(&s->teaching, m->parallel, m->kernels, m->seed)) return fail_memory(st);
    s->teaching.detached = true;
    return GENAIR_OK;
}

void esr_free(struct esr *s) {
    if (!s) return;
    if (s->teaching.arena) tape_deinit(&s->teaching);
    mem_free(s->place);
    mem_free(s);
}

/* ---- who learns from whom ---- */

/* What is read of a similar user: as of a user of the batch, all of the training part but its last item, which BERT4Rec
 * hides. NULL when that is nothing. */
static const uint32_t *history_of(const struct model *m, uint32_t user, uint32_t *n) {
    uint32_t all;
    const uint32_t *items = dataset_training(m->config.inputs->data, user, &all);
    if (all < 2) return NULL;
    const uint32_t room = (uint32_t)m->config.n_positions - 1 - (m->config.backbone == BERT4REC);
    *n = all - 1 < room ? all - 1 : room;
    return items + (all - 1 - *n);
}

/* The user's similar users, numbered by first appearance in the batch; the distinct ones go to list. */
static void number_teachers(struct model *m, uint32_t user, size_t most, uint32_t *list, size_t *n_entries) {
    struct esr *s = m->state;
    const int32_t *similar = m->config.inputs->similar + (size_t)user * SIMILAR_USERS;
    uint32_t n;
    for (size_t i = 0, taken = 0; i < SIMILAR_USERS && taken < most && similar[i] >= 0; i++) {
        const uint32_t other = (uint32_t)similar[i];
        if (!history_of(m, other, &n)) continue;
        if (!s->place[other]) {
            list[s->step.n_teachers++] = other;
            s->place[other] = (uint32_t)s->step.n_teachers;
        }
        s->step.teacher[(*n_entries)++] = s->place[other] - 1;
        taken++;
    }
}

static bool learns(const struct batch *b, size_t sequence) {
    return (!b->last_hidden || b->last_hidden[sequence]) && b->offsets[sequence] < b->offsets[sequence + 1];
}

static void choose(struct model *m, const struct batch *b, size_t most, uint32_t *list) {
    struct esr *s = m->state;
    size_t n_entries = 0;
    s->step.start[0] = 0;
    for (size_t i = 0; i < b->n_sequences; i++) {
        if (!learns(b, i)) continue;
        number_teachers(m, b->user[i], most, list, &n_entries);
        if (n_entries == s->step.start[s->step.n]) continue;
        s->step.last[s->step.n++] = b->offsets[i + 1] - 1;
        s->step.start[s->step.n] = (uint32_t)n_entries;
    }
    for (size_t i = 0; i < s->step.n_teachers; i++) s->place[list[i]] = 0;
}

static void pack(struct model *m, const uint32_t *list) {
    struct esr *s = m->state;
    uint32_t at = 0;
    s->step.offsets[0] = 0;
    for (size_t i = 0; i < s->step.n_teachers; i++) {
        uint32_t n = 0;
        const uint32_t *history = history_of(m, list[i], &n);
        memcpy(s->step.items + at, history, n * sizeof *history);
        at += n;
        if (m->config.backbone == BERT4REC) s->step.items[at++] = MASK_ROW;
        s->step.offsets[i + 1] = at;
    }
}

struct item_list esr_begin_step(struct model *m, const struct batch *b) {
    struct esr *s = m->state;
    struct tape *t = &m->tape;
    memset(&s->step, 0, sizeof s->step);
    if (!s->teaching.arena) return (struct item_list){0};
    const size_t most = min_size(method_count(options_of(m), "esr-neighbours"), SIMILAR_USERS), room = b->n_sequences * most;
    uint32_t *list = tape_array(t, room, sizeof *list);
    s->step.last = tape_array(t, b->n_sequences, sizeof *s->step.last);
    s->step.start = tape_array(t, b->n_sequences + 1, sizeof *s->step.start);
    s->step.teacher = tape_array(t, room, sizeof *s->step.teacher);
    if (tape_failed(t)) return (struct item_list){0};
    choose(m, b, most, list);
    size_t total = 0;
    for (size_t i = 0; i < s->step.n_teachers; i++) {
        uint32_t n = 0;
        (void)history_of(m, list[i], &n);
        total += n + 1;
    }
    s->step.offsets = tape_array(t, s->step.n_teachers + 1, sizeof *s->step.offsets);
    s->step.items = tape_array(t, total, sizeof *s->step.items);
    if (tape_failed(t)) return (struct item_list){0};
    pack(m, list);
    return (struct item_list){s->step.items, s->step.offsets[s->step.n_teachers]};
}

/* ---- their vectors ---- */

/* Vectors of the similar users first … first + n - 1, on the teaching tape, which is the model's for the time. */
static bool read_some(struct model *m, struct tensor *table, size_t first, size_t n, float *out) {
    const struct esr *s = m->state;
    const uint32_t begin = s->step.offsets[first], n_items = s->step.offsets[first + n] - begin;
    uint32_t *offsets = tape_array(&m->tape, n + 1, sizeof *offsets), *index = tape_array(&m->tape, n_items, sizeof *index);
    if (!offsets || !index) return false;
    for (size_t i = 0; i <= n; i++) offsets[i] = s->step.offsets[first + i] - begin;
    for (size_t i = 0; i < n_items; i++) index[i] = model_row(m, s->step.items[begin + i]);
    const struct tensor *u = model_last_states(m, table, index, offsets, n);
    if (u) memcpy(out, u->value, n * u->cols * sizeof *out);
    return u != NULL;
}

/* Of all of them, [n_teachers, d]; NULL when memory is out. Dropout goes on with the numbers of the step's own tape. */
static float *read_teachers(struct model *m, struct tensor *table) {
    struct esr *s = m->state;
    const size_t d = m->config.hidden;
    float *out = tape_array(&m->tape, s->step.n_teachers * d, sizeof *out);
    bool sound = out != NULL;
    struct tape own = m->tape;
    m->tape = s->teaching;
    m->tape.flops = own.flops;
    for (size_t first = 0, n; sound && first < s->step.n_teachers; first += n) {
        for (n = 1; first + n < s->step.n_teachers &&
                    s->step.offsets[first + n + 1] - s->step.offsets[first] <= POSITIONS_PER_PASS;)
            n++;
        tape_reset(&m->tape, true, own.step);
        m->tape.n_dropouts = own.n_dropouts;
        sound = read_some(m, table, first, n, out + first * d);
        own.n_dropouts = m->tape.n_dropouts;
    }
    own.flops = m->tape.flops;
    s->teaching = m->tape;
    m->tape = own;
    if (!sound) (void)tape_array(&m->tape, SIZE_MAX, 1); /* the step fails as its own tape would */
    return sound ? out : NULL;
}

/* What each of the step's sequences is drawn to, constants [n, d]. */
static struct tensor *targets(struct model *m, struct tensor *table) {
    const struct esr *s = m->state;
    const size_t d = m->config.hidden;
    const float *u = read_teachers(m, table);
    struct tensor *mean = u ? tape_tensor(&m->tape, s->step.n, d, false) : NULL;
    if (!mean) return NULL;
    memset(mean->value, 0, s->step.n * d * sizeof *mean->value);
    for (size_t i = 0; i < s->step.n; i++) {
        const float share = 1 / (float)(s->step.start[i + 1] - s->step.start[i]);
        for (uint32_t e = s->step.start[i]; e < s->step.start[i + 1]; e++)
            m->kernels->axpy(share, u + s->step.teacher[e] * d, mean->value + i * d, d);
    }
    return mean;
}

/* ---- losses ---- */

static struct contrast soft_labels(struct tape *t, double weight, const uint32_t *multiplicity) {
    float *tau = tape_array(t, 1, sizeof *tau);
    if (tau) *tau = 1;
    return (struct contrast){.form = CONTRAST_SOFT, .weight = weight, .tau = tape_view(t, 1, 1, tau, NULL),
                             .multiplicity = multiplicity};
}

static void distill(struct model *m, const struct method_step *step, struct step_losses *losses) {
    const struct esr *s = m->state;
    struct tape *t = &m->tape;
    const double alpha = method_real(options_of(m), "esr-alpha");
    struct tensor *target = targets(m, step->table), *u = op_gather(t, step->states, NULL, s->step.last, s->step.n);
    float *weight = tape_array(t, s->step.n, sizeof *weight);
    if (!target || !u || !weight) return;
    double value;
    if (strcmp(method_text(options_of(m), "esr-distill"), "soft") == 0) {
        const struct contrast c = soft_labels(t, alpha, NULL);
        value = contrastive_loss(t, u, target, &c);
    } else {
        for (size_t i = 0; i < s->step.n; i++) weight[i] = (float)(alpha / (double)(s->step.n * u->cols));
        value = square_loss(t, u, target, weight) / alpha;
    }
    losses->calibration = value;
    losses->total += alpha * value;
}

/* Both vectors of the items in the batch's histories. */
static void regularise(struct model *m, const struct method_step *step, double weight, struct step_losses *losses) {
    struct tape *t = &m->tape;
    const struct batch *b = step->batch;
    struct positives p;
    if (!model_places(m, b->items, b->offsets[b->n_sequences], step->table, false, &p)) return;
    struct tensor *e = op_gather(t, step->table, NULL, p.row, p.n);
    const struct contrast c = soft_labels(t, weight, p.multiplicity);
    losses->total += weight * contrastive_loss(t, op_columns(t, e, m->width, m->width), op_columns(t, e, 0, m->width), &c);
}

void esr_loss(struct model *m, const struct method_step *step, struct step_losses *losses) {
    const struct esr *s = m->state;
    const double weight = method_real(options_of(m), "esr-item-reg");
    if (s->step.n) distill(m, step, losses);
    if (weight > 0) regularise(m, step, weight, losses);
}
