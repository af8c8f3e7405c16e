/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "trained.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { WIDTH = 12 };

/* A base run to align with: drawn, or after a few steps. */
static void open_base(struct trained *t, enum backbone backbone) {
    trained_open(t, backbone, &method_base, "{}", NULL, 0, 0.5);
    trained_steps(t, 3);
}

/* Weight 0 is the adapter alone: the base run's vectors do not matter. */
static void weight_0_is_the_adapter_alone(void **state) {
    (void)state;
    float *x = trained_matrix(WIDTH, 1);
    struct trained base = {0};
    open_base(&base, SASREC);
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained alone = {0}, beside = {0}, aligned = {0};
        beside.inputs.base = aligned.inputs.base = base.model;
        trained_open(&alone, (enum backbone)b, &method_llmemb, "{\"llmemb-alpha\": 0}", x, WIDTH, 0.5);
        trained_open(&beside, (enum backbone)b, &method_llmemb, "{\"llmemb-alpha\": 0}", x, WIDTH, 0.5);
        trained_open(&aligned, (enum backbone)b, &method_llmemb, "{\"llmemb-alpha\": 0.01, \"llmemb-tau\": 2}", x, WIDTH,
                     0.5);
        trained_steps(&alone, 4);
        trained_steps(&beside, 4);
        const struct step_losses losses = trained_steps(&aligned, 4);
        assert_int_equal(trained_same(&alone, &beside), parameters_count(alone.model->parameters));
        assert_true(fabs(losses.total - losses.rank - 0.01 * losses.calibration) < 1e-12 && losses.calibration > 0);
        const struct parameter *p = parameters_find(alone.model->parameters, "llmemb.lin2.weight");
        const struct parameter *q = parameters_find(aligned.model->parameters, "llmemb.lin2.weight");
        assert_memory_not_equal(p->value, q->value, p->rows * p->cols * sizeof(float));
        trained_close(&alone);
        trained_close(&beside);
        trained_close(&aligned);
    }
    trained_close(&base);
    mem_free(x);
}

/* e = W2 (W1 s + b1) + b2, layer by layer. */
static void adapter_is_two_layers(void **state) {
    (void)state;
    const size_t hidden = 6 * TRAINED_WIDTH;
    float *x = trained_matrix(WIDTH, 1);
    struct trained t = {0};
    trained_open(&t, GRU4REC, &method_llmemb, "{}", x, WIDTH, 0);
    struct parameters *p = t.model->parameters;
    struct parameter *w1 = parameters_find(p, "llmemb.lin1.transposed"), *b1 = parameters_find(p, "llmemb.lin1.bias");
    struct parameter *w2 = parameters_find(p, "llmemb.lin2.weight"), *b2 = parameters_find(p, "llmemb.lin2.bias");
    parameter_normal(b1, 1, 3);
    parameter_normal(b2, 1, 4);
    trained_steps(&t, 0);
    for (size_t i = 0; i < TRAINED_ITEMS; i++)
        for (size_t o = 0; o < TRAINED_WIDTH; o++) {
            double e = (double)b2->value[o];
            for (size_t h = 0; h < hidden; h++) {
                double low = (double)b1->value[h];
                for (size_t k = 0; k < WIDTH; k++) low += (double)w1->value[k * hidden + h] * (double)x[i * WIDTH + k];
                e += (double)w2->value[o * hidden + h] * low;
            }
            const double found = (double)t.model->item_vectors[(i + 1) * TRAINED_WIDTH + o];
            assert_true(fabs(found - e) < 1e-5 * (1 + fabs(e)));
        }
    trained_close(&t);
    mem_free(x);
}

/* 1536 x 768 + 768 + 768 x 128 + 128 of the adapter; the table trains where it is not frozen. */
static void counts_its_parameters(void **state) {
    (void)state;
    float *x = trained_matrix(WIDTH, 1);
    struct trained base = {0}, frozen = {0}, free = {0};
    trained_open(&base, GRU4REC, &method_base, "{}", NULL, 0, 0);
    trained_open(&frozen, GRU4REC, &method_llmemb, "{\"freeze\": \"yes\"}", x, WIDTH, 0);
    trained_open(&free, GRU4REC, &method_llmemb, "{\"freeze\": \"no\"}", x, WIDTH, 0);
    const size_t d = TRAINED_WIDTH, plain = parameters_values(base.model->parameters) - (TRAINED_ITEMS + 1) * d;
    const size_t adapter = WIDTH * 6 * d + 6 * d + 6 * d * d + d;
    assert_int_equal(1536 * 768 + 768 + 768 * 128 + 128, 1278848); /* the same at the paper's sizes */
    assert_int_equal(parameters_values(frozen.model->parameters), plain + adapter);
    assert_int_equal(parameters_values(free.model->parameters), plain + adapter + (TRAINED_ITEMS + 1) * WIDTH);
    trained_close(&base);
    trained_close(&frozen);
    trained_close(&free);
    mem_free(x);
}

/* Vectors to align with are a SASRec's. The mask is small. */
static void mask_and_base(void **state) {
    (void)state;
    float *x = trained_matrix(WIDTH, 1);
    struct trained t = {0};
    trained_open(&t, BERT4REC, &method_llmemb, "{}", x, WIDTH, 0);
    const struct parameter *mask = parameters_find(t.model->parameters, "mask_emb");
    for (size_t i = 0; i < mask->cols; i++) assert_true(fabsf(mask->value[i]) < 0.06F && mask->value[i] != 0);
    trained_close(&t);
    mem_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(weight_0_is_the_adapter_alone), cmocka_unit_test(adapter_is_two_layers),
                                       cmocka_unit_test(counts_its_parameters), cmocka_unit_test(mask_and_base)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
