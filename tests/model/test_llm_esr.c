/* SPDX-License-Identifier: Apache-2.0 */
#include "model/llm_esr.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "tensor/ops.h"
#include "trained.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT = 12, VIEW = TRAINED_WIDTH / 2, ADAPTER = 10, FEW = 6 };

#define REST "\"esr-adapter\": 10, \"esr-cross-heads\": 2, \"esr-neighbours\": 3"
#define ALONE "{\"esr-alpha\": 0, \"esr-cross\": \"yes\", \"esr-distill\": \"mse\", " REST "}"
#define TAUGHT "{\"esr-alpha\": 0.1, \"esr-cross\": \"yes\", \"esr-distill\": \"mse\", " REST "}"

/* Histories of 0 to 5 items; similar to user u are the five after it. */
static uint64_t start[TRAINED_USERS];
static uint32_t length[TRAINED_USERS], item[TRAINED_USERS * TRAINED_LENGTH];
static uint8_t cold[TRAINED_ITEMS + 1];
static int32_t similar[TRAINED_USERS * SIMILAR_USERS];
static struct dataset data;
static float *text, *components;

static int set_up(void **state) {
    (void)state;
    for (uint32_t u = 0; u < TRAINED_USERS; u++) {
        struct rng r = rng_start(8, RNG_TEST, u);
        start[u] = u * TRAINED_LENGTH;
        length[u] = u % FEW;
        for (uint32_t i = 0; i < TRAINED_LENGTH; i++) item[start[u] + i] = 1 + (uint32_t)rng_below(&r, TRAINED_ITEMS - 1);
        for (size_t i = 0; i < SIMILAR_USERS; i++)
            similar[u * SIMILAR_USERS + i] = i < 5 ? (int32_t)((u + 1 + i) % TRAINED_USERS) : -1;
    }
    data = (struct dataset){.n_users = TRAINED_USERS, .n_items = TRAINED_ITEMS, .cold = cold,
                            .training = {.n = TRAINED_USERS, .n_items = TRAINED_ITEMS, .start = start, .length = length,
                                         .item = item}};
    text = trained_matrix(TEXT, 1);
    components = trained_matrix(VIEW, 2);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    mem_free(text);
    mem_free(components);
    return 0;
}

static void open(struct trained *t, enum backbone b, const char *options, const int32_t *users, double dropout) {
    t->inputs.data = &data;
    t->inputs.similar = users;
    t->inputs.matrix[1] = (struct method_matrix){components, VIEW};
    trained_open(t, b, &method_llm_esr, options, text, TEXT, dropout);
}

static void alpha_0_is_without_users(void **state) {
    (void)state;
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained without = {0}, with = {0}, taught = {0};
        open(&without, (enum backbone)b, ALONE, NULL, 0.5);
        open(&with, (enum backbone)b, ALONE, similar, 0.5);
        open(&taught, (enum backbone)b, TAUGHT, similar, 0.5);
        trained_steps(&without, 4);
        trained_steps(&with, 4);
        const struct step_losses losses = trained_steps(&taught, 4);
        assert_int_equal(trained_same(&without, &with), parameters_count(with.model->parameters));
        assert_true(losses.calibration > 0);
        assert_true(fabs(losses.total - losses.rank - 0.1 * losses.calibration) < 1e-12);
        const struct parameter *p = without.model->table, *q = taught.model->table;
        assert_memory_not_equal(p->value, q->value, p->rows * p->cols * sizeof *p->value);
        trained_close(&without);
        trained_close(&with);
        trained_close(&taught);
    }
}

/* The batch of the data's own training parts, as train/batches.h makes it of users with two items and more. */
static void own_batch(enum backbone backbone, struct batch *out) {
    static uint32_t offsets[TRAINED_USERS + 1], items[TRAINED_USERS * TRAINED_LENGTH], position[TRAINED_USERS * TRAINED_LENGTH],
        positive[TRAINED_USERS * TRAINED_LENGTH], negative[TRAINED_USERS * TRAINED_LENGTH], user[TRAINED_USERS];
    static bool last_hidden[TRAINED_USERS];
    uint32_t at = 0, n = 0, n_users = 0;
    for (uint32_t u = 0; u < TRAINED_USERS; u++) {
        if (length[u] < 2) continue;
        const uint32_t inputs = length[u] - (backbone != BERT4REC);
        for (uint32_t i = 0; i < inputs; i++) {
            const bool last = i + 1 == inputs;
            items[at] = backbone == BERT4REC && last ? MASK_ROW : item[start[u] + i];
            if (last) {
                position[n] = at;
                positive[n] = item[start[u] + length[u] - 1];
                negative[n++] = 1 + u;
            }
            at++;
        }
        user[n_users] = u;
        last_hidden[n_users++] = true;
        offsets[n_users] = at;
    }
    *out = (struct batch){.n_sequences = n_users, .offsets = offsets, .items = items, .n_targets = n, .position = position,
                          .positive = positive, .n_negatives = 1, .negatives = negative, .user = user,
                          .last_hidden = backbone == BERT4REC ? last_hidden : NULL, .epoch = 1, .n_batches = 1};
}

static struct step_losses step(struct trained *t, const struct batch *b) {
    struct step_losses losses;
    genair_status st = {0};
    if (model_step(t->model, b, &(struct objective){.loss = LOSS_BCE}, &losses, &st) != GENAIR_OK) fail_msg("%s", st.message);
    return losses;
}

/* Of users whose similar users have their own history nothing is to be learnt. Each is read once. */
static void own_history_is_no_distance(void **state) {
    (void)state;
    uint32_t lengths[TRAINED_USERS], items[TRAINED_USERS * TRAINED_LENGTH];
    static int32_t groups[TRAINED_USERS * SIMILAR_USERS];
    memcpy(lengths, length, sizeof lengths);
    memcpy(items, item, sizeof items);
    for (uint32_t u = 0; u < TRAINED_USERS; u++) { /* three users with one history */
        length[u] = 2 + u / 3 % 4;
        memcpy(item + start[u], items + u / 3 * TRAINED_LENGTH, TRAINED_LENGTH * sizeof *item);
        for (size_t i = 0; i < SIMILAR_USERS; i++)
            groups[u * SIMILAR_USERS + i] = i < 2 ? (int32_t)(u / 3 * 3 + (u + 1 + i) % 3) : -1;
    }
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0};
        struct batch batch;
        open(&t, (enum backbone)b, TAUGHT, groups, 0);
        own_batch((enum backbone)b, &batch);
        assert_true(fabs(step(&t, &batch).calibration) < 1e-10);
        const struct esr *s = t.model->state;
        assert_int_equal(s->step.n, TRAINED_USERS);
        assert_int_equal(s->step.n_teachers, TRAINED_USERS);
        assert_int_equal(s->step.start[s->step.n], 2 * TRAINED_USERS);
        length[4]++; /* another item is the last one of user 4: its history is longer */
        assert_true(step(&t, &batch).calibration > 1e-6);
        length[4]--;
        trained_close(&t);
    }
    memcpy(length, lengths, sizeof lengths);
    memcpy(item, items, sizeof items);
}

/* Users without two training items teach nobody, and the next similar ones take their place; samples that hide something
 * else than the last item do not learn. */
static void who_teaches(void **state) {
    (void)state;
    struct trained t = {0};
    struct batch batch;
    open(&t, BERT4REC, TAUGHT, similar, 0);
    own_batch(BERT4REC, &batch);
    (void)step(&t, &batch);
    const struct esr *s = t.model->state;
    assert_int_equal(s->step.n, batch.n_sequences);
    for (size_t i = 0; i < s->step.n; i++) assert_int_equal(s->step.start[i + 1] - s->step.start[i], 3);
    assert_int_equal(s->step.n_teachers, batch.n_sequences); /* distinct, and of two items and more, as the batch's */
    for (size_t i = 0; i < s->step.n_teachers; i++)
        assert_int_equal(s->step.items[s->step.offsets[i + 1] - 1], MASK_ROW);
    static const bool none[TRAINED_USERS] = {0};
    batch.last_hidden = none;
    assert_true(step(&t, &batch).calibration == 0);
    trained_close(&t);
}

static const struct parameter *named(const struct trained *t, const char *cross, const char *part) {
    char name[64];
    snprintf(name, sizeof name, "%s.%s", cross, part);
    const struct parameter *p = parameters_find(t->model->parameters, name);
    assert_non_null(p);
    return p;
}

/* A history of one item is all that is seen: W_o W_v x + b, whoever asks. */
static void one_item_is_seen_whole(void **state) {
    (void)state;
    static const uint32_t offsets[] = {0, 1, 2, 3};
    struct trained t = {0};
    open(&t, SASREC, ALONE, NULL, 0);
    for (int k = 1; k <= 2; k++) {
        char name[16];
        snprintf(name, sizeof name, "cross%d", k);
        tape_reset(&t.model->tape, false, 0);
        parameters_begin_step(t.model->parameters);
        struct tensor *x = tape_view(&t.model->tape, 3, VIEW, text, NULL), *asking = tape_view(&t.model->tape, 3, VIEW, text + 20, NULL);
        const struct tensor *y = esr_cross(t.model, name, asking, x, offsets, 3);
        const float *v = named(&t, name, "value")->value, *o = named(&t, name, "out.weight")->value;
        const float *b = named(&t, name, "out.bias")->value;
        for (size_t r = 0; r < 3; r++)
            for (size_t i = 0; i < VIEW; i++) {
                double expected = (double)b[i];
                for (size_t j = 0; j < VIEW; j++)
                    for (size_t c = 0; c < VIEW; c++)
                        expected += (double)o[i * VIEW + j] * (double)v[j * VIEW + c] * (double)text[r * VIEW + c];
                assert_true(fabs((double)y->value[r * VIEW + i] - expected) < 1e-5);
            }
    }
    trained_close(&t);
}

/* Text of zeros and no cross-attention: base of half the width, whose table is the principal components. */
static void without_text_is_base(void **state) {
    (void)state;
    static const uint64_t offsets[] = {0, 1, 4, 9};
    static const uint32_t history[] = {3, 1, 2, 3, 9, 8, 7, 6, 5};
    const struct histories h = {.n = 3, .offsets = offsets, .items = history};
    float *nothing = mem_zeros(TRAINED_ITEMS * TEXT, sizeof *nothing);
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0};
        t.inputs.data = &data;
        t.inputs.matrix[1] = (struct method_matrix){components, VIEW};
        trained_open(&t, (enum backbone)b, &method_llm_esr,
                     "{\"esr-alpha\": 0, \"esr-cross\": \"no\", \"esr-adapter\": 10}", nothing, TEXT, 0);
        struct model_config c = t.model->config;
        struct model *base;
        c.hidden = VIEW;
        c.fused_width = 0;
        c.method = &method_base;
        assert_int_equal(model_create(&c, NULL, t.parallel, kernels_select(NULL), &(struct adam_options){0}, 5, &base, NULL),
                         GENAIR_OK);
        for (size_t i = 0; i < parameters_count(base->parameters); i++) {
            struct parameter *to = parameters_at(base->parameters, i);
            const struct parameter *from = to == base->table ? t.model->table : parameters_find(t.model->parameters, to->name);
            assert_non_null(from);
            assert_int_equal(to->rows * to->cols, from->rows * from->cols);
            memcpy(to->value, from->value, to->rows * to->cols * sizeof *to->value);
        }
        assert_int_equal(model_refresh_items(t.model, NULL), GENAIR_OK);
        assert_int_equal(model_refresh_items(base, NULL), GENAIR_OK);
        float u[3 * TRAINED_WIDTH], plain[3 * VIEW];
        assert_int_equal(model_encode(t.model, &h, u, NULL), GENAIR_OK);
        assert_int_equal(model_encode(base, &h, plain, NULL), GENAIR_OK);
        for (size_t i = 1; i <= TRAINED_ITEMS; i++) {
            const float *e = t.model->item_vectors + i * TRAINED_WIDTH;
            assert_memory_equal(e, base->item_vectors + i * VIEW, VIEW * sizeof *e);
            for (size_t k = VIEW; k < TRAINED_WIDTH; k++) assert_true(e[k] == 0);
        }
        for (size_t r = 0; r < 3; r++) assert_memory_equal(u + r * TRAINED_WIDTH, plain + r * VIEW, VIEW * sizeof *u);
        model_free(base);
        trained_close(&t);
    }
    mem_free(nothing);
}

/* An item that only a similar user has: it changes the loss, and gets no gradient. */
static void teachers_are_constants(void **state) {
    (void)state;
    enum { TEACHER = 3, LONELY = TRAINED_ITEMS };
    const uint32_t before = item[start[TEACHER]];
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0};
        struct batch batch;
        open(&t, (enum backbone)b, TAUGHT, similar, 0);
        own_batch((enum backbone)b, &batch); /* has its items before the change, its own of TEACHER too */
        const double plain = step(&t, &batch).calibration;
        item[start[TEACHER]] = LONELY;
        const double changed = step(&t, &batch).calibration;
        assert_true(fabs(plain - changed) > 1e-7);
        const struct parameter *p = t.model->table;
        size_t found = 0;
        double others = 0;
        for (size_t i = 0; i < p->n_touched; i++)
            for (size_t c = 0; c < VIEW; c++) {
                const float g = p->touched_gradient[i * VIEW + c];
                if (p->touched[i] == LONELY) assert_true(g == 0);
                if (p->touched[i] == LONELY) found++;
                else others += fabs((double)g);
            }
        assert_int_equal(found, VIEW);
        assert_true(others > 0);
        p->value[LONELY * VIEW] += 0.5f;
        assert_true(fabs(step(&t, &batch).calibration - changed) > 1e-9);
        item[start[TEACHER]] = before;
        trained_close(&t);
    }
}

static void counts_its_parameters(void **state) {
    (void)state;
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0}, plain = {0};
        open(&t, (enum backbone)b, TAUGHT, similar, 0);
        plain.inputs.data = &data;
        plain.inputs.matrix[1] = t.inputs.matrix[1];
        trained_open(&plain, (enum backbone)b, &method_llm_esr, "{\"esr-alpha\": 0, \"esr-cross\": \"no\", \"esr-adapter\": 1}",
                     text, TEXT, 0);
        const size_t h = VIEW, cross = 2 * (4 * h * h + h);
        const size_t adapter = TEXT * ADAPTER + ADAPTER + ADAPTER * h + h, least = TEXT + 1 + h + h;
        assert_int_equal(parameters_values(t.model->parameters), parameters_values(plain.model->parameters) + cross + adapter - least);
        trained_close(&t);
        trained_close(&plain);
    }
    assert_int_equal(1536 * 768 + 768 + 768 * 64 + 64, 1229632); /* the same at the paper's sizes */
    assert_int_equal(2 * (4 * 64 * 64 + 64), 32896);
}

/* States of the items 1, 2, 3, … n of one sequence. */
static void states_of(struct trained *t, uint32_t last, size_t n, float *out) {
    uint32_t index[8];
    const uint32_t offsets[] = {0, (uint32_t)n};
    for (uint32_t i = 0; i < n; i++) index[i] = i + 1 == n ? last : i + 1;
    tape_reset(&t->model->tape, false, 0);
    parameters_begin_step(t->model->parameters);
    struct tensor *table = tape_view(&t->model->tape, TRAINED_ITEMS + 1, TRAINED_WIDTH, t->model->item_vectors, NULL);
    const struct tensor *h = model_backbone(t->model, table, index, offsets, 1);
    assert_non_null(h);
    memcpy(out, h->value, n * TRAINED_WIDTH * sizeof *out);
}

/* Causal: what comes later is not seen, through the other view neither. */
static void later_items_are_not_seen(void **state) {
    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        struct trained t = {0};
        float a[5 * TRAINED_WIDTH], b[5 * TRAINED_WIDTH];
        open(&t, SASREC, ALONE, NULL, 0);
        t.model->config.causal = causal;
        assert_int_equal(model_refresh_items(t.model, NULL), GENAIR_OK);
        states_of(&t, 5, 5, a);
        states_of(&t, 17, 5, b);
        if (causal)
            assert_memory_equal(a, b, 4 * TRAINED_WIDTH * sizeof *a);
        else
            assert_memory_not_equal(a, b, TRAINED_WIDTH * sizeof *a);
        assert_memory_not_equal(a + 4 * TRAINED_WIDTH, b + 4 * TRAINED_WIDTH, TRAINED_WIDTH * sizeof *a);
        trained_close(&t);
    }
}

static void gradients(void **state) {
    (void)state;
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0};
        struct batch batch;
        open(&t, (enum backbone)b, "{\"esr-alpha\": 0, \"esr-cross\": \"yes\", \"esr-item-reg\": 0.5, " REST "}", NULL, 0);
        trained_steps(&t, 5);
        trained_batch(&t, 0, &batch);
        trained_check_gradients(&t, &batch);
        trained_close(&t);
    }
}

/* Drawn hard to each other, users come nearer: in both forms. */
static void learns(void **state) {
    (void)state;
    static const char *const forms[] = {"mse", "soft"};
    for (int form = 0; form < 2; form++)
        for (int b = 0; b < N_BACKBONES; b++) {
            char options[256];
            struct trained t = {0};
            struct batch batch;
            double first = 0, last = 0;
            snprintf(options, sizeof options, "{\"esr-alpha\": 20, \"esr-cross\": \"yes\", \"esr-distill\": \"%s\", " REST "}",
                     forms[form]);
            open(&t, (enum backbone)b, options, similar, 0);
            own_batch((enum backbone)b, &batch);
            for (int i = 0; i < 60; i++) {
                last = step(&t, &batch).calibration;
                if (i == 0) first = last;
                assert_int_equal(parameters_adam(t.model->parameters, NULL), GENAIR_OK);
            }
            if (!(last < (form ? 1 : 0.5) * first))
                fail_msg("%s, %s: from %g to %g", backbone_names[b], forms[form], first, last);
            trained_close(&t);
        }
}

static void refuses(enum backbone b, size_t hidden, size_t heads, const char *options, const char *message) {
    struct trained t = {0};
    genair_status st = {0};
    struct model *m;
    t.inputs.data = &data;
    t.inputs.options = json_loads(options, 0, NULL);
    t.inputs.matrix[0] = (struct method_matrix){text, TEXT};
    assert_int_equal(parallel_create(1, &t.parallel, NULL), GENAIR_OK);
    const struct model_config c = {.backbone = b, .n_items = TRAINED_ITEMS, .hidden = hidden, .fused_width = TEXT, .n_layers = 1,
                                   .n_heads = heads, .n_positions = 9, .method = &method_llm_esr, .inputs = &t.inputs};
    assert_int_equal(model_create(&c, text, t.parallel, kernels_select(NULL), &(struct adam_options){0}, 5, &m, &st), GENAIR_USAGE);
    assert_non_null(strstr(st.message, message));
    json_decref((json_t *)(uintptr_t)t.inputs.options);
    parallel_free(t.parallel);
}

static void widths_that_cannot_be(void **state) {
    (void)state;
    refuses(GRU4REC, 7, 1, ALONE, "must be even");
    refuses(SASREC, 12, 4, ALONE, "--heads 4 does not divide");
    refuses(GRU4REC, 6, 1, ALONE, "--esr-cross-heads 2 does not divide");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alpha_0_is_without_users), cmocka_unit_test(own_history_is_no_distance),
        cmocka_unit_test(who_teaches),              cmocka_unit_test(one_item_is_seen_whole),
        cmocka_unit_test(without_text_is_base),     cmocka_unit_test(teachers_are_constants),
        cmocka_unit_test(counts_its_parameters),    cmocka_unit_test(later_items_are_not_seen),
        cmocka_unit_test(gradients),                cmocka_unit_test(learns),
        cmocka_unit_test(widths_that_cannot_be)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
