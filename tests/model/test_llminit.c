/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "trained.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* From the very table that base draws, pca is base. */
static void table_of_base_is_base(void **state) {
    (void)state;
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained base = {0}, pca = {0};
        trained_open(&base, (enum backbone)b, &method_base, "{}", NULL, 0, 0.5);
        trained_open(&pca, (enum backbone)b, &method_llminit, "{\"llminit-mode\": \"pca\"}",
                     base.model->table->value + TRAINED_WIDTH, TRAINED_WIDTH, 0.5);
        trained_steps(&base, 4);
        trained_steps(&pca, 4);
        assert_int_equal(trained_same(&base, &pca), parameters_count(base.model->parameters));
        trained_close(&base);
        trained_close(&pca);
    }
}

/* With the identity as its layer, projector starts where pca does, and leaves it then. */
static void identity_layer_starts_as_pca(void **state) {
    (void)state;
    struct trained pca = {0}, projector = {0};
    float *x = trained_matrix(TRAINED_WIDTH, 1);
    trained_open(&pca, SASREC, &method_llminit, "{\"llminit-mode\": \"pca\"}", x, TRAINED_WIDTH, 0);
    trained_open(&projector, SASREC, &method_llminit, "{\"freeze\": \"no\"}", x, TRAINED_WIDTH, 0);
    struct parameter *w = parameters_find(projector.model->parameters, "llminit.weight");
    parameter_fill(w, 0);
    for (size_t i = 0; i < TRAINED_WIDTH; i++) w->value[i * TRAINED_WIDTH + i] = 1;
    trained_steps(&pca, 0);
    trained_steps(&projector, 0);
    const size_t bytes = (TRAINED_ITEMS + 1) * TRAINED_WIDTH * sizeof(float);
    assert_memory_equal(pca.model->item_vectors, projector.model->item_vectors, bytes);
    trained_steps(&pca, 2);
    trained_steps(&projector, 2);
    assert_memory_not_equal(pca.model->item_vectors, projector.model->item_vectors, bytes);
    trained_close(&pca);
    trained_close(&projector);
    mem_free(x);
}

/* Trainable: (I + 1) D of the table, d D + d of the layer; frozen, the layer alone. */
static void counts_its_parameters(void **state) {
    (void)state;
    float *x = trained_matrix(12, 1);
    for (int frozen = 0; frozen < 2; frozen++) {
        struct trained t = {0}, base = {0};
        trained_open(&base, GRU4REC, &method_base, "{}", NULL, 0, 0);
        trained_open(&t, GRU4REC, &method_llminit, frozen ? "{\"freeze\": \"yes\"}" : "{\"freeze\": \"no\"}", x, 12, 0);
        const size_t plain = parameters_values(base.model->parameters) - (TRAINED_ITEMS + 1) * TRAINED_WIDTH;
        assert_int_equal(parameters_values(t.model->parameters),
                         plain + TRAINED_WIDTH * 13 + (frozen ? 0 : (TRAINED_ITEMS + 1) * 12));
        trained_close(&t);
        trained_close(&base);
    }
    mem_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(table_of_base_is_base),
                                       cmocka_unit_test(identity_layer_starts_as_pca),
                                       cmocka_unit_test(counts_its_parameters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
