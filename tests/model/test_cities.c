/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cities.h"

#include "base/alloc.h"
#include "base/size.h"
#include "model/losses.h"
#include "tensor/ops.h"
#include "trained.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define REST "\"cities-window\": 2, \"cities-heads\": 4, \"cities-layers\": 2, \"cities-max-shot\": 3, " \
             "\"cities-lr\": 0.01, \"cities-val\": 0.1, \"batch\": 16"

static const struct cities *open(struct trained *t, enum backbone b, const char *options) {
    t->inputs.data = trained_data();
    trained_open(t, b, &method_cities, options, NULL, 0, 0.5);
    return t->model->state;
}

static const struct prelude *prelude(void) {
    return method_cities.prelude;
}

static void steps(struct trained *t, int n) {
    parameters_set_adam(t->model->parameters, &prelude()->adam);
    for (int i = 0; i < n; i++) {
        struct step_losses losses;
        assert_int_equal(prelude()->step(t->model, &losses, NULL), GENAIR_OK);
        assert_true(losses.total > 0);
        assert_int_equal(parameters_adam(t->model->parameters, NULL), GENAIR_OK);
    }
}

/* Contexts of fewer than three items do not count; the others hold their window, the item itself hidden. */
static void contexts(void **state) {
    (void)state;
    struct trained t = {0};
    const struct cities *s = open(&t, SASREC, "{\"cities-head-min\": 1, " REST "}");
    const struct item_lists *all = &trained_data()->training;
    size_t expected = 0;
    for (uint32_t u = 0; u < TRAINED_USERS; u++) expected += all->length[u] > 2 ? all->length[u] : 0;
    assert_int_equal(s->seen.start[TRAINED_ITEMS + 1], expected);
    tape_reset(&t.model->tape, false, 0);
    for (uint32_t i = 1; i <= TRAINED_ITEMS; i++) {
        struct cities_sample sample;
        const size_t first = s->seen.start[i], n = s->seen.start[i + 1] - first;
        assert_true(cities_sample_open(&t.model->tape, s, 1, n, &sample));
        cities_add_whole(&sample, s, i);
        assert_int_equal(sample.group[1], n);
        for (size_t c = 0; c < n; c++) {
            const struct context *context = &s->seen.context[first + c];
            const uint32_t *history = all->item + all->start[context->user], place = context->place;
            assert_int_equal(history[place], i);
            assert_int_equal(sample.offsets[c + 1] - sample.offsets[c],
                             min_size(place, 2) + 1 + min_size(all->length[context->user] - 1 - place, 2));
            for (uint32_t k = sample.offsets[c]; k < sample.offsets[c + 1]; k++) {
                const uint32_t at = place + sample.slot[k] - 2;
                assert_int_equal(sample.item[k], at == place ? MASK_ROW : history[at]);
            }
        }
    }
    trained_close(&t);
}

static void head_and_tail(void **state) {
    (void)state;
    struct trained t = {0};
    const struct cities *s = open(&t, SASREC, "{\"cities-head-min\": 1, " REST "}");
    uint8_t seen[TRAINED_ITEMS + 1] = {0};
    for (size_t i = 0; i < s->n_held + s->n_learning; i++) {
        assert_false(seen[s->held[i]]++);
        assert_in_range(s->seen.count[s->held[i]], 2, TRAINED_USERS * TRAINED_LENGTH);
    }
    size_t head = 0;
    for (uint32_t i = 1; i <= TRAINED_ITEMS; i++) head += s->seen.count[i] > 1 && s->seen.start[i + 1] > s->seen.start[i];
    assert_int_equal(head, s->n_held + s->n_learning);
    assert_int_equal(s->n_held, max_size(1, head / 10));
    trained_close(&t);
    s = open(&t, SASREC, "{\"cities-head\": \"pareto\", \"melt-pareto\": 0.52, " REST "}");
    double counts[TRAINED_ITEMS];
    size_t below = 0, n = 0;
    for (uint32_t i = 1; i <= TRAINED_ITEMS; i++) {
        if (s->seen.count[i]) counts[n++] = s->seen.count[i];
    }
    for (size_t i = 0; i < n; i++) below += counts[i] <= s->threshold;
    assert_in_range(2 * below, n, 2 * n - 1); /* the median */
    trained_close(&t);
}

static void too_few(void **state) {
    (void)state;
    struct trained t = {.inputs = {.options = json_loads("{\"cities-head-min\": 1000, " REST "}", 0, NULL),
                                   .data = trained_data()}};
    struct model_config c = {.backbone = SASREC, .n_items = TRAINED_ITEMS, .hidden = TRAINED_WIDTH, .n_layers = 1,
                             .n_heads = 1, .n_positions = 8, .method = &method_cities, .inputs = &t.inputs};
    genair_status st = {0};
    assert_int_equal(parallel_create(1, &t.parallel, NULL), GENAIR_OK);
    assert_int_equal(model_create(&c, NULL, t.parallel, kernels_select(NULL), &(struct adam_options){0}, 5, &t.model, &st),
                     GENAIR_USAGE);
    assert_non_null(strstr(st.message, "0 occur more than 1000 times in histories of at least 3; lower --cities-head-min"));
    c.hidden = 6;
    st = (genair_status){0};
    assert_int_equal(model_create(&c, NULL, t.parallel, kernels_select(NULL), &(struct adam_options){0}, 5, &t.model, &st),
                     GENAIR_USAGE);
    assert_non_null(strstr(st.message, "--cities-heads 4 does not divide --hidden 6"));
    trained_close(&t);
}

/* Three contexts of an item in the order given, the first one mirrored or not. out: [TRAINED_WIDTH] */
static void infer_three(struct trained *t, const int order[3], bool mirrored, float *out) {
    static const uint32_t items[3][4] = {{3, 7, MASK_ROW, 9}, {MASK_ROW, 4, 5, 0}, {1, MASK_ROW, 2, 8}};
    static const uint32_t slots[3][4] = {{0, 1, 2, 3}, {2, 3, 4, 0}, {1, 2, 3, 4}};
    static const uint32_t length[3] = {4, 3, 4};
    const struct cities *s = t->model->state;
    struct cities_sample sample;
    tape_reset(&t->model->tape, false, 0);
    parameters_begin_step(t->model->parameters);
    assert_true(cities_sample_open(&t->model->tape, s, 1, 3, &sample));
    for (int c = 0; c < 3; c++) {
        for (uint32_t k = 0; k < length[order[c]]; k++) {
            const uint32_t slot = slots[order[c]][k];
            sample.item[sample.n_tokens] = items[order[c]][k];
            sample.slot[sample.n_tokens++] = mirrored && order[c] == 0 ? 4 - slot : slot;
        }
        sample.drawn[sample.n_drawn++] = (uint32_t)sample.n_contexts;
        sample.offsets[++sample.n_contexts] = (uint32_t)sample.n_tokens;
    }
    cities_end_item(&sample);
    const struct tensor *inferred = cities_infer(t->model, &sample);
    assert_non_null(inferred);
    memcpy(out, inferred->value, TRAINED_WIDTH * sizeof *out);
}

static double farthest(const float *a, const float *b) {
    double most = 0;
    for (size_t i = 0; i < TRAINED_WIDTH; i++) { /* fmax here ends GCC 12 for aarch64 with an internal error */
        const double here = fabs((double)a[i] - (double)b[i]);
        if (here > most) most = here;
    }
    return most;
}

/* The order of contexts does not matter (but for the rounding of float32 sums), left and right do. */
static void order_of_contexts(void **state) {
    (void)state;
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0};
        float plain[TRAINED_WIDTH], permuted[TRAINED_WIDTH], mirrored[TRAINED_WIDTH];
        open(&t, (enum backbone)b, "{\"cities-head-min\": 1, " REST "}");
        steps(&t, 3);
        infer_three(&t, (const int[]){0, 1, 2}, false, plain);
        infer_three(&t, (const int[]){2, 0, 1}, false, permuted);
        infer_three(&t, (const int[]){0, 1, 2}, true, mirrored);
        assert_true(farthest(plain, permuted) < 1e-6);
        assert_true(farthest(plain, mirrored) > 1e-4);
        trained_close(&t);
    }
}

/* Rows of rare items that have contexts become F's, of the table as it was; nothing else changes. */
static void replaces_rare_rows(void **state) {
    (void)state;
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0}, untouched = {0};
        const struct cities *s = open(&t, (enum backbone)b, "{\"cities-head-min\": 2, " REST "}");
        open(&untouched, (enum backbone)b, "{\"cities-head-min\": 2, " REST "}");
        steps(&t, 5);
        const float *table = parameters_find(t.model->parameters, "item_emb")->value;
        float before[(TRAINED_ITEMS + 1) * TRAINED_WIDTH];
        float *inferred = mem_zeros((TRAINED_ITEMS + 1) * TRAINED_WIDTH, sizeof *inferred);
        memcpy(before, table, sizeof before);
        for (uint32_t i = 1; i <= TRAINED_ITEMS; i++) {
            struct cities_sample sample;
            const size_t n = s->seen.start[i + 1] - s->seen.start[i];
            if (n == 0) continue;
            tape_reset(&t.model->tape, false, 0);
            parameters_begin_step(t.model->parameters);
            assert_true(cities_sample_open(&t.model->tape, s, 1, n, &sample));
            cities_add_whole(&sample, s, i);
            memcpy(inferred + i * TRAINED_WIDTH, cities_infer(t.model, &sample)->value, TRAINED_WIDTH * sizeof *inferred);
        }
        assert_int_equal(prelude()->finish(t.model, NULL), GENAIR_OK);
        size_t replaced = 0, without_contexts = 0;
        for (uint32_t i = 0; i <= TRAINED_ITEMS; i++) {
            const bool rare = i > 0 && s->seen.count[i] <= 2, known = i > 0 && s->seen.start[i + 1] > s->seen.start[i];
            const float *expected = (rare && known ? inferred : before) + i * TRAINED_WIDTH;
            assert_memory_equal(table + i * TRAINED_WIDTH, expected, TRAINED_WIDTH * sizeof *table);
            replaced += rare && known;
            without_contexts += rare && !known;
        }
        assert_in_range(replaced, 1, TRAINED_ITEMS);
        assert_in_range(without_contexts, 1, TRAINED_ITEMS);
        for (size_t i = 0; i < parameters_count(t.model->parameters); i++) {
            const struct parameter *p = parameters_at(t.model->parameters, i), *q = parameters_at(untouched.model->parameters, i);
            const bool learns = strncmp(p->name, "cities.", 7) == 0 || strcmp(p->name, "item_emb") == 0;
            assert_int_equal(memcmp(p->value, q->value, p->rows * p->cols * sizeof *p->value) == 0, !learns);
        }
        mem_free(inferred);
        trained_close(&t);
        trained_close(&untouched);
    }
}

/* Where every item is frequent, none is replaced. */
static void without_tail(void **state) {
    (void)state;
    struct trained t = {0};
    open(&t, SASREC, "{\"cities-head-min\": 0, " REST "}");
    steps(&t, 2);
    const struct parameter *table = parameters_find(t.model->parameters, "item_emb");
    float before[(TRAINED_ITEMS + 1) * TRAINED_WIDTH];
    memcpy(before, table->value, sizeof before);
    assert_int_equal(prelude()->finish(t.model, NULL), GENAIR_OK);
    assert_memory_equal(before, table->value, sizeof before);
    trained_close(&t);
}

/* The model goes on training around a table that stays. */
static void frozen_table(void **state) {
    (void)state;
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0};
        open(&t, (enum backbone)b, "{\"cities-head-min\": 1, " REST "}");
        const struct parameter *table = parameters_find(t.model->parameters, "item_emb");
        float before[(TRAINED_ITEMS + 1) * TRAINED_WIDTH];
        memcpy(before, table->value, sizeof before);
        parameters_set_adam(t.model->parameters, &(struct adam_options){1e-2, 0.9, 0.999, 1e-8, 1e-2});
        const double first = trained_steps(&t, 1).rank;
        double last = 0;
        for (int i = 0; i < 30; i++) last = trained_steps(&t, 8).rank;
        assert_true(last < first);
        assert_memory_equal(before, table->value, sizeof before);
        trained_close(&t);
    }
}

/* Without dropout, from all contexts of 32 items at every step, F knows their vectors by heart. */
static void memorises(void **state) {
    (void)state;
    enum { HEAD = 32, USERS = 32, LENGTH = 4, WIDTH = 32, STEPS = 800 };
    static uint64_t start[USERS];
    static uint32_t length[USERS], item[USERS * LENGTH];
    for (uint32_t u = 0; u < USERS; u++) {
        start[u] = u * LENGTH;
        length[u] = LENGTH;
        for (uint32_t i = 0; i < LENGTH; i++) { /* every item once a round, in an order of the round's own */
            const uint32_t round = (u * LENGTH + i) / HEAD;
            item[start[u] + i] = 1 + ((u * LENGTH + i) * (2 * round + 3) + 5 * round) % HEAD;
        }
    }
    const struct dataset data = {.n_users = USERS, .n_items = HEAD,
                                 .training = {.n = USERS, .n_items = HEAD, .start = start, .length = length, .item = item}};
    struct trained t = {.inputs = {.options = json_loads("{\"cities-head-min\": 0, " REST "}", 0, NULL), .data = &data}};
    const struct model_config c = {.backbone = GRU4REC, .n_items = HEAD, .hidden = WIDTH, .n_layers = 1, .n_heads = 1,
                                   .n_positions = LENGTH + 1, .method = &method_cities, .inputs = &t.inputs};
    const struct adam_options adam = {3e-3, 0.9, 0.999, 1e-6, 0};
    assert_int_equal(parallel_create(1, &t.parallel, NULL), GENAIR_OK);
    assert_int_equal(model_create(&c, NULL, t.parallel, kernels_select(NULL), &adam, 5, &t.model, NULL), GENAIR_OK);
    struct model *m = t.model;
    struct cities *s = m->state;
    assert_int_equal(s->n_learning + s->n_held, HEAD);
    s->dropout = s->attention_dropout = 0;
    double variance = 0, error = 0;
    float weight[HEAD];
    for (size_t i = 0; i < HEAD * WIDTH; i++) variance += (double)m->fused[i] * (double)m->fused[i] / (HEAD * WIDTH);
    for (size_t i = 0; i < HEAD; i++) weight[i] = 1.0f / (HEAD * WIDTH);
    for (int step = 1; step <= STEPS; step++) {
        struct cities_sample sample;
        tape_reset(&m->tape, true, (uint64_t)step);
        parameters_begin_step(m->parameters);
        assert_true(cities_sample_open(&m->tape, s, HEAD, USERS * LENGTH, &sample));
        for (uint32_t i = 1; i <= HEAD; i++) cities_add_whole(&sample, s, i);
        struct tensor *truth = tape_tensor(&m->tape, HEAD, WIDTH, false);
        memcpy(truth->value, m->fused, HEAD * WIDTH * sizeof *truth->value);
        error = square_loss(&m->tape, cities_infer(m, &sample), truth, weight);
        tape_backward(&m->tape);
        parameters_set_rate(m->parameters, 3e-3 * (STEPS - step) / STEPS);
        assert_int_equal(parameters_adam(m->parameters, NULL), GENAIR_OK);
        if (error < 0.01 * variance) break;
    }
    if (!(error < 0.01 * variance)) fail_msg("error %g, variance %g", error, variance);
    trained_close(&t);
}

/* Validation sees the same contexts every time, and a better F as better. */
static void validation(void **state) {
    (void)state;
    struct trained t = {0};
    double first = 0, again = 0, later = 0;
    open(&t, BERT4REC, "{\"cities-head-min\": 1, " REST "}");
    assert_int_equal(prelude()->error(t.model, &first, NULL), GENAIR_OK);
    assert_int_equal(prelude()->error(t.model, &again, NULL), GENAIR_OK);
    assert_true(first == again && first > 0);
    steps(&t, 60);
    assert_int_equal(prelude()->error(t.model, &later, NULL), GENAIR_OK);
    assert_true(later < first);
    trained_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(contexts), cmocka_unit_test(head_and_tail), cmocka_unit_test(too_few),
                                       cmocka_unit_test(order_of_contexts), cmocka_unit_test(replaces_rare_rows),
                                       cmocka_unit_test(without_tail), cmocka_unit_test(frozen_table),
                                       cmocka_unit_test(memorises), cmocka_unit_test(validation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
