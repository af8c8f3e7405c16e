/* SPDX-License-Identifier: Apache-2.0 */
#include "model/melt.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "trained.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define OFF "\"melt-update\": \"no\", \"melt-user-map\": \"no\", "
#define REST "\"melt-pareto\": 0.5, \"melt-beta\": 1.0, \"melt-gamma\": 0.0, \"melt-lmax\": 50, \"epochs\": 4"

static void open(struct trained *t, enum backbone b, const char *options, double dropout) {
    t->inputs.data = trained_data();
    trained_open(t, b, &method_melt, options, NULL, 0, dropout);
}

static void without_weights_is_base(void **state) {
    (void)state;
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained base = {0}, melt = {0};
        trained_open(&base, (enum backbone)b, &method_base, "{}", NULL, 0, 0.5);
        open(&melt, (enum backbone)b, "{\"melt-lambda-user\": 0, \"melt-lambda-item\": 0, " OFF REST "}", 0.5);
        assert_int_equal(model_begin_epoch(melt.model, NULL), GENAIR_OK);
        trained_steps(&base, 4);
        trained_steps(&melt, 4);
        assert_int_equal(trained_same(&base, &melt), parameters_count(base.model->parameters));
        trained_close(&base);
        trained_close(&melt);
    }
}

static void near(double found, double expected) {
    if (!(fabs(found - expected) < 1e-6)) fail_msg("expected %.6f, found %.6f", expected, found);
}

/* docs/methods.md's formulas at a few points. */
static void curriculum(void **state) {
    (void)state;
    static const double lengths[] = {9, 20, 30, 50}, counts[] = {6, 20, 55, 500};
    static const double users[3][4] = {{0, .409069, .720522, 1}, {.707107, .934493, .999817, .707107},
                                       {1, .912504, .693433, 0}};
    static const double items[2][4] = {{0, .425779, .999507, .999507}, {1, .904827, .031411, .031411}};
    for (int i = 0; i < 4; i++) {
        for (int e = 0; e < 3; e++) near(melt_weight(e / 2.0, melt_user_turn(lengths[i], 8, 50)), users[e][i]);
        for (int e = 0; e < 2; e++) near(melt_weight(e, melt_item_turn(counts[i], 5)), items[e][i]);
    }
    near(melt_user_turn(60, 50, 50), 0);
}

/* One interaction: a context forward, none backward. Every context ends in its item. */
static void contexts(void **state) {
    (void)state;
    const struct dataset *data = trained_data();
    const uint32_t *length = data->training.length;
    struct melt *s = mem_zeros(1, sizeof *s);
    assert_non_null(s);
    assert_int_equal(melt_deal(s, data, 0.5, true, NULL), GENAIR_OK);
    size_t n = 0, single = 0;
    for (uint32_t i = 1; i <= TRAINED_ITEMS; i++)
        for (uint64_t c = s->seen.start[i]; c < s->seen.start[i + 1]; c++) {
            uint32_t items[TRAINED_LENGTH];
            const struct context *context = &s->seen.context[c];
            const size_t all = melt_context_items(s, context, TRAINED_LENGTH, items);
            assert_int_equal(all, context->backward ? length[context->user] - context->place : context->place + 1);
            assert_int_equal(items[all - 1], i);
            assert_int_equal(items[0], data->training.item[data->training.start[context->user] + (context->backward ? length[context->user] - 1 : 0)]);
            assert_int_equal(melt_context_items(s, context, 1, items), 1);
            assert_int_equal(items[0], i);
            single += length[context->user] == 1;
            n++;
        }
    size_t expected = 0, of_one = 0;
    for (uint32_t u = 0; u < TRAINED_USERS; u++) {
        expected += length[u] == 1 ? 1 : 2 * length[u];
        of_one += length[u] == 1;
    }
    assert_int_equal(n, expected);
    assert_int_equal(single, of_one);
    melt_free(s);
}

static void clear(struct model *m, const char *map) {
    char name[64];
    snprintf(name, sizeof name, "%s.weight", map);
    parameter_fill(parameters_find(m->parameters, name), 0);
    snprintf(name, sizeof name, "%s.bias", map);
    parameter_fill(parameters_find(m->parameters, name), 0);
}

/* T_I = 0: rare items become 0, the others stay. T_U = 0: the model's own user vectors. */
static void maps_of_zeros(void **state) {
    (void)state;
    struct trained t = {0};
    open(&t, SASREC, "{\"melt-lambda-user\": 0.1, \"melt-lambda-item\": 0.4, " REST "}", 0);
    const struct melt *s = t.model->state;
    clear(t.model, "melt.item_map");
    float before[(TRAINED_ITEMS + 1) * TRAINED_WIDTH];
    memcpy(before, t.model->table->value, sizeof before);
    assert_int_equal(model_begin_epoch(t.model, NULL), GENAIR_OK);
    size_t rare = 0;
    for (size_t i = 1; i <= TRAINED_ITEMS; i++) {
        const bool is_rare = s->seen.count[i] > 0 && s->seen.count[i] <= s->item_threshold;
        rare += is_rare;
        for (size_t c = 0; c < TRAINED_WIDTH; c++) {
            const float now = t.model->table->value[i * TRAINED_WIDTH + c];
            assert_true(now == (is_rare ? 0 : before[i * TRAINED_WIDTH + c]));
        }
    }
    assert_in_range(rare, 1, TRAINED_ITEMS - 1);
    trained_steps(&t, 3);
    const uint64_t offsets[] = {0, 2, 4};
    const uint32_t known[] = {1, 50};
    const struct histories h = {2, offsets, (const uint32_t[]){1, 2, 1, 2}, known};
    float plain[2 * TRAINED_WIDTH], mapped[2 * TRAINED_WIDTH];
    assert_int_equal(model_states(t.model, &h, plain, NULL), GENAIR_OK);
    assert_int_equal(model_encode(t.model, &h, mapped, NULL), GENAIR_OK);
    assert_memory_not_equal(plain, mapped, TRAINED_WIDTH * sizeof *plain); /* tail */
    assert_memory_equal(plain + TRAINED_WIDTH, mapped + TRAINED_WIDTH, TRAINED_WIDTH * sizeof *plain); /* head */
    clear(t.model, "user_map");
    assert_int_equal(model_encode(t.model, &h, mapped, NULL), GENAIR_OK);
    assert_memory_equal(plain, mapped, sizeof plain);
    trained_close(&t);
}

/* A rare item's new vector is the map of the mean of its contexts' states, each read by itself, also of histories that are
 * longer than the model's. */
static void replaces_rare_items(void **state) {
    (void)state;
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0};
        open(&t, (enum backbone)b, "{\"melt-lambda-user\": 0.1, \"melt-lambda-item\": 0.4, " REST "}", 0);
        const struct melt *s = t.model->state;
        struct parameter *map = parameters_find(t.model->parameters, "melt.item_map.weight");
        clear(t.model, "melt.item_map");
        for (size_t c = 0; c < TRAINED_WIDTH; c++) map->value[c * TRAINED_WIDTH + c] = 1;
        double expected[TRAINED_ITEMS + 1][TRAINED_WIDTH] = {{0}};
        assert_int_equal(model_refresh_items(t.model, NULL), GENAIR_OK);
        const size_t room = 3;
        t.model->config.n_positions = room + 1 + (b == BERT4REC);
        bool cut = false;
        for (uint32_t i = 1; i <= TRAINED_ITEMS; i++)
            for (uint64_t c = s->seen.start[i]; c < s->seen.start[i + 1]; c++) {
                uint32_t items[TRAINED_ITEMS * 4], n;
                float one[TRAINED_WIDTH];
                (void)dataset_training(s->seen.data, s->seen.context[c].user, &n);
                cut = cut || melt_context_length(&s->seen.context[c], n) > room;
                const uint64_t offsets[] = {0, melt_context_items(s, &s->seen.context[c], room, items)};
                assert_int_equal(model_states(t.model, &(struct histories){1, offsets, items, NULL}, one, NULL), GENAIR_OK);
                for (size_t k = 0; k < TRAINED_WIDTH; k++)
                    expected[i][k] += (double)one[k] / (double)(s->seen.start[i + 1] - s->seen.start[i]);
            }
        assert_true(cut);
        assert_int_equal(model_begin_epoch(t.model, NULL), GENAIR_OK);
        for (uint32_t i = 1; i <= TRAINED_ITEMS; i++)
            for (size_t k = 0; s->seen.count[i] > 0 && s->seen.count[i] <= s->item_threshold && k < TRAINED_WIDTH; k++)
                assert_float_equal(t.model->table->value[i * TRAINED_WIDTH + k], expected[i][k], 1e-5);
        trained_close(&t);
    }
}

/* Two passes of a step add up in what they share. */
static void gradients(void **state) {
    (void)state;
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0};
        struct batch batch;
        open(&t, (enum backbone)b, "{\"melt-lambda-user\": 0.5, \"melt-lambda-item\": 2, " REST "}", 0);
        trained_batch(&t, 0, &batch);
        trained_check_gradients(&t, &batch);
        trained_close(&t);
    }
}

/* Both losses fall when they weigh much. */
static void learns(void **state) {
    (void)state;
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0};
        open(&t, (enum backbone)b, "{\"melt-lambda-user\": 5, \"melt-lambda-item\": 20, " REST "}", 0);
        trained_steps(&t, 8);
        double first = 0, last = 0;
        for (int i = 0; i < 8; i++) first += trained_steps(&t, 8).calibration;
        for (int i = 0; i < 40; i++) last = trained_steps(&t, 8).calibration;
        if (!(last < 0.5 * first / 8)) fail_msg("%s: from %g to %g", backbone_names[b], first / 8, last);
        trained_close(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_weights_is_base), cmocka_unit_test(curriculum),
                                       cmocka_unit_test(contexts), cmocka_unit_test(maps_of_zeros), cmocka_unit_test(replaces_rare_items),
                                       cmocka_unit_test(gradients), cmocka_unit_test(learns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
