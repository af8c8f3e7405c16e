/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of whole training steps: sequences do not see each other, their order and the number of threads do
 * not matter, a table's lazy Adam gives the bytes of a dense one. */
#include "model/model.h"
#include "model/parts.h"
#include "tensor/ops.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_ITEMS = 60, WIDTH = 16, FUSED = 24, N_NEGATIVES = 3, LONGEST = 30, N_POSITIONS = LONGEST + 2 };

/* ---- a model and batches ---- */

struct fixture {
    struct parallel *parallel;
    struct model *model;
    float *fused;
    uint64_t *start;
    uint32_t *item, *count;
    struct cooccurrence cooccurrence;
};

static void *array(size_t n, size_t size) {
    void *x = mem_zeros(n + 1, size);
    assert_non_null(x);
    return x;
}

/* Every item beside its neighbours and, if even, itself. */
static void make_counts(struct fixture *f) {
    f->start = array(N_ITEMS + 2, sizeof *f->start);
    f->item = array(3 * N_ITEMS, sizeof *f->item);
    f->count = array(3 * N_ITEMS, sizeof *f->count);
    uint64_t n = 0;
    for (uint32_t i = 1; i <= N_ITEMS; i++) {
        f->start[i] = n;
        for (uint32_t j = i > 1 ? i - 1 : 1; j <= i + 1 && j <= N_ITEMS; j++) {
            if (i == j && i % 2) continue;
            f->item[n] = j;
            f->count[n++] = (i + j) % 5 + 1;
        }
    }
    f->start[N_ITEMS + 1] = n;
    f->cooccurrence = (struct cooccurrence){.n_items = N_ITEMS, .max_count = 5, .start = f->start,
                                            .item = f->item, .count = f->count};
}

static const struct adam_options adam = {1e-2, 0.9, 0.999, 1e-8, 0};

static struct fixture create(enum backbone backbone, bool genair, double dropout, int n_threads,
                             const struct adam_options *options) {
    struct fixture f = {0};
    const struct model_config config = {.backbone = backbone, .n_items = N_ITEMS, .hidden = WIDTH,
                                        .fused_width = genair ? FUSED : 0, .n_layers = 2, .n_heads = 2,
                                        .n_positions = N_POSITIONS, .causal = backbone == SASREC,
                                        .dropout = dropout};
    f.fused = array(N_ITEMS * FUSED, sizeof *f.fused);
    struct rng r = rng_start(3, RNG_TEST, 0);
    for (size_t i = 0; i < N_ITEMS * FUSED; i++) f.fused[i] = (float)rng_normal(&r);
    make_counts(&f);
    assert_int_equal(parallel_create(n_threads, &f.parallel, NULL), GENAIR_OK);
    assert_int_equal(model_create(&config, genair ? f.fused : NULL, f.parallel, kernels_select(NULL), options, 5,
                                  &f.model, NULL),
                     GENAIR_OK);
    return f;
}

static void release(struct fixture *f) {
    model_free(f->model);
    parallel_free(f->parallel);
    mem_free(f->fused);
    mem_free(f->start);
    mem_free(f->item);
    mem_free(f->count);
}

struct data {
    struct batch batch;
    uint32_t *offsets, *items, *position, *positive, *negatives;
};

/* A sequence predicts its next items; some of BERT4Rec's are masked, and predicted. */
static struct data make_batch(enum backbone backbone, size_t n_sequences, uint64_t stream) {
    struct data x = {.offsets = array(n_sequences + 1, sizeof *x.offsets)};
    const size_t most = n_sequences * LONGEST;
    x.items = array(most, sizeof *x.items);
    x.position = array(most, sizeof *x.position);
    x.positive = array(most, sizeof *x.positive);
    x.negatives = array(most * N_NEGATIVES, sizeof *x.negatives);
    struct rng r = rng_start(4, RNG_TEST, stream);
    uint32_t at = 0;
    size_t n = 0;
    for (size_t b = 0; b < n_sequences; b++) {
        x.offsets[b] = at;
        const uint32_t length = 1 + (uint32_t)rng_below(&r, b % 9 == 8 ? LONGEST : 8);
        for (uint32_t i = 0; i < length; i++, at++) {
            x.items[at] = 1 + (uint32_t)rng_below(&r, N_ITEMS);
            const bool last = i + 1 == length, target = backbone == SASREC || last || (backbone == BERT4REC && i % 2);
            if (!target) continue;
            if (backbone == BERT4REC) x.items[at] = MASK_ROW;
            x.position[n] = at;
            x.positive[n] = 1 + (uint32_t)rng_below(&r, N_ITEMS);
            for (size_t k = 0; k < N_NEGATIVES; k++)
                x.negatives[n * N_NEGATIVES + k] = 1 + (uint32_t)rng_below(&r, N_ITEMS);
            n++;
        }
    }
    x.offsets[n_sequences] = at;
    x.batch = (struct batch){.n_sequences = n_sequences, .offsets = x.offsets, .items = x.items, .n_targets = n,
                             .position = x.position, .positive = x.positive, .n_negatives = N_NEGATIVES,
                             .negatives = x.negatives};
    return x;
}

/* The given sequences of a batch, in the given order, as a batch of their own. */
static struct data select_sequences(const struct batch *b, const size_t *which, size_t n_sequences) {
    struct data x = {.offsets = array(n_sequences + 1, sizeof *x.offsets)};
    const size_t most = b->offsets[b->n_sequences];
    x.items = array(most, sizeof *x.items);
    x.position = array(most, sizeof *x.position);
    x.positive = array(most, sizeof *x.positive);
    x.negatives = array(most * N_NEGATIVES, sizeof *x.negatives);
    uint32_t at = 0;
    size_t n = 0;
    for (size_t i = 0; i < n_sequences; i++) {
        const uint32_t first = b->offsets[which[i]], end = b->offsets[which[i] + 1];
        x.offsets[i] = at;
        memcpy(x.items + at, b->items + first, (end - first) * sizeof *x.items);
        for (size_t r = 0; r < b->n_targets; r++) {
            if (b->position[r] < first || b->position[r] >= end) continue;
            x.position[n] = b->position[r] - first + at;
            x.positive[n] = b->positive[r];
            memcpy(x.negatives + n * N_NEGATIVES, b->negatives + r * N_NEGATIVES, N_NEGATIVES * sizeof(uint32_t));
            n++;
        }
        at += end - first;
    }
    x.offsets[n_sequences] = at;
    x.batch = *b;
    x.batch.n_sequences = n_sequences;
    x.batch.offsets = x.offsets;
    x.batch.items = x.items;
    x.batch.n_targets = n;
    x.batch.position = x.position;
    x.batch.positive = x.positive;
    x.batch.negatives = x.negatives;
    return x;
}

static void free_data(struct data *x) {
    mem_free(x->offsets);
    mem_free(x->items);
    mem_free(x->position);
    mem_free(x->positive);
    mem_free(x->negatives);
}

static struct step_losses step(struct fixture *f, const struct batch *b, const struct objective *o) {
    struct step_losses losses;
    genair_status st = {0};
    if (model_step(f->model, b, o, &losses, &st) != GENAIR_OK) fail_msg("%s", st.message);
    return losses;
}

static void update(struct fixture *f) {
    assert_int_equal(model_update(f->model, NULL), GENAIR_OK);
}

/* All gradients of the step, one after another; tables dense. */
static size_t gradients(const struct fixture *f, double scale, double *sum) {
    size_t at = 0;
    for (size_t i = 0; i < parameters_count(f->model->parameters); i++) {
        const struct parameter *p = parameters_at(f->model->parameters, i);
        for (size_t k = 0; k < p->n_touched * p->cols; k++)
            sum[at + p->touched[k / p->cols] * p->cols + k % p->cols] += scale * (double)p->touched_gradient[k];
        const bool written = p->gradient && p->tensor && p->tensor->written;
        for (size_t k = 0; written && k < p->rows * p->cols; k++) sum[at + k] += scale * (double)p->gradient[k];
        at += p->rows * p->cols;
    }
    return at;
}

static void expect_close(const char *what, enum backbone backbone, const double *want, const double *got, size_t n,
                         double relative) {
    double largest = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    assert_true(largest > 1e-3); /* there is something to compare */
    for (size_t i = 0; i < n; i++)
        if (!(fabs(want[i] - got[i]) <= relative * largest))
            fail_msg("%s, %s: [%zu] expected %.9g, found %.9g", what, backbone_names[backbone], i, want[i], got[i]);
}

/* ---- packing ---- */

enum { N_SEQUENCES = 20 };

/* A mean over targets is the mean over sequences weighted by their numbers of targets. Within rounding: sums
 * over a batch have another order. */
static void check_split(enum backbone backbone, bool genair, enum rank_loss loss) {
    struct fixture f = create(backbone, genair, 0, 2, &adam);
    struct data whole = make_batch(backbone, N_SEQUENCES, 1);
    const struct objective o = {.loss = loss, .gbce_t = 0.75};
    const size_t n = (size_t)parameters_values(f.model->parameters);
    double *together = array(n, sizeof *together), *apart = array(n, sizeof *apart), sum = 0;
    const double rank = step(&f, &whole.batch, &o).rank;
    assert_int_equal(gradients(&f, 1, together), n);
    for (size_t b = 0; b < N_SEQUENCES; b++) {
        struct data one = select_sequences(&whole.batch, &b, 1);
        const double share =
            loss == LOSS_BPR_SUM ? 1 : (double)one.batch.n_targets / (double)whole.batch.n_targets;
        sum += share * step(&f, &one.batch, &o).rank;
        gradients(&f, share, apart);
        free_data(&one);
    }
    expect_close("loss", backbone, &rank, &sum, 1, 1e-5);
    expect_close("gradient", backbone, together, apart, n, 1e-5);
    mem_free(together);
    mem_free(apart);
    free_data(&whole);
    release(&f);
}

static void test_batch_is_its_sequences(void **state) {
    (void)state;
    static const enum rank_loss losses[] = {LOSS_BCE, LOSS_BPR, LOSS_CE, LOSS_SAMPLED_SOFTMAX, LOSS_GBCE, LOSS_BPR_SUM};
    for (int backbone = 0; backbone < N_BACKBONES; backbone++)
        for (size_t i = 0; i < COUNT(losses); i++) check_split((enum backbone)backbone, i % 2, losses[i]);
}

static void check_order(enum backbone backbone) {
    struct fixture f = create(backbone, true, 0, 2, &adam);
    struct data whole = make_batch(backbone, N_SEQUENCES, 2);
    const struct objective o = {.loss = LOSS_BCE, .calibration = CALIBRATION_KERNEL, .alpha = 0.1, .gamma = 2, .t = 2,
                                .cooccurrence = &f.cooccurrence};
    const size_t n = (size_t)parameters_values(f.model->parameters);
    double *before = array(n, sizeof *before), *after = array(n, sizeof *after);
    size_t order[N_SEQUENCES];
    for (size_t b = 0; b < N_SEQUENCES; b++) order[b] = b * 7 % N_SEQUENCES;
    struct data shuffled = select_sequences(&whole.batch, order, N_SEQUENCES);
    const double total = step(&f, &whole.batch, &o).total;
    gradients(&f, 1, before);
    const double again = step(&f, &shuffled.batch, &o).total;
    gradients(&f, 1, after);
    expect_close("loss, shuffled", backbone, &total, &again, 1, 1e-5);
    expect_close("gradient, shuffled", backbone, before, after, n, 1e-5);
    mem_free(before);
    mem_free(after);
    free_data(&whole);
    free_data(&shuffled);
    release(&f);
}

static void test_order(void **state) {
    (void)state;
    for (int backbone = 0; backbone < N_BACKBONES; backbone++) check_order((enum backbone)backbone);
}

/* A user's vector has the same bytes alone and in company, whatever its place and the threads (scorer.h). */
static void check_encoding(enum backbone backbone, bool genair) {
    enum { N = 25 };
    uint64_t offsets[N + 1] = {7};
    uint32_t items[7 + N * 45];
    float together[N * WIDTH], alone[WIDTH];
    struct rng r = rng_start(6, RNG_TEST, 0);
    for (size_t b = 0; b < N; b++) /* some empty, some past the model's length */
        offsets[b + 1] = offsets[b] + (b % 6 == 5 ? 0 : rng_below(&r, b % 5 == 4 ? 45 : 20));
    for (size_t i = 0; i < COUNT(items); i++) items[i] = 1 + (uint32_t)rng_below(&r, N_ITEMS);
    struct fixture many = create(backbone, genair, 0.5, 3, &adam), one = create(backbone, genair, 0.5, 1, &adam);
    assert_int_equal(model_refresh_items(many.model, NULL), GENAIR_OK);
    assert_int_equal(model_refresh_items(one.model, NULL), GENAIR_OK);
    assert_int_equal(model_encode(many.model, &(struct histories){N, offsets, items, NULL}, together, NULL), GENAIR_OK);
    for (size_t b = 0; b < N; b++) {
        assert_int_equal(model_encode(one.model, &(struct histories){1, offsets + b, items, NULL}, alone, NULL), GENAIR_OK);
        if (memcmp(alone, together + b * WIDTH, sizeof alone) != 0)
            fail_msg("%s, history %zu of %d: other bytes in company", backbone_names[backbone], b, N);
        const bool empty = offsets[b] == offsets[b + 1] && backbone != BERT4REC;
        for (size_t k = 0; k < WIDTH; k++) assert_true(empty ? alone[k] == 0 : isfinite(alone[k]));
        /* Only the latest items count. */
        const uint64_t room = N_POSITIONS - 1 - (backbone == BERT4REC), n = offsets[b + 1] - offsets[b];
        const uint64_t cut[] = {offsets[b + 1] - (n < room ? n : room), offsets[b + 1]};
        assert_int_equal(model_encode(one.model, &(struct histories){1, cut, items, NULL}, alone, NULL), GENAIR_OK);
        assert_memory_equal(alone, together + b * WIDTH, sizeof alone);
    }
    release(&many);
    release(&one);
}

static void test_encoding(void **state) {
    (void)state;
    for (int backbone = 0; backbone < N_BACKBONES; backbone++)
        for (int genair = 0; genair < 2; genair++) check_encoding((enum backbone)backbone, genair);
}

/* ---- threads ---- */

enum { N_STEPS = 3, MANY_SEQUENCES = 150 };

/* The values of all parameters after some steps with everything on. */
static float *train(enum backbone backbone, bool genair, enum rank_loss loss, size_t n_parts, int n_threads, size_t *n) {
    struct fixture f = create(backbone, genair, 0.5, n_threads, &adam);
    if (n_parts > 1) assert_int_equal(parts_begin(f.model, n_parts, NULL), GENAIR_OK);
    for (uint64_t s = 0; s < N_STEPS; s++) {
        struct data x = make_batch(backbone, MANY_SEQUENCES, s);
        const enum calibration_form forms[] = {CALIBRATION_KERNEL, CALIBRATION_DOT, CALIBRATION_LINEAR};
        step(&f, &x.batch, &(struct objective){.loss = loss, .gbce_t = 0.75, .calibration = forms[s % 3],
                                               .unique_items = s == 1, .alpha = genair ? 0.1 : 0, .gamma = 2, .t = 2,
                                               .cooccurrence = &f.cooccurrence});
        update(&f);
        free_data(&x);
    }
    *n = (size_t)parameters_values(f.model->parameters);
    float *values = array(*n, sizeof *values);
    size_t at = 0;
    for (size_t i = 0; i < parameters_count(f.model->parameters); i++) {
        struct parameter *p = parameters_at(f.model->parameters, i);
        if (p->done) model_catch_up(f.model);
        memcpy(values + at, p->value, p->rows * p->cols * sizeof *values);
        at += p->rows * p->cols;
    }
    release(&f);
    return values;
}

static void check_threads(enum backbone backbone, bool genair, enum rank_loss loss, size_t n_parts) {
    static const int threads[] = {2, 3, 5};
    size_t n, n_again;
    float *alone = train(backbone, genair, loss, n_parts, 1, &n);
    for (size_t i = 0; i < n; i++) assert_true(isfinite(alone[i]));
    for (size_t i = 0; i < COUNT(threads); i++) {
        float *values = train(backbone, genair, loss, n_parts, threads[i], &n_again);
        assert_int_equal(n, n_again);
        if (memcmp(alone, values, n * sizeof *alone) != 0)
            fail_msg("%s, %s, %s: other bytes with %d threads", backbone_names[backbone], loss_names[loss],
                     genair ? "genair" : "base", threads[i]);
        mem_free(values);
    }
    mem_free(alone);
}

static void test_threads(void **state) {
    (void)state;
    for (int backbone = 0; backbone < N_BACKBONES; backbone++)
        for (int loss = 0; loss < N_LOSSES; loss++)
            for (int genair = 0; genair < 2; genair++)
                check_threads((enum backbone)backbone, genair, (enum rank_loss)loss, 1);
    for (int backbone = 0; backbone < N_BACKBONES; backbone++)
        for (int genair = 0; genair < 2; genair++) check_threads((enum backbone)backbone, genair, LOSS_BCE, 4);
}

/* ---- a step in parts ---- */

/* Adam's first moments after a step: a tenth of the gradient, tables dense. */
static double *moments_after(enum backbone backbone, bool genair, const struct objective *o, size_t n_parts, double *total) {
    struct fixture f = create(backbone, genair, 0, 2, &adam);
    struct data x = make_batch(backbone, N_SEQUENCES, 1);
    struct objective with = *o;
    with.cooccurrence = &f.cooccurrence;
    if (n_parts > 1) assert_int_equal(parts_begin(f.model, n_parts, NULL), GENAIR_OK);
    *total = step(&f, &x.batch, &with).total;
    assert_int_equal(model_update(f.model, NULL), GENAIR_OK);
    double *moments = array((size_t)parameters_values(f.model->parameters), sizeof *moments);
    size_t at = 0;
    for (size_t i = 0; i < parameters_count(f.model->parameters); i++) {
        const struct parameter *p = parameters_at(f.model->parameters, i);
        for (size_t k = 0; k < p->rows * p->cols; k++) moments[at++] = 10 * (double)p->m[k];
    }
    free_data(&x);
    release(&f);
    return moments;
}

/* The parts of a batch add up to it, within rounding; more of them than sequences will do. */
static void check_parts(enum backbone backbone, bool genair, const struct objective *o) {
    static const size_t parts[] = {2, 4, 32};
    double want, got;
    struct fixture f = create(backbone, genair, 0, 1, &adam);
    const size_t n = (size_t)parameters_values(f.model->parameters);
    release(&f);
    double *whole = moments_after(backbone, genair, o, 1, &want);
    for (size_t i = 0; i < COUNT(parts); i++) {
        double *made = moments_after(backbone, genair, o, parts[i], &got);
        expect_close("loss in parts", backbone, &want, &got, 1, 1e-5);
        expect_close("gradient in parts", backbone, whole, made, n, 1e-5);
        mem_free(made);
    }
    mem_free(whole);
}

static void test_parts(void **state) {
    (void)state;
    static const enum calibration_form forms[] = {CALIBRATION_KERNEL, CALIBRATION_DOT, CALIBRATION_LINEAR, CALIBRATION_NONE};
    for (int backbone = 0; backbone < N_BACKBONES; backbone++)
        for (int loss = 0; loss < N_LOSSES; loss++)
            for (int genair = 0; genair < 2; genair++)
                check_parts((enum backbone)backbone, genair,
                            &(struct objective){.loss = (enum rank_loss)loss, .gbce_t = 0.75, .calibration = forms[loss % 4],
                                                .alpha = 0.1, .gamma = 2, .t = 2});
}

static void test_parts_that_cannot_be(void **state) {
    (void)state;
    struct fixture f = create(SASREC, false, 0, 1, &adam);
    assert_int_equal(parts_begin(f.model, 3, NULL), GENAIR_USAGE);
    assert_int_equal(parts_begin(f.model, 128, NULL), GENAIR_USAGE);
    release(&f);
}

/* ---- Adam ---- */

/* PyTorch's rule for every number of a parameter. */
static void dense_adam(const struct adam_options *o, double s, const struct parameter *p, const float *gradient,
                       float *value, float *m, float *v) {
    const struct adam_step constants = {.beta1 = (float)o->beta1, .beta2 = (float)o->beta2,
                                        .gain1 = (float)(1 - o->beta1), .gain2 = (float)(1 - o->beta2),
                                        .rate = (float)(o->rate / (1 - pow(o->beta1, s))),
                                        .root_bias = (float)sqrt(1 - pow(o->beta2, s)),
                                        .epsilon = (float)o->epsilon, .decay = (float)o->decay};
    kernels_select(NULL)->adam(&constants, gradient, value, m, v, p->rows * p->cols);
}

/* A table's rows catch up lazily; the moments too. */
static void check_lazy_table(const struct adam_options *options) {
    struct fixture f = create(SASREC, false, 0.5, 2, options);
    struct parameter *p = f.model->table;
    const size_t n = p->rows * p->cols;
    float *value = array(n, sizeof *value), *m = array(n, sizeof *m), *v = array(n, sizeof *v);
    float *gradient = array(n, sizeof *gradient);
    memcpy(value, p->value, n * sizeof *value);
    for (uint64_t s = 1; s <= 12; s++) {
        struct data x = make_batch(SASREC, 1 + s % 3, s); /* few items a step: most rows fall behind */
        step(&f, &x.batch, &(struct objective){.loss = LOSS_BCE});
        memset(gradient, 0, n * sizeof *gradient);
        for (size_t i = 0; i < p->n_touched; i++)
            memcpy(gradient + p->touched[i] * p->cols, p->touched_gradient + i * p->cols, p->cols * sizeof *gradient);
        update(&f);
        dense_adam(options, (double)s, p, gradient, value, m, v);
        free_data(&x);
        if (s % 6 && s != 1) continue;
        parameters_catch_up(f.model->parameters, p, NULL, 0);
        assert_memory_equal(p->value, value, n * sizeof *value);
        assert_memory_equal(p->m, m, n * sizeof *m);
        assert_memory_equal(p->v, v, n * sizeof *v);
    }
    mem_free(value);
    mem_free(m);
    mem_free(v);
    mem_free(gradient);
    release(&f);
}

static void test_lazy_table(void **state) {
    (void)state;
    check_lazy_table(&adam);
    check_lazy_table(&(struct adam_options){1e-3, 0.8, 0.99, 1e-6, 0.01}); /* with an L2 penalty all rows move */
}

/* A batch without targets has gradient zero everywhere: no gradient of the step before may come back. */
static void check_no_targets(enum backbone backbone, bool genair, enum rank_loss loss) {
    struct fixture f = create(backbone, genair, 0, 2, &adam);
    struct data x = make_batch(backbone, N_SEQUENCES, 3);
    const struct objective o = {.loss = loss, .gbce_t = 0.75};
    step(&f, &x.batch, &o);
    update(&f);
    const size_t n_parameters = parameters_count(f.model->parameters);
    float **values = array(n_parameters, sizeof *values);
    for (size_t i = 0; i < n_parameters; i++) {
        struct parameter *p = parameters_at(f.model->parameters, i);
        const size_t n = p->rows * p->cols;
        if (p->done) parameters_catch_up(f.model->parameters, p, NULL, 0);
        float *m = array(n, sizeof *m), *v = array(n, sizeof *v), *zeros = array(n, sizeof *zeros);
        values[i] = array(n, sizeof *values[i]);
        memcpy(values[i], p->value, n * sizeof *m);
        memcpy(m, p->m, n * sizeof *m);
        memcpy(v, p->v, n * sizeof *v);
        dense_adam(&adam, 2, p, zeros, values[i], m, v);
        mem_free(m);
        mem_free(v);
        mem_free(zeros);
    }
    x.batch.n_targets = 0;
    const struct step_losses losses = step(&f, &x.batch, &o);
    assert_true(losses.total == 0);
    update(&f);
    for (size_t i = 0; i < n_parameters; i++) {
        struct parameter *p = parameters_at(f.model->parameters, i);
        if (p->done) parameters_catch_up(f.model->parameters, p, NULL, 0);
        if (memcmp(p->value, values[i], p->rows * p->cols * sizeof *p->value) != 0)
            fail_msg("%s, %s, %s: a step without targets moves %s by an old gradient", backbone_names[backbone],
                     loss_names[loss], genair ? "genair" : "base", p->name);
        mem_free(values[i]);
    }
    mem_free(values);
    free_data(&x);
    release(&f);
}

static void test_no_targets(void **state) {
    (void)state;
    for (int backbone = 0; backbone < N_BACKBONES; backbone++)
        for (int loss = 0; loss < N_LOSSES; loss++)
            check_no_targets((enum backbone)backbone, loss % 2, (enum rank_loss)loss);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_is_its_sequences), cmocka_unit_test(test_order),
        cmocka_unit_test(test_encoding),               cmocka_unit_test(test_parts), cmocka_unit_test(test_parts_that_cannot_be), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_lazy_table),             cmocka_unit_test(test_no_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
