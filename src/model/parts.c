/* SPDX-License-Identifier: Apache-2.0 */
#include "model/parts.h"

#include "base/alloc.h"
#include "base/size.h"
#include "model/owned_rows.h"
#include "model/step.h"

#include <string.h>

enum { DROPOUTS_A_PART = 1024, MOST_PARTS = 64 }; /* their product is what a step has numbers for */

struct parts {
    struct group *group;
    size_t n, first, end; /* in all; ours */
    size_t *share;        /* [processes + 1] where each one's dense parameters begin */
    float *gradient;      /* [dense] of the step, ours alone are sums; of the tape's memory */
    bool wish, stopped;
};

void parts_free(struct parts *p) {
    if (!p) return;
    mem_free(p->share);
    mem_free(p);
}

bool parts_suit(const struct method *w) {
    return !(w->begin_step || w->forward || w->loss || w->ranks || w->begin_epoch || w->prelude);
}

void parts_wish_to_stop(struct parts *p, bool wish) {
    p->wish = wish;
}

bool parts_stopped(const struct parts *p) {
    return p->stopped;
}

static genair_code check(const struct model *m, size_t n, size_t processes, genair_status *st) {
    if (!parts_suit(m->method))
        return fail(st, GENAIR_USAGE, "method '%s' needs the whole batch at once: it trains in one process, with --parts 1",
                    m->method->name);
    if (n > MOST_PARTS || (n & (n - 1)))
        return fail(st, GENAIR_USAGE, "--parts %zu: allowed is a power of two up to %d", n, MOST_PARTS);
    if (processes > n || n % processes)
        return fail(st, GENAIR_USAGE,
                    "%zu processes cannot share out %zu parts of a batch: give --parts %s (what a run learns depends on the "
                    "parts, not on the processes)", processes, n,
                    processes & (processes - 1) ? "and processes that are powers of two" : "as many, or a multiple of it");
    return GENAIR_OK;
}

genair_code parts_begin(struct model *m, size_t n, genair_status *st) {
    struct group *group = m->config.group;
    const size_t processes = group_size(group);
    const genair_code code = check(m, n, processes, st);
    if (code != GENAIR_OK) return code;
    struct parts *p = mem_zeros(1, sizeof *p);
    if (!p) return fail_memory(st);
    p->group = group;
    p->n = n;
    p->first = n / processes * group_rank(group);
    p->end = p->first + n / processes;
    p->share = mem_array(processes + 1, sizeof *p->share);
    m->parts = p;
    if (!p->share) return fail_memory(st);
    parameters_divide(m->parameters, processes, p->share);
    parameters_sum_parts(m->parameters);
    return GENAIR_OK;
}

/* Where part i of n things begins. */
static size_t part_of(size_t n, size_t i, const struct parts *p) {
    return n * i / p->n;
}

/* ---- sums ---- */

/* arrays[0] becomes the sum of n arrays, as a balanced tree. */
static void add_tree(const struct model *m, float **arrays, size_t n, size_t length) {
    for (size_t width = 1; width < n; width *= 2)
        for (size_t i = 0; i + width < n; i += 2 * width)
            m->kernels->add(arrays[i], arrays[i + width], arrays[i], length);
}

/* The sum over processes of what each has in data, for the places that are ours. */
static genair_code add_processes(struct model *m, float *data, const size_t *start, genair_status *st) {
    const struct parts *p = m->parts;
    const size_t n = group_size(p->group), rank = group_rank(p->group), length = start[rank + 1] - start[rank];
    if (n == 1) return GENAIR_OK;
    float **arrays = tape_array(&m->tape, n, sizeof *arrays);
    float *received = tape_array(&m->tape, n * length, sizeof *received);
    if (!arrays || !received) return fail_memory(st);
    for (size_t r = 0; r < n; r++) arrays[r] = r == rank ? data + start[rank] : received + r * length;
    const genair_code code = group_exchange(p->group, data, start, arrays, st);
    if (code != GENAIR_OK) return code;
    add_tree(m, arrays, n, length);
    if (rank) memcpy(data + start[rank], arrays[0], length * sizeof *data);
    return GENAIR_OK;
}

/* ---- one step ---- */

struct run {
    struct model *m;
    const struct batch *b;
    const struct objective *o;
    struct distinct items;
    size_t width;              /* of item vectors */
    struct owned_rows owned;   /* of the table's rows among the items */
    float *source;             /* [items, columns of the table] */
    float *vectors;            /* [items, width] */
    size_t *rows;              /* [processes + 1] where the rows that each one projects begin, in values of vectors */
    struct projection {
        struct tensor *source, *vectors;
        struct tape_node *recorded;
    } *projection;             /* [own parts] */
    float **to_items;          /* [own parts][items, width] gradients */
    float **to_parameters;     /* [own parts][dense] */
    double *rank, *calibration; /* [own parts] */
};

static size_t n_own(const struct parts *p) {
    return p->end - p->first;
}

static bool is_projected(const struct model *m) {
    return m->method->items != NULL;
}

static float *zeros(struct tape *t, size_t n) {
    float *x = tape_array(t, n, sizeof *x);
    if (x) memset(x, 0, n * sizeof *x);
    return x;
}

static genair_code prepare(struct run *r, genair_status *st) {
    struct model *m = r->m;
    struct tape *t = &m->tape;
    const struct parts *p = m->parts;
    const size_t n = n_own(p), processes = group_size(p->group), dense = parameters_dense(m->parameters);
    const struct item_list none = {0};
    if (!step_items(m, r->b, r->o->loss == LOSS_CE, &none, &r->items)) return fail_memory(st);
    r->width = m->width;
    r->rows = tape_array(t, processes + 1, sizeof *r->rows);
    r->projection = tape_array(t, n, sizeof *r->projection);
    r->to_items = tape_array(t, n, sizeof *r->to_items);
    r->to_parameters = tape_array(t, n, sizeof *r->to_parameters);
    r->rank = tape_array(t, n, sizeof *r->rank);
    r->calibration = tape_array(t, n, sizeof *r->calibration);
    r->vectors = tape_array(t, r->items.n * r->width, sizeof *r->vectors);
    if (tape_failed(t)) return fail_memory(st);
    for (size_t i = 0; i < n; i++) {
        r->to_items[i] = zeros(t, r->items.n * r->width);
        r->to_parameters[i] = tape_array(t, dense, sizeof **r->to_parameters);
    }
    for (size_t q = 0; q <= processes; q++) r->rows[q] = part_of(r->items.n, q * n, p) * r->width;
    return tape_failed(t) ? fail_memory(st) : GENAIR_OK;
}

/* The rows of a table, from their owners. */
static genair_code fetch_rows(struct run *r, genair_status *st) {
    struct model *m = r->m;
    const size_t cols = m->table->cols;
    r->source = is_projected(m) ? tape_array(&m->tape, r->items.n * cols, sizeof *r->source) : r->vectors;
    if (!r->source || !owned_rows_sort(&m->tape, m->parts->group, r->items.ids, r->items.n, &r->owned)) return fail_memory(st);
    parameters_catch_up(m->parameters, m->table, r->owned.place, r->owned.n);
    return owned_rows_gather(&m->tape, m->parts->group, &r->owned, m->table->value, r->source, cols, st);
}

/* Item vectors of our parts' rows, recorded, then everybody's. */
static genair_code project(struct run *r, genair_status *st) {
    struct model *m = r->m;
    struct tape *t = &m->tape;
    for (size_t i = 0; i < n_own(m->parts); i++) {
        struct projection *x = &r->projection[i];
        const size_t first = part_of(r->items.n, m->parts->first + i, m->parts);
        const size_t n = part_of(r->items.n, m->parts->first + i + 1, m->parts) - first;
        const uint32_t *ids = r->items.ids + first;
        parameters_begin_step(m->parameters);
        if (m->table)
            x->source = tape_view(t, n, m->table->cols, r->source + first * m->table->cols, zeros(t, n * m->table->cols));
        else
            x->source = model_constants(m, m->fused, m->config.fused_width, 1, ids, n);
        if (x->source && m->table) x->source->written = true; /* as zeros */
        x->vectors = m->method->items(m, x->source, ids);
        x->recorded = tape_take(t);
        if (!x->vectors) return fail_memory(st);
        memcpy(r->vectors + first * r->width, x->vectors->value, n * r->width * sizeof *r->vectors);
    }
    return group_gather(m->parts->group, r->vectors, r->rows, st);
}

/* The part's sequences and targets, whose places count from its first position. */
static bool cut(struct run *r, size_t part, struct batch *out) {
    const struct batch *b = r->b;
    struct tape *t = &r->m->tape;
    const size_t q = part_of(b->n_sequences, part, r->m->parts), end = part_of(b->n_sequences, part + 1, r->m->parts);
    size_t target = 0, n_targets = 0;
    while (target < b->n_targets && b->position[target] < b->offsets[q]) target++;
    while (target + n_targets < b->n_targets && b->position[target + n_targets] < b->offsets[end]) n_targets++;
    uint32_t *offsets = tape_array(t, end - q + 1, sizeof *offsets);
    uint32_t *position = tape_array(t, n_targets, sizeof *position);
    if (!offsets || !position) return false;
    for (size_t i = q; i <= end; i++) offsets[i - q] = b->offsets[i] - b->offsets[q];
    for (size_t i = 0; i < n_targets; i++) position[i] = b->position[target + i] - b->offsets[q];
    *out = *b;
    out->n_sequences = end - q;
    out->offsets = offsets;
    out->items = b->items + b->offsets[q];
    out->n_targets = n_targets;
    out->position = position;
    out->positive = b->positive + target;
    out->negatives = b->negatives ? b->negatives + target * b->n_negatives : NULL;
    out->user = b->user ? b->user + q : NULL;
    out->last_hidden = b->last_hidden ? b->last_hidden + q : NULL;
    return true;
}

/* Losses of our part i; gradients of the item vectors and of the parameters behind them. */
static genair_code learn_part(struct run *r, size_t i, genair_status *st) {
    struct model *m = r->m;
    struct tape *t = &m->tape;
    const size_t part = m->parts->first + i;
    struct batch b;
    struct tensor *table = tape_view(t, r->items.n, r->width, r->vectors, r->to_items[i]), *u = NULL;
    if (!table || !cut(r, part, &b)) return fail_memory(st);
    table->written = true; /* as zeros */
    parameters_begin_step(m->parameters);
    t->n_dropouts = (uint32_t)(part * DROPOUTS_A_PART);
    r->rank[i] = 0;
    if (b.n_targets) {
        if (!step_states(m, &b, table, &u)) return fail_memory(st);
        r->rank[i] = step_rank_loss(m, &b, r->b->n_targets, r->o, u, table);
    }
    r->calibration[i] = step_calibration(m, r->b, r->o, table, part, m->parts->n);
    tape_backward_of(t, tape_take(t));
    return tape_failed(t) ? fail_memory(st) : GENAIR_OK;
}

/* From the gradients of our rows of item vectors to the projector's and the table's. */
static void learn_projection(struct run *r, size_t i, const float *gradient) {
    struct projection *x = &r->projection[i];
    const size_t first = part_of(r->items.n, r->m->parts->first + i, r->m->parts) * r->width;
    memcpy(x->vectors->gradient, gradient + first, x->vectors->rows * r->width * sizeof *gradient);
    x->vectors->written = true;
    tape_backward_of(&r->m->tape, x->recorded);
}

/* The gradients of our rows of the table, for Adam. */
static genair_code touch(struct run *r, const float *gradient, genair_status *st) {
    struct model *m = r->m;
    const struct parts *p = m->parts;
    const size_t cols = m->table->cols, rank = group_rank(p->group), n = r->items.n;
    float *sorted = tape_array(&m->tape, n * cols, sizeof *sorted);
    if (!sorted) return fail_memory(st);
    owned_rows_pack(&r->owned, gradient, sorted, cols);
    size_t *start = owned_rows_start(&m->tape, p->group, &r->owned, cols);
    if (!start) return fail_memory(st);
    /* what a projector gave is whole already */
    const genair_code code = is_projected(m) ? GENAIR_OK : add_processes(m, sorted, start, st);
    parameters_touch(m->table, r->owned.place, r->owned.n, sorted + start[rank]);
    return code;
}

/* Gradients of all rows of a projected table, of which each process has made some. */
static genair_code collect_source(struct run *r, float **out, genair_status *st) {
    struct model *m = r->m;
    const struct parts *p = m->parts;
    const size_t cols = m->table->cols, processes = group_size(p->group);
    float *all = tape_array(&m->tape, r->items.n * cols, sizeof *all);
    size_t *start = tape_array(&m->tape, processes + 1, sizeof *start);
    if (!all || !start) return fail_memory(st);
    for (size_t q = 0; q <= processes; q++) start[q] = r->rows[q] / r->width * cols;
    for (size_t i = 0; i < n_own(p); i++) {
        const struct tensor *x = r->projection[i].source;
        memcpy(all + part_of(r->items.n, p->first + i, p) * cols, x->gradient, x->rows * cols * sizeof *all);
    }
    *out = all;
    return group_gather(p->group, all, start, st);
}

/* The item vectors' gradients, summed, go on to what they were made of. */
static genair_code learn_items(struct run *r, genair_status *st) {
    struct model *m = r->m;
    const size_t n = n_own(m->parts);
    float *gradient = r->to_items[0];
    add_tree(m, r->to_items, n, r->items.n * r->width);
    if (!is_projected(m)) return touch(r, gradient, st);
    genair_code code = add_processes(m, gradient, r->rows, st);
    for (size_t i = 0; code == GENAIR_OK && i < n; i++) {
        learn_projection(r, i, gradient);
        parameters_take(m->parameters, r->to_parameters[i], n > 1);
    }
    if (code == GENAIR_OK && m->table) code = collect_source(r, &gradient, st);
    return code == GENAIR_OK && m->table ? touch(r, gradient, st) : code;
}

static double add_doubles(double *x, size_t n) {
    for (size_t width = 1; width < n; width *= 2)
        for (size_t i = 0; i + width < n; i += 2 * width) x[i] += x[i + width];
    return x[0];
}

static genair_code add_losses(struct run *r, struct step_losses *losses, genair_status *st) {
    struct parts *p = r->m->parts;
    double sums[] = {add_doubles(r->rank, n_own(p)), add_doubles(r->calibration, n_own(p)), p->wish};
    const genair_code code = group_sum(p->group, sums, COUNT(sums), st);
    p->stopped = sums[2] > 0;
    *losses = (struct step_losses){sums[0] + r->o->alpha * sums[1], sums[0], sums[1]};
    return code == GENAIR_OK ? step_check(r->m, losses, st) : code;
}

static genair_code run(struct run *r, struct step_losses *losses, genair_status *st) {
    struct model *m = r->m;
    struct parts *p = m->parts;
    const size_t n = n_own(p), dense = parameters_dense(m->parameters);
    /* with one part of ours both kinds of gradients add up where they are */
    const bool apart = n > 1 || !is_projected(m);
    genair_code code = m->table ? fetch_rows(r, st) : GENAIR_OK;
    if (code == GENAIR_OK && is_projected(m)) code = project(r, st);
    for (size_t i = 0; code == GENAIR_OK && i < n; i++) {
        code = learn_part(r, i, st);
        if (apart) parameters_take(m->parameters, r->to_parameters[i], false);
    }
    if (code == GENAIR_OK) code = learn_items(r, st);
    if (code != GENAIR_OK || tape_failed(&m->tape)) return code == GENAIR_OK ? fail_memory(st) : code;
    add_tree(m, r->to_parameters, n, dense);
    p->gradient = r->to_parameters[0];
    code = add_processes(m, p->gradient, p->share, st);
    return code == GENAIR_OK ? add_losses(r, losses, st) : code;
}

genair_code parts_step(struct model *m, const struct batch *b, const struct objective *o, struct step_losses *losses,
                       genair_status *st) {
    struct run r = {.m = m, .b = b, .o = o};
    tape_reset(&m->tape, true, parameters_step(m->parameters) + 1);
    parameters_begin_step(m->parameters);
    genair_code code = prepare(&r, st);
    if (code == GENAIR_OK) code = run(&r, losses, st);
    step_forget(m, &r.items);
    return code;
}

/* ---- Adam ---- */

/* An array of the dense parameters, from its owners to all. */
static genair_code collect_dense(struct model *m, enum parameter_array which, genair_status *st) {
    const struct parts *p = m->parts;
    const size_t rank = group_rank(p->group), n = parameters_dense(m->parameters);
    if (group_size(p->group) == 1) return GENAIR_OK;
    float *all = tape_array(&m->tape, n, sizeof *all);
    if (!all) return fail_memory(st);
    parameters_copy(m->parameters, which, all, p->share[rank], p->share[rank + 1], true);
    const genair_code code = group_gather(p->group, all, p->share, st);
    if (code == GENAIR_OK) parameters_copy(m->parameters, which, all, 0, n, false);
    return code;
}

genair_code parts_update(struct model *m, genair_status *st) {
    const struct parts *p = m->parts;
    const size_t rank = group_rank(p->group);
    const genair_code code =
        parameters_adam_share(m->parameters, p->gradient, p->share[rank], p->share[rank + 1], st);
    return code == GENAIR_OK ? collect_dense(m, PARAMETER_VALUE, st) : code;
}

genair_code parts_collect(struct model *m, genair_status *st) {
    tape_reset(&m->tape, false, 0);
    const genair_code code = collect_dense(m, PARAMETER_M, st);
    return code == GENAIR_OK ? collect_dense(m, PARAMETER_V, st) : code;
}
