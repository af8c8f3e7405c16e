/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/parameters.h"

#include "base/alloc.h"
#include "base/size.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VALUES_PER_TASK = 16384, MOST_PARAMETERS = 2048 };

struct parameters {
    struct parameter *list[MOST_PARAMETERS];
    size_t n;
    struct adam_options adam;
    struct parallel *parallel;
    const struct kernels *kernels;
    struct adam_step *steps; /* [step + 1] constants of every step taken, for replays; 0 unused */
    size_t steps_capacity;
    uint64_t step;
    uint64_t unsteady;       /* the last step that does not shrink without a gradient: adam_shrinks */
    float *zeros;            /* as long as the longest row */
    bool only_read;
    size_t longest;
    struct shard shard;      /* of tables */
};

genair_code parameters_create(const struct adam_options *options, struct parallel *parallel,
                              const struct kernels *kernels, struct parameters **out, genair_status *st) {
    struct parameters *p = mem_zeros(1, sizeof *p);
    if (!p) return fail_memory(st);
    p->only_read = !options;
    if (options) p->adam = *options;
    p->parallel = parallel;
    p->kernels = kernels;
    *out = p;
    return GENAIR_OK;
}

static void free_parameter(struct parameter *x) {
    if (!x) return;
    if (!x->file.bytes) mem_free(x->value);
    overlay_close(&x->file);
    mem_free(x->gradient);
    mem_free(x->m);
    mem_free(x->v);
    mem_free(x->done);
    mem_free(x);
}

void parameters_free(struct parameters *p) {
    if (!p) return;
    for (size_t i = 0; i < p->n; i++) free_parameter(p->list[i]);
    mem_free(p->steps);
    mem_free(p->zeros);
    mem_free(p);
}

static float *zeros(size_t n) {
    float *x = mem_aligned(n, sizeof *x);
    if (x) memset(x, 0, n * sizeof *x);
    return x;
}

static bool grow_zeros(struct parameters *p, size_t cols) {
    if (cols <= p->longest) return true;
    float *longer = zeros(cols);
    if (!longer) return false;
    mem_free(p->zeros);
    p->zeros = longer;
    p->longest = cols;
    return true;
}

static bool add_training(struct parameter *x, size_t n, bool table) {
    x->m = zeros(n);
    x->v = zeros(n);
    if (table)
        x->done = mem_zeros(x->held, sizeof *x->done);
    else
        x->gradient = zeros(n);
    return x->m && x->v && (x->done || x->gradient);
}

void parameters_share(struct parameters *p, struct shard shard) {
    p->shard = shard;
}

genair_code parameters_add(struct parameters *p, const char *name, size_t rows, size_t cols, bool table,
                           struct parameter **out, genair_status *st) {
    size_t n;
    if (p->n == MOST_PARAMETERS) return fail(st, GENAIR_USAGE, "more than %d parameters", MOST_PARAMETERS);
    if (!mul_size(rows, cols, &n)) return fail_memory(st);
    const size_t held = table ? shard_rows(&p->shard, rows) : rows;
    struct parameter *x = mem_zeros(1, sizeof *x);
    if (!x) return fail_memory(st);
    snprintf(x->name, sizeof x->name, "%s", name);
    x->rows = rows;
    x->cols = cols;
    if (table) x->shard = p->shard;
    x->held = held;
    x->value = p->only_read ? mem_zeros(held * cols, sizeof *x->value) : zeros(held * cols); /* mem_zeros touches no page */
    if (!x->value || (!p->only_read && !add_training(x, held * cols, table)) || !grow_zeros(p, cols)) {
        free_parameter(x);
        return fail_memory(st);
    }
    p->list[p->n++] = x;
    *out = x;
    return GENAIR_OK;
}

size_t parameters_count(const struct parameters *p) {
    return p->n;
}

struct parameter *parameters_at(const struct parameters *p, size_t i) {
    return p->list[i];
}

struct parameter *parameters_find(const struct parameters *p, const char *name) {
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->list[i]->name, name) == 0) return p->list[i];
    return NULL;
}

uint64_t parameters_values(const struct parameters *p) {
    uint64_t sum = 0;
    for (size_t i = 0; i < p->n; i++) sum += (uint64_t)p->list[i]->rows * p->list[i]->cols;
    return sum;
}

uint64_t parameters_step(const struct parameters *p) {
    return p->step;
}

static genair_code add_step_constants(struct parameters *p, uint64_t step, genair_status *st) {
    if (!mem_grow(&p->steps, &p->steps_capacity, step + 1, sizeof *p->steps)) return fail_memory(st);
    const struct adam_options *a = &p->adam;
    p->steps[step] = (struct adam_step){.beta1 = (float)a->beta1,
                                        .beta2 = (float)a->beta2,
                                        .gain1 = (float)(1 - a->beta1),
                                        .gain2 = (float)(1 - a->beta2),
                                        .rate = (float)(a->rate / (1 - pow(a->beta1, (double)step))),
                                        .root_bias = (float)sqrt(1 - pow(a->beta2, (double)step)),
                                        .epsilon = (float)a->epsilon,
                                        .decay = (float)a->decay};
    if (step == 1 || !adam_shrinks(&p->steps[step - 1], &p->steps[step])) p->unsteady = step;
    return GENAIR_OK;
}

genair_code parameters_set_step(struct parameters *p, uint64_t step, genair_status *st) {
    if (step > UINT32_MAX) return fail(st, GENAIR_FORMAT, "%llu steps: too many", (unsigned long long)step);
    for (uint64_t s = 1; s <= step; s++) {
        const genair_code code = add_step_constants(p, s, st);
        if (code != GENAIR_OK) return code;
    }
    p->step = step;
    return GENAIR_OK;
}

/* A stream for each name: FNV-1a. */
static uint64_t stream_of(const struct parameter *p) {
    uint64_t name_hash = 0xcbf29ce484222325u;
    for (const char *c = p->name; *c; c++) name_hash = (name_hash ^ (unsigned char)*c) * 0x100000001b3u;
    return name_hash;
}

/* Then its values come from a file. */
static bool is_only_read(const struct parameter *p) {
    return !p->m;
}

void parameter_uniform(struct parameter *p, double bound, uint64_t seed) {
    if (is_only_read(p)) return;
    struct rng r = rng_start(seed, RNG_INIT, stream_of(p));
    for (size_t i = 0; i < p->held * p->cols; i++) p->value[i] = (float)(bound * (2 * rng_unit(&r) - 1));
}

/* Value i is the i-th normal number of the stream, which takes one block of it. A stream has 2^32 of them. */
static double normal_at(uint64_t seed, uint64_t stream, uint64_t i) {
    struct rng r = rng_start(seed, RNG_INIT, stream + (i >> 32));
    r.b = (uint32_t)i;
    return rng_normal(&r);
}

void parameter_normal(struct parameter *p, double deviation, uint64_t seed) {
    const uint64_t stream = stream_of(p), cols = p->cols;
    if (is_only_read(p)) return;
    for (size_t place = 0; place < p->held; place++) {
        const uint64_t first = place ? shard_row(&p->shard, place) * cols : 0;
        for (size_t c = 0; c < cols; c++)
            p->value[place * cols + c] = (float)(deviation * normal_at(seed, stream, first + c));
    }
}

void parameter_xavier_normal(struct parameter *p, double gain, uint64_t seed) {
    parameter_normal(p, gain * sqrt(2.0 / (double)(p->rows + p->cols)), seed);
}

genair_code parameter_map(struct parameter *p, size_t first, const struct file_part *part, genair_status *st) {
    struct overlay o;
    const size_t row = p->cols * sizeof *p->value;
    assert(is_only_read(p));
    const genair_code code = overlay_open(part, p->held * row, first * row, &o, st);
    if (code != GENAIR_OK) return code;
    mem_free(p->value);
    p->file = o;
    p->value = (float *)(void *)o.bytes;
    return GENAIR_OK;
}

void parameter_fill(struct parameter *p, float value) {
    for (size_t i = 0; i < p->held * p->cols; i++) p->value[i] = value;
}

struct tensor *parameter_tensor(struct tape *t, struct parameter *p) {
    if (!p->tensor) p->tensor = tape_view(t, p->rows, p->cols, p->value, t->training ? p->gradient : NULL);
    if (p->tensor && p->summed) p->tensor->written = true;
    return p->tensor;
}

static bool has_gradient(const struct parameter *x) {
    return x->gradient && x->tensor && x->tensor->written;
}

void parameters_clip(const struct parameters *p, double most) {
    double square = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct parameter *x = p->list[i];
        for (size_t row = 0; has_gradient(x) && row < x->rows; row++) {
            const float *g = x->gradient + row * x->cols;
            square += (double)p->kernels->dot(g, g, x->cols);
        }
    }
    if (square <= most * most) return;
    for (size_t i = 0; i < p->n; i++)
        if (has_gradient(p->list[i]))
            p->kernels->scale((float)(most / sqrt(square)), p->list[i]->gradient, p->list[i]->rows * p->list[i]->cols);
}

static bool all_finite(const float *x, size_t n) {
    bool finite = true;
    for (size_t i = 0; i < n; i++) finite &= isfinite(x[i]) != 0;
    return finite;
}

const struct parameter *parameters_overflown(const struct parameters *p) {
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i]->v && !all_finite(p->list[i]->v, p->list[i]->held * p->list[i]->cols)) return p->list[i];
    return NULL;
}

void parameters_set_adam(struct parameters *p, const struct adam_options *options) {
    p->adam = *options;
}

void parameters_set_rate(struct parameters *p, double rate) {
    p->adam.rate = rate;
}

void parameters_begin_step(struct parameters *p) {
    for (size_t i = 0; i < p->n; i++) {
        p->list[i]->tensor = p->list[i]->part[0] = p->list[i]->part[1] = NULL;
        p->list[i]->n_touched = 0;
    }
}

struct rows_task {
    struct parameters *p;
    struct parameter *x;
    const uint32_t *rows;
    size_t n, rows_per_task;
};

static void run_rows(struct rows_task *r, parallel_task *task) {
    r->rows_per_task = max_size(1, VALUES_PER_TASK / 8 / max_size(1, r->x->cols));
    parallel_run(r->p->parallel, (r->n + r->rows_per_task - 1) / r->rows_per_task, task, r);
}

static void replay(const struct parameters *p, struct parameter *x, size_t row, uint64_t until) {
    float *value = x->value + row * x->cols, *m = x->m + row * x->cols, *v = x->v + row * x->cols;
    /* A row without any gradient so far has m = v = 0: it does not move. */
    if (x->done[row] == 0 && p->adam.decay == 0) return;
    uint64_t s = x->done[row] + 1;
    for (; s <= until && s <= p->unsteady; s++) p->kernels->adam(&p->steps[s], p->zeros, value, m, v, x->cols);
    if (s <= until) p->kernels->adam_rest(&p->steps[s], (size_t)(until - s + 1), value, m, v, x->cols);
    x->done[row] = (uint32_t)until;
}

static void catch_up_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct rows_task *r = context;
    const size_t end = min_size(r->n, (task + 1) * r->rows_per_task);
    for (size_t i = task * r->rows_per_task; i < end; i++)
        replay(r->p, r->x, r->rows ? r->rows[i] : i, r->p->step);
}

void parameters_catch_up(struct parameters *p, struct parameter *table, const uint32_t *rows, size_t n) {
    if (p->only_read) return;
    run_rows(&(struct rows_task){.p = p, .x = table, .rows = rows, .n = rows ? n : table->held}, catch_up_task);
}

void parameters_touch(struct parameter *table, const uint32_t *rows, size_t n, const float *gradient) {
    table->touched = rows;
    table->n_touched = n;
    table->touched_gradient = gradient;
}

static void touched_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct rows_task *r = context;
    struct parameter *x = r->x;
    const size_t end = min_size(r->n, (task + 1) * r->rows_per_task), cols = x->cols;
    for (size_t i = task * r->rows_per_task; i < end; i++) {
        const size_t row = r->rows[i];
        replay(r->p, x, row, r->p->step - 1);
        r->p->kernels->adam(&r->p->steps[r->p->step], x->touched_gradient + i * cols, x->value + row * cols,
                            x->m + row * cols, x->v + row * cols, cols);
        x->done[row] = (uint32_t)r->p->step;
    }
}

struct values_task {
    struct parameters *p;
    struct parameter *x;
    const float *gradient;
    size_t first, end; /* values of x */
};

static void values_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct values_task *v = context;
    struct parameter *x = v->x;
    const size_t first = v->first + task * VALUES_PER_TASK, n = min_size(VALUES_PER_TASK, v->end - first);
    v->p->kernels->adam(&v->p->steps[v->p->step], v->gradient + first, x->value + first, x->m + first, x->v + first, n);
}

static void adam_values(struct parameters *p, struct parameter *x, const float *gradient, size_t first, size_t end) {
    parallel_run(p->parallel, (end - first + VALUES_PER_TASK - 1) / VALUES_PER_TASK, values_task,
                 &(struct values_task){p, x, gradient, first, end});
}

static void dense_step(struct parameters *p, struct parameter *x) {
    const size_t n = x->rows * x->cols;
    if (!x->tensor || !x->tensor->written) memset(x->gradient, 0, n * sizeof *x->gradient);
    adam_values(p, x, x->gradient, 0, n);
}

static void touched_step(struct parameters *p, struct parameter *x) {
    struct rows_task r = {.p = p, .x = x, .rows = x->touched, .n = x->n_touched};
    run_rows(&r, touched_task);
}

static genair_code begin_adam(struct parameters *p, genair_status *st) {
    if (p->step == UINT32_MAX) return fail(st, GENAIR_USAGE, "more than %u steps", UINT32_MAX);
    const genair_code code = add_step_constants(p, p->step + 1, st);
    if (code == GENAIR_OK) p->step++;
    return code;
}

genair_code parameters_adam(struct parameters *p, genair_status *st) {
    const genair_code code = begin_adam(p, st);
    for (size_t i = 0; code == GENAIR_OK && i < p->n; i++) {
        if (p->list[i]->done)
            touched_step(p, p->list[i]);
        else
            dense_step(p, p->list[i]);
    }
    return code;
}

/* ---- in parts ---- */

void parameters_sum_parts(struct parameters *p) {
    for (size_t i = 0; i < p->n; i++) p->list[i]->summed = !p->list[i]->done;
}

static size_t values_of(const struct parameter *x) {
    return x->rows * x->cols;
}

size_t parameters_dense(const struct parameters *p) {
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (!p->list[i]->done) n += values_of(p->list[i]);
    return n;
}

void parameters_divide(const struct parameters *p, size_t n, size_t *start) {
    const size_t all = parameters_dense(p);
    size_t at = 0, owner = 0;
    start[0] = 0;
    for (size_t i = 0; i < p->n; i++) {
        const size_t size = p->list[i]->done ? 0 : values_of(p->list[i]);
        for (size_t first = 0; first < size; first += VALUES_PER_TASK)
            while (owner + 1 < n && at + first >= (owner + 1) * (all / n + 1)) start[++owner] = at + first;
        at += size;
    }
    while (owner < n) start[++owner] = all;
}

void parameters_take(struct parameters *p, float *out, bool add) {
    for (size_t i = 0; i < p->n; i++) {
        struct parameter *x = p->list[i];
        if (x->done) continue;
        const size_t n = values_of(x);
        if (add)
            p->kernels->add(out, x->gradient, out, n);
        else
            memcpy(out, x->gradient, n * sizeof *out);
        memset(x->gradient, 0, n * sizeof *out);
        out += n;
    }
}

void parameters_copy(struct parameters *p, enum parameter_array which, float *all, size_t first, size_t end, bool to_all) {
    size_t at = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct parameter *x = p->list[i];
        if (x->done) continue;
        const size_t n = values_of(x), from = max_size(first, at), to = min_size(end, at + n);
        float *const arrays[] = {x->value, x->m, x->v};
        if (from < to && to_all) memcpy(all + from, arrays[which] + (from - at), (to - from) * sizeof *all);
        if (from < to && !to_all) memcpy(arrays[which] + (from - at), all + from, (to - from) * sizeof *all);
        at += n;
    }
}

genair_code parameters_adam_share(struct parameters *p, float *gradient, size_t first, size_t end, genair_status *st) {
    const genair_code code = begin_adam(p, st);
    size_t at = 0;
    for (size_t i = 0; code == GENAIR_OK && i < p->n; i++) {
        struct parameter *x = p->list[i];
        if (x->done) {
            touched_step(p, x);
            continue;
        }
        const size_t n = values_of(x), from = max_size(first, at), to = min_size(end, at + n);
        if (from < to) adam_values(p, x, gradient + at, from - at, to - at);
        at += n;
    }
    return code;
}
