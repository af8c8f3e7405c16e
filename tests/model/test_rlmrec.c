/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "trained.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT = 12 };

/* Weight 0: base, bit for bit, with every form of the term. */
static void without_weight_is_base(void **state) {
    (void)state;
    static const char *const options[] = {
        "{\"rlmrec-beta\": 0.0, \"rlmrec-align\": \"cosine\"}",
        "{\"rlmrec-beta\": 0.0, \"rlmrec-align\": \"infonce\", \"rlmrec-tau\": 0.2}",
        "{\"rlmrec-beta\": 0.0, \"rlmrec-align\": \"gen\", \"rlmrec-items\": \"all\"}"};
    float *z = trained_matrix(TEXT, 2);
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained base = {0}, with = {0};
        trained_open(&base, (enum backbone)b, &method_base, "{}", NULL, 0, 0.5);
        trained_open(&with, (enum backbone)b, &method_rlmrec, options[b], z, TEXT, 0.5);
        trained_steps(&base, 4);
        trained_steps(&with, 4);
        assert_int_equal(trained_same(&base, &with), parameters_count(base.model->parameters));
        trained_close(&base);
        trained_close(&with);
    }
    mem_free(z);
}

/* g as a multiple of the identity where nothing is negative: g(z) = c z. The term is then 0 for e = z times any
 * positive number, 2 for any negative one. */
static double term(float c, float scale) {
    float *z = trained_matrix(TRAINED_WIDTH, 2);
    for (size_t i = 0; i < TRAINED_ITEMS * TRAINED_WIDTH; i++) z[i] = fabsf(z[i]);
    struct trained t = {0};
    trained_open(&t, SASREC, &method_rlmrec, "{\"rlmrec-align\": \"cosine\", \"rlmrec-hidden\": 8}", z, TRAINED_WIDTH, 0);
    static const char *const weights[] = {"rlmrec.lin1.weight", "rlmrec.lin2.weight"};
    static const char *const biases[] = {"rlmrec.lin1.bias", "rlmrec.lin2.bias"};
    for (int l = 0; l < 2; l++) {
        struct parameter *w = parameters_find(t.model->parameters, weights[l]);
        parameter_fill(w, 0);
        for (size_t i = 0; i < TRAINED_WIDTH; i++) w->value[i * TRAINED_WIDTH + i] = l ? c : 1;
        parameter_fill(parameters_find(t.model->parameters, biases[l]), 0);
    }
    for (size_t i = 0; i < TRAINED_ITEMS * TRAINED_WIDTH; i++)
        t.model->table->value[TRAINED_WIDTH + i] = scale * (1 + (float)(i / TRAINED_WIDTH)) * z[i];
    const double value = trained_steps(&t, 1).calibration;
    trained_close(&t);
    mem_free(z);
    return value;
}

static void measures_directions_alone(void **state) {
    (void)state;
    assert_true(fabs(term(3, 1)) < 1e-5);
    assert_true(fabs(term(3, 0.01f)) < 1e-5);
    assert_true(fabs(term(-3, 1) - 2) < 1e-5);
    assert_true(fabs(term(3, 0) - 1) < 1e-5); /* without direction: cosine 0 */
}

/* With a large weight the term falls, in every form and for both choices of items. */
static void draws_vectors_together(void **state) {
    (void)state;
    static const char *const options[] = {
        "{\"rlmrec-beta\": 50, \"rlmrec-align\": \"cosine\"}",
        "{\"rlmrec-beta\": 50, \"rlmrec-align\": \"cosine\", \"rlmrec-items\": \"all\"}",
        "{\"rlmrec-beta\": 50, \"rlmrec-align\": \"gen\"}",
        "{\"rlmrec-beta\": 50, \"rlmrec-align\": \"infonce\", \"rlmrec-tau\": 0.2}"};
    float *z = trained_matrix(TEXT, 2);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        struct trained t = {0};
        trained_open(&t, GRU4REC, &method_rlmrec, options[i], z, TEXT, 0);
        const double first = trained_steps(&t, 1).calibration, last = trained_steps(&t, 150).calibration;
        if (!(last < 0.3 * first)) fail_msg("%s: from %g to %g", options[i], first, last);
        trained_close(&t);
    }
    mem_free(z);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_weight_is_base),
                                       cmocka_unit_test(measures_directions_alone),
                                       cmocka_unit_test(draws_vectors_together)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
