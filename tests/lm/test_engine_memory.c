/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out anywhere ends a run with GENAIR_MEMORY and leaks nothing (under the address sanitizer). */
#include "lm/engine.h"

#include "failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "lm/made_model.h"

#include <cmocka.h>

enum { N_PROMPT = 6 };
static const uint32_t prompts[2][N_PROMPT] = {{1, 2, 3, 4, 5, 6}, {1, 2, 3, 9, 8, 7}};

static bool next_request(void *user, struct lm_request *out) {
    size_t *next = user;
    if (*next == 2) return false;
    *out = (struct lm_request){.id = *next, .prompt = prompts[*next], .n_prompt = N_PROMPT, .max_new = 3, .keep_logits = true};
    ++*next;
    return true;
}

static genair_code take(void *user, const struct answer *a, genair_status *st) {
    (void)user;
    (void)a;
    (void)st;
    return GENAIR_OK;
}

static genair_code run(genair_context *ctx, const struct made_model *m, genair_status *st) {
    const struct engine_options options = {.n_slots = 2, .chunk = 8, .kv_bytes = 1 << 24, .read = made_read};
    const struct sampling sampling = {.temperature = 1, .top_p = 0.9f, .repetition_penalty = 1.2f};
    struct engine *e = NULL;
    size_t next = 0;
    genair_code code = engine_create(ctx, &m->weights, &options, &e, st);
    if (code == GENAIR_OK) code = engine_run(e, prompts[0], 3, &sampling, next_request, take, &next, NULL, st);
    engine_free(e);
    return code;
}

static void every_request_fails(void **state) {
    (void)state;
    static struct made_model m;
    genair_context *ctx = NULL;
    long n = 1;
    made_model(&m, LM_Q8_0, true, false);
    assert_int_equal(genair_context_create(2, NULL, NULL, &ctx, NULL), GENAIR_OK);
    for (;; n++) {
        genair_status st = {0};
        failing_alloc_start(n);
        const genair_code code = run(ctx, &m, &st);
        if (!failing_alloc_stop()) break;
        assert_int_equal(code, GENAIR_MEMORY);
        assert_int_equal(st.code, GENAIR_MEMORY);
    }
    assert_true(n > 80);
    genair_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_request_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
