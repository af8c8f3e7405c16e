/* SPDX-License-Identifier: Apache-2.0 */
/* Each way of picking gives the list of scoring every item: few allowed, many allowed, screened or not, by history and by what
 * was viewed. */
#include "ranking/fake_model.h"

#include "base/blas.h"
#include "base/built_with.h"
#include "kernels/kernels.h"
#include "ranking/index.h"
#include "ranking/score_row.h"
#include "recommend/pick.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ITEMS = 70000, WIDTH = 32, K = 12 };

static bool listed(const uint32_t *ids, size_t n, uint32_t id) {
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id) return true;
    return false;
}

/* The definition: every item's score, one after the other. */
static void by_definition(const struct pick *p, struct topk *best) {
    const struct wish *w = p->wish;
    const struct scorer *s = &p->run->scorer;
    static uint8_t allowed[ITEMS + 1];
    memset(allowed, !w->only_allowed, sizeof allowed);
    for (size_t i = 0; i < w->n_allow; i++) allowed[w->allow[i]] = 1;
    for (uint32_t id = 1; id <= ITEMS; id++) {
        float score;
        if (!allowed[id] || listed(w->deny, w->n_deny, id) || (!w->repeat && listed(p->basis, p->n_basis, id))) continue;
        if (p->user)
            score = kernels_select(NULL)->dot(p->user, s->item_vectors + id * WIDTH, WIDTH);
        else
            assert_int_equal(score_cosines(s, p->basis, p->n_basis, id, &score, NULL), GENAIR_OK);
        topk_push(best, score, id);
    }
    topk_sort(best);
}

/* Every item scored, screened, and by an approximate index of which all lists are read, where there can be one. */
static void expect_same(struct pick p, const struct screen *screen, const struct index *index) {
    struct scored a[K], b[K];
    struct topk expected = {.k = K, .entries = a};
    by_definition(&p, &expected);
    for (int way = 0; way < (index->screen ? 3 : 2); way++) {
        struct topk found = {.k = K, .entries = b};
        p.screen = way == 0 ? NULL : way == 1 ? screen : index->screen;
        p.probe = way == 2 ? index->probe : 0;
        assert_int_equal(pick_best(&p, &found, NULL), GENAIR_OK);
        assert_int_equal(found.n, expected.n);
        for (size_t i = 0; i < found.n; i++) {
            assert_int_equal(a[i].id, b[i].id);
            assert_memory_equal(&a[i].score, &b[i].score, sizeof(float));
        }
    }
}

static void all_ways_give_one_list(void **state) {
    (void)state;
    struct fake_model *m = fake_model(ITEMS, WIDTH, 0, 4);
    struct screen *screen = NULL;
    static uint32_t many[ITEMS];
    uint32_t few[] = {900, 5, 69000, 5, 33, 1, 70000, 33, 4000, 12000, 42, 100, 7, 8}; /* in no order, some twice */
    const uint32_t basis[] = {5, 777, 41000};
    size_t n_many = 0;
    for (uint32_t i = ITEMS; i > 3; i -= 3) many[n_many++] = i;
    assert_int_equal(screen_create(&m->scorer, NULL, &screen, NULL), GENAIR_OK);
    const struct run run = {.scorer = m->scorer};
    const struct index_setting setting = {.approximate = true, .probe = 65536};
    struct index index = {0};
    struct parallel *parallel;
    blas_use_one_thread();
    assert_int_equal(parallel_create(2, &parallel, NULL), GENAIR_OK);
    if (BUILT_WITH_FAISS) assert_int_equal(index_create(&m->scorer, &setting, parallel, &index, NULL), GENAIR_OK);
    const struct {
        const uint32_t *allow;
        size_t n;
        bool only;
    } allowed[] = {{NULL, 0, false}, {few, sizeof few / sizeof *few, true}, {few, 1, true}, {NULL, 0, true}, {many, n_many, true}};
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        for (unsigned kind = 0; kind < 8; kind++) {
            const bool by_history = kind & 1;
            const struct wish w = {.history = basis, .n_history = by_history ? 3 : 0, .viewed = basis, .n_viewed = 3, .k = K,
                                   .repeat = kind & 2, .deny = few, .n_deny = kind & 4 ? 4 : 0, .allow = allowed[i].allow,
                                   .n_allow = allowed[i].n, .only_allowed = allowed[i].only};
            expect_same((struct pick){.run = &run, .wish = &w, .user = by_history ? m->vectors + 60 * WIDTH : NULL, .basis = basis,
                                      .n_basis = 3}, screen, &index);
        }
    index_free(&index);
    parallel_free(parallel);
    screen_free(screen);
    fake_model_free(m);
}

/* Of a few lists: what may not be listed is not, what was viewed goes by all items, and scores are right. */
static void few_lists_keep_the_filters(void **state) {
    (void)state;
    if (!BUILT_WITH_FAISS) skip();
    struct fake_model *m = fake_model(ITEMS, WIDTH, 0, 4);
    const struct run run = {.scorer = m->scorer};
    const struct index_setting setting = {.approximate = true, .probe = 4};
    struct index index;
    struct parallel *parallel;
    static uint32_t even[ITEMS / 2];
    struct scored a[K], b[K];
    for (uint32_t i = 0; i < ITEMS / 2; i++) even[i] = 2 * (i + 1);
    blas_use_one_thread();
    assert_int_equal(parallel_create(2, &parallel, NULL), GENAIR_OK);
    assert_int_equal(index_create(&m->scorer, &setting, parallel, &index, NULL), GENAIR_OK);
    for (uint32_t u = 1; u <= 20; u++) {
        const uint32_t basis[] = {2 * u};
        struct wish w = {.history = basis, .n_history = 1, .k = K, .allow = even, .n_allow = ITEMS / 2, .only_allowed = true, .deny = even,
                         .n_deny = 1000};
        struct pick p = {.run = &run, .screen = index.screen, .probe = index.probe, .wish = &w, .user = m->vectors + 2 * u * WIDTH,
                         .basis = basis, .n_basis = 1};
        struct topk found = {.k = K, .entries = a}, expected = {.k = K, .entries = b};
        assert_int_equal(pick_best(&p, &found, NULL), GENAIR_OK);
        assert_int_equal(found.n, K);
        for (size_t i = 0; i < K; i++) {
            assert_true(a[i].id % 2 == 0 && a[i].id > 2000);
            assert_true(a[i].score == kernels_select(NULL)->dot(p.user, m->vectors + a[i].id * WIDTH, WIDTH));
        }
        w = (struct wish){.k = K, .viewed = basis, .n_viewed = 1};
        p.user = NULL;
        found.n = 0;
        assert_int_equal(pick_best(&p, &found, NULL), GENAIR_OK);
        by_definition(&p, &expected);
        for (size_t i = 0; i < K; i++) assert_int_equal(a[i].id, b[i].id);
    }
    index_free(&index);
    parallel_free(parallel);
    fake_model_free(m);
}

static void what_is_not_finite_is_told(void **state) {
    (void)state;
    struct fake_model *m = fake_model(ITEMS, WIDTH, 0, 4);
    const struct run run = {.scorer = m->scorer};
    const uint32_t one = 5;
    const struct wish w = {.history = &one, .n_history = 1, .allow = &one, .n_allow = 1, .only_allowed = true, .repeat = true, .k = K};
    struct pick p = {.run = &run, .wish = &w, .user = m->vectors + WIDTH, .basis = &one, .n_basis = 1};
    struct scored entries[K];
    struct topk best = {.k = K, .entries = entries};
    genair_status st = {0};
    m->vectors[5 * WIDTH + 3] = NAN;
    assert_int_equal(pick_best(&p, &best, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "item number 5"));
    fake_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ways_give_one_list),
        cmocka_unit_test(few_lists_keep_the_filters),
        cmocka_unit_test(what_is_not_finite_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
