/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "trained.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { NULL_WIDTH = 3, KEPT = TRAINED_WIDTH - NULL_WIDTH };

/* The first coordinates stay the text's, to the byte; the last ones start there and move. */
static void trains_the_last_coordinates(void **state) {
    (void)state;
    float *x = trained_matrix(TRAINED_WIDTH, 2);
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0};
        trained_open(&t, (enum backbone)b, &method_alphafuse, "{\"alphafuse-null\": 3}", x, TRAINED_WIDTH, 0.2);
        trained_steps(&t, 0);
        const float *e = t.model->item_vectors + TRAINED_WIDTH;
        assert_memory_equal(e, x, TRAINED_ITEMS * TRAINED_WIDTH * sizeof *x);
        trained_steps(&t, 5);
        size_t moved = 0;
        for (size_t i = 0; i < TRAINED_ITEMS; i++) {
            assert_memory_equal(e + i * TRAINED_WIDTH, x + i * TRAINED_WIDTH, KEPT * sizeof *x);
            moved += memcmp(e + i * TRAINED_WIDTH, x + i * TRAINED_WIDTH, TRAINED_WIDTH * sizeof *x) != 0;
        }
        assert_in_range(moved, TRAINED_ITEMS / 2, TRAINED_ITEMS);
        assert_int_equal(t.model->table->rows * t.model->table->cols, (TRAINED_ITEMS + 1) * NULL_WIDTH);
        trained_close(&t);
    }
    mem_free(x);
}

/* In place of all coordinates, from base's own start: base. */
static void whole_width_is_base(void **state) {
    (void)state;
    float *x = trained_matrix(TRAINED_WIDTH, 2);
    struct trained base = {0}, fuse = {0};
    trained_open(&base, GRU4REC, &method_base, "{}", NULL, 0, 0.5);
    trained_open(&fuse, GRU4REC, &method_alphafuse, "{\"alphafuse-null\": 8, \"alphafuse-fuse\": \"concat\"}", x,
                 TRAINED_WIDTH, 0.5);
    memcpy(fuse.model->table->value, base.model->table->value, (TRAINED_ITEMS + 1) * TRAINED_WIDTH * sizeof(float));
    trained_steps(&base, 4);
    trained_steps(&fuse, 4);
    assert_true(trained_same(&base, &fuse) > 0);
    assert_memory_equal(base.model->item_vectors, fuse.model->item_vectors,
                        (TRAINED_ITEMS + 1) * TRAINED_WIDTH * sizeof(float));
    trained_close(&base);
    trained_close(&fuse);
    mem_free(x);
}

/* At a temperature at which all cosines are alike, a target is one of 1 + K; from a low one it is learned. */
static void own_loss_is_a_softmax_of_cosines(void **state) {
    (void)state;
    float *x = trained_matrix(TRAINED_WIDTH, 2);
    for (int b = 0; b < N_BACKBONES; b++) {
        struct trained t = {0};
        trained_open(&t, (enum backbone)b, &method_alphafuse,
                     "{\"alphafuse-null\": 8, \"alphafuse-loss\": \"infonce\", \"alphafuse-negatives\": 20, "
                     "\"alphafuse-tau\": 1000}", x, TRAINED_WIDTH, 0);
        assert_true(fabs(trained_steps(&t, 1).rank - log(21)) < 2e-3);
        trained_close(&t);
        trained_open(&t, (enum backbone)b, &method_alphafuse,
                     "{\"alphafuse-null\": 8, \"alphafuse-loss\": \"infonce\", \"alphafuse-negatives\": 20, "
                     "\"alphafuse-tau\": 0.5}", x, TRAINED_WIDTH, 0);
        const struct step_losses first = trained_steps(&t, 1), last = trained_steps(&t, 40);
        assert_true(last.rank < first.rank - 0.3);
        assert_true(last.total == last.rank);
        trained_close(&t);
    }
    mem_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(trains_the_last_coordinates),
                                       cmocka_unit_test(whole_width_is_base),
                                       cmocka_unit_test(own_loss_is_a_softmax_of_cosines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
