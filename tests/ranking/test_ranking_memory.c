/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of an evaluation, and of an index and its list, refused in turn. */
#include "fake_dataset.h"
#include "fake_model.h"

#include "failing_alloc.h"
#include "ranking/index.h"
#include "ranking/ranking.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void refused_memory_is_reported(void **state) {
    (void)state;
    struct dataset *d = fake_dataset(150, 300, 1);
    struct fake_model *m = fake_model(300, 16, 0, 2);
    const struct scorer *scorers[] = {&m->scorer, &m->rows};
    struct parallel *p;
    assert_int_equal(parallel_create(2, &p, NULL), GENAIR_OK);
    for (int i = 0; i < 4; i++) {
        for (long n = 1;; n++) {
            struct ranking_result r = {.n = 99};
            genair_status st = {0};
            failing_alloc_start(n);
            const genair_code code =
                ranking_evaluate(p, scorers[i / 2], d, PART_TEST, (enum protocol)(i % 2), &r, &st);
            if (!failing_alloc_stop()) {
                assert_int_equal(code, GENAIR_OK);
                assert_true(n > 5);
                ranking_result_free(&r);
                break;
            }
            assert_int_equal(code, GENAIR_MEMORY);
            assert_int_equal(st.code, GENAIR_MEMORY);
            assert_int_equal(r.n, 99);
        }
    }
    parallel_free(p);
    fake_model_free(m);
    fake_dataset_free(d);
}

static genair_code list(const struct scorer *s, bool approximate, struct parallel *p, const float *user, struct topk *best,
                        genair_status *st) {
    struct index index;
    const struct index_setting setting = {.approximate = approximate, .probe = 3};
    genair_code code = index_create(s, &setting, p, &index, st);
    assert_true(code == GENAIR_OK || !index.screen);
    if (code == GENAIR_OK)
        code = approximate ? screen_best_near(index.screen, user, NULL, index.probe, best, NULL, st)
                           : screen_best(index.screen, user, NULL, best, NULL, st);
    index_free(&index);
    return code;
}

static void an_index_reports_it(void **state) {
    (void)state;
    enum { ITEMS = 33000, WIDTH = 64 };
    struct fake_model *m = fake_model(ITEMS, WIDTH, 0, 2);
    struct parallel *p;
    bool approximate = false;
    assert_int_equal(parallel_create(2, &p, NULL), GENAIR_OK);
    for (long n = 1;; n++) {
        struct scored entries[5];
        struct topk best = {.k = 5, .entries = entries};
        genair_status st = {0};
        failing_alloc_start(n);
        const genair_code code = list(&m->scorer, approximate, p, m->vectors + WIDTH, &best, &st);
        if (!failing_alloc_stop()) {
            assert_int_equal(code, GENAIR_OK);
            assert_int_equal(best.n, 5);
            assert_true(n > 10);
            if (approximate) break;
            approximate = true;
            n = 0;
            continue;
        }
        assert_int_equal(code, GENAIR_MEMORY);
        assert_int_equal(st.code, GENAIR_MEMORY);
    }
    parallel_free(p);
    fake_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_memory_is_reported),
        cmocka_unit_test(an_index_reports_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
