/* SPDX-License-Identifier: Apache-2.0 */
#include "trained.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "tensor/ops.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct adam_options adam = {1e-2, 0.9, 0.999, 1e-8, 0};

void trained_open(struct trained *t, enum backbone backbone, const struct method *method, const char *options,
                  const float *matrix, size_t width, double dropout) {
    genair_status st = {0};
    t->inputs.options = json_loads(options, 0, NULL);
    assert_non_null(t->inputs.options);
    if (matrix) t->inputs.matrix[0] = (struct method_matrix){matrix, width};
    assert_int_equal(parallel_create(2, &t->parallel, NULL), GENAIR_OK);
    const struct model_config c = {.backbone = backbone, .n_items = TRAINED_ITEMS, .hidden = TRAINED_WIDTH,
                                   .fused_width = matrix ? width : 0,
                                   .trainable_fused = strcmp(method_text(t->inputs.options, "freeze"), "no") == 0,
                                   .n_layers = 2, .n_heads = 1, .n_positions = 2 * TRAINED_LENGTH + 2,
                                   .causal = backbone == SASREC, .dropout = dropout, .method = method,
                                   .inputs = &t->inputs};
    if (model_create(&c, matrix, t->parallel, kernels_select(NULL), &adam, 5, &t->model, &st) != GENAIR_OK)
        fail_msg("%s", st.message);
}

void trained_close(struct trained *t) {
    model_free(t->model);
    parallel_free(t->parallel);
    json_decref((json_t *)(uintptr_t)t->inputs.options);
    *t = (struct trained){0};
}

/* User u's history is made of the stream (u): BERT4Rec's last item is hidden, the others learn every next one. */
void trained_batch(const struct trained *t, uint64_t number, struct batch *out) {
    static uint32_t space[(TRAINED_USERS + 1) * (TRAINED_LENGTH * 4 + 2)];
    static bool last_hidden[TRAINED_USERS];
    const enum backbone backbone = t->model->config.backbone;
    uint32_t *offsets = space, *items = offsets + TRAINED_USERS + 1, *position = items + TRAINED_USERS * TRAINED_LENGTH;
    uint32_t *positive = position + TRAINED_USERS * TRAINED_LENGTH;
    uint32_t *negative = positive + TRAINED_USERS * TRAINED_LENGTH, *user = negative + TRAINED_USERS * TRAINED_LENGTH;
    uint32_t at = 0, n = 0;
    for (uint32_t u = 0; u < TRAINED_USERS; u++) {
        struct rng r = rng_start(3, RNG_TEST, u), draw = rng_start(4, RNG_TEST, number << 8 | u);
        const uint32_t length = 2 + u % (TRAINED_LENGTH - 1);
        offsets[u] = at;
        user[u] = u;
        last_hidden[u] = true;
        uint32_t item = 1 + (uint32_t)rng_below(&r, TRAINED_ITEMS);
        for (uint32_t i = 0; i < length; i++) {
            const uint32_t next = 1 + (uint32_t)rng_below(&r, TRAINED_ITEMS);
            const bool last = i + 1 == length;
            items[at] = backbone == BERT4REC && last ? MASK_ROW : item;
            if (backbone != BERT4REC || last) {
                position[n] = at;
                positive[n] = backbone == BERT4REC ? item : next;
                negative[n++] = 1 + (uint32_t)rng_below(&draw, TRAINED_ITEMS);
            }
            item = next;
            at++;
        }
    }
    offsets[TRAINED_USERS] = at;
    *out = (struct batch){.n_sequences = TRAINED_USERS, .offsets = offsets, .items = items, .n_targets = n,
                          .position = position, .positive = positive, .n_negatives = 1, .negatives = negative,
                          .user = user, .last_hidden = backbone == BERT4REC ? last_hidden : NULL, .epoch = 1, .number = number, .n_batches = 8};
}

struct step_losses trained_steps(struct trained *t, size_t n) {
    struct step_losses losses = {0};
    for (size_t i = 0; i < n; i++) {
        struct batch b;
        genair_status st = {0};
        trained_batch(t, i, &b);
        if (model_step(t->model, &b, &(struct objective){.loss = LOSS_BCE}, &losses, &st) != GENAIR_OK ||
            parameters_adam(t->model->parameters, &st) != GENAIR_OK)
            fail_msg("%s", st.message);
    }
    assert_int_equal(model_refresh_items(t->model, NULL), GENAIR_OK);
    return losses;
}

static double loss_of(struct trained *t, const struct batch *b) {
    struct step_losses losses;
    genair_status st = {0};
    if (model_step(t->model, b, &(struct objective){.loss = LOSS_BCE}, &losses, &st) != GENAIR_OK) fail_msg("%s", st.message);
    return losses.total;
}

/* Along the gradient, of which a part that is missing or too much would change the slope. */
void trained_check_gradients(struct trained *t, const struct batch *b) {
    const double apart = 5e-4; /* few rectifiers turn */
    for (size_t i = 0; i < parameters_count(t->model->parameters); i++) {
        struct parameter *p = parameters_at(t->model->parameters, i);
        const size_t n = p->rows * p->cols;
        if (!p->gradient) continue;
        (void)loss_of(t, b);
        if (!p->tensor || !p->tensor->written) continue;
        float *start = mem_array(n, sizeof *start), *way = mem_array(n, sizeof *way);
        assert_true(start && way);
        memcpy(start, p->value, n * sizeof *start);
        memcpy(way, p->gradient, n * sizeof *way);
        double square = 0, value[2];
        for (size_t k = 0; k < n; k++) square += (double)way[k] * (double)way[k];
        for (int side = 0; side < 2; side++) {
            for (size_t k = 0; square > 0 && k < n; k++)
                p->value[k] = start[k] + (float)((side ? -apart : apart) * (double)way[k] / sqrt(square));
            value[side] = loss_of(t, b);
        }
        memcpy(p->value, start, n * sizeof *start);
        const double slope = (value[0] - value[1]) / (2 * apart);
        if (!(fabs(slope - sqrt(square)) < 3e-4 + 0.03 * sqrt(square)))
            fail_msg("%s: gradient of length %g, slope %g", p->name, sqrt(square), slope);
        mem_free(start);
        mem_free(way);
    }
}

size_t trained_same(const struct trained *a, const struct trained *b) {
    size_t n = 0;
    for (size_t i = 0; i < parameters_count(a->model->parameters); i++) {
        const struct parameter *p = parameters_at(a->model->parameters, i);
        const struct parameter *q = parameters_find(b->model->parameters, p->name);
        if (!q) continue;
        assert_int_equal(p->rows * p->cols, q->rows * q->cols);
        assert_memory_equal(p->value, q->value, p->rows * p->cols * sizeof *p->value);
        n++;
    }
    return n;
}

const struct dataset *trained_data(void) {
    static uint64_t start[TRAINED_USERS];
    static uint32_t length[TRAINED_USERS], item[TRAINED_USERS * TRAINED_LENGTH];
    static uint8_t cold[TRAINED_ITEMS + 1];
    static struct dataset data;
    for (uint32_t u = 0; u < TRAINED_USERS; u++) {
        struct rng r = rng_start(8, RNG_TEST, u);
        start[u] = u * TRAINED_LENGTH;
        length[u] = 1 + u % 5;
        for (uint32_t i = 0; i < length[u]; i++)
            item[start[u] + i] = 1 + (uint32_t)(rng_unit(&r) * rng_unit(&r) * TRAINED_ITEMS);
    }
    data = (struct dataset){.n_users = TRAINED_USERS, .n_items = TRAINED_ITEMS, .cold = cold,
                            .training = {.n = TRAINED_USERS, .n_items = TRAINED_ITEMS, .start = start,
                                         .length = length, .item = item}};
    return &data;
}

float *trained_matrix(size_t width, uint64_t seed) {
    float *x = mem_array(TRAINED_ITEMS * width, sizeof *x);
    assert_non_null(x);
    struct rng r = rng_start(seed, RNG_TEST, 1);
    for (size_t i = 0; i < TRAINED_ITEMS * width; i++) x[i] = (float)rng_normal(&r);
    return x;
}
