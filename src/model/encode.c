/* SPDX-License-Identifier: Apache-2.0 */
/* A model that is asked: user vectors of histories. */
#include "model/model.h"

#include "base/size.h"
#include "model/method.h"
#include "model/step.h"
#include "tensor/ops.h"

#include <string.h>

enum { POSITIONS_PER_ENCODING = 4096 };

/* Packs the latest items of each history, for BERT4Rec with the mask behind them. */
static void pack(const struct model *m, const struct histories *h, uint32_t *offsets, uint32_t *items) {
    const bool masked = m->config.backbone == BERT4REC;
    const size_t room = m->config.n_positions - 1 - masked;
    uint32_t at = 0;
    for (size_t b = 0; b < h->n; b++) {
        const uint64_t end = h->offsets[b + 1], n = end - h->offsets[b];
        offsets[b] = at;
        for (uint64_t i = end - (n < room ? n : room); i < end; i++) items[at++] = h->items[i];
        if (masked) items[at++] = MASK_ROW;
    }
    offsets[h->n] = at;
}

struct tensor *model_last_states(struct model *m, struct tensor *table, const uint32_t *index, const uint32_t *offsets,
                                 size_t n_sequences) {
    uint32_t *last = tape_array(&m->tape, n_sequences + 1, sizeof *last);
    size_t n = 0;
    if (!last) return NULL;
    for (size_t b = 0; b < n_sequences; b++)
        if (offsets[b] < offsets[b + 1]) last[n++] = offsets[b + 1] - 1;
    /* Attention's last block is finished for these positions alone. */
    const bool some = m->config.backbone != GRU4REC && m->config.n_layers > 0;
    m->read = some ? last : NULL;
    m->n_read = n;
    struct tensor *states = model_backbone(m, table, index, offsets, n_sequences);
    m->read = NULL;
    return some || !states ? states : op_gather(&m->tape, states, NULL, last, n);
}

/* The item vectors that packed items name, which become their rows. Of a shared-out table those alone, from who has them. */
static genair_code vectors_of(struct model *m, uint32_t *items, size_t n, struct tensor **out, genair_status *st) {
    if (!m->shares_table || !m->config.group) {
        *out = tape_view(&m->tape, m->config.n_items + 1, m->config.hidden, m->item_vectors, NULL);
        return *out ? GENAIR_OK : fail_memory(st);
    }
    struct distinct d = {.ids = tape_array(&m->tape, n + 1, sizeof *d.ids)};
    if (!d.ids) return fail_memory(st);
    step_collect(m, &d, items, n);
    for (size_t i = 0; i < n; i++) items[i] = model_row(m, items[i]);
    step_forget(m, &d);
    return step_fetch_rows(m, d.ids, d.n, out, st);
}

/* A tape that reads histories packed into offsets and items: the states of all positions, or of the last ones. */
static genair_code read_packed(struct model *m, const struct histories *h, bool last, uint32_t **offsets, struct tensor **states,
                               genair_status *st) {
    struct tape *t = &m->tape;
    tape_reset(t, false, 0);
    parameters_begin_step(m->parameters);
    *offsets = tape_array(t, h->n + 1, sizeof **offsets);
    uint32_t *items = tape_array(t, h->offsets[h->n] - h->offsets[0] + h->n + 1, sizeof *items);
    if (!*offsets || !items) return fail_memory(st);
    pack(m, h, *offsets, items);
    struct tensor *table;
    const genair_code code = vectors_of(m, items, (*offsets)[h->n], &table, st);
    if (code != GENAIR_OK) return code;
    *states = last ? model_last_states(m, table, items, *offsets, h->n) : model_backbone(m, table, items, *offsets, h->n);
    return *states ? GENAIR_OK : fail_memory(st);
}

genair_code model_states(struct model *m, const struct histories *h, float *out, genair_status *st) {
    const size_t d = m->config.hidden;
    uint32_t *offsets;
    struct tensor *states;
    const genair_code code = read_packed(m, h, true, &offsets, &states, st);
    if (code != GENAIR_OK) return code;
    size_t at = 0; /* among the histories that are not empty */
    for (size_t b = 0; b < h->n; b++) {
        if (offsets[b] == offsets[b + 1])
            memset(out + b * d, 0, d * sizeof *out);
        else
            memcpy(out + b * d, states->value + at++ * d, d * sizeof *out);
    }
    return GENAIR_OK;
}

genair_code model_prefix_states(struct model *m, const struct histories *h, float *out, genair_status *st) {
    uint32_t *offsets;
    struct tensor *states;
    const genair_code code = read_packed(m, h, false, &offsets, &states, st);
    if (code == GENAIR_OK) memcpy(out, states->value, states->rows * states->cols * sizeof *out);
    return code;
}

genair_code model_encode(struct model *m, const struct histories *h, float *out, genair_status *st) {
    const genair_code code = model_states(m, h, out, st);
    return code == GENAIR_OK && m->method->users ? m->method->users(m, h, out, st) : code;
}

/* A few thousand positions at once: their states stay in the caches, however long the histories are. */
static genair_code encode(void *model, const struct histories *h, float *out, genair_status *st) {
    struct model *m = model;
    genair_code code = GENAIR_OK;
    for (size_t b = 0, n; code == GENAIR_OK && b < h->n; b += n) {
        size_t positions = 0;
        for (n = 0; b + n < h->n && (n == 0 || positions < POSITIONS_PER_ENCODING); n++)
            positions += min_size(h->offsets[b + n + 1] - h->offsets[b + n], m->config.n_positions);
        const struct histories some = {n, h->offsets + b, h->items, h->known ? h->known + b : NULL};
        code = model_encode(m, &some, out + b * m->config.hidden, st);
    }
    return code;
}

struct scorer model_scorer(struct model *m) {
    return (struct scorer){.n_items = (uint32_t)m->config.n_items, .width = m->config.hidden,
                           .item_vectors = m->item_vectors, .model = m, .encode = encode,
                           .file = m->shares_table && m->table->file.bytes ? &m->table->file : NULL,
                           .group = m->shares_table ? m->config.group : NULL};
}
