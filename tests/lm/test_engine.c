/* SPDX-License-Identifier: Apache-2.0 */
/* What a sequence gets does not depend on what else is in the batch, on threads, slots, chunks or the cached prefix; limits of
 * memory and context; stopping. The numbers themselves are checked by golden_lm. */
#include "lm/engine.h"

#include "base/alloc.h"
#include "base/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lm/made_model.h"

#include <cmocka.h>

enum { N = 9, MAX_PROMPT = 40, MAX_NEW = 12 };

struct result {
    uint32_t tokens[MADE_CONTEXT];
    size_t n, n_prefix, n_fed;
    enum finish finish;
    float prefill[MADE_HIDDEN], decoding[MADE_HIDDEN], logits[MADE_VOCABULARY];
    int given;
};

struct job {
    uint32_t prompts[N][MADE_CONTEXT + 8];
    size_t lengths[N], max_new, next, n;
    const uint32_t *forced;
    size_t n_forced;
    struct result results[N];
    genair_context *stop_at_first; /* stopped when the first answer comes */
};

/* Prompts of 1 to MAX_PROMPT tokens; those of 18 and more begin with the same 16. */
static void make_job(struct job *j) {
    memset(j, 0, sizeof *j);
    j->n = N;
    j->max_new = MAX_NEW;
    for (size_t i = 0; i < N; i++) {
        j->lengths[i] = 1 + i * (MAX_PROMPT - 1) / (N - 1);
        struct rng r = rng_start(2, RNG_TEST, i), common = rng_start(2, RNG_TEST, 1000);
        for (size_t t = 0; t < j->lengths[i]; t++)
            j->prompts[i][t] = (uint32_t)rng_below(t < 16 && j->lengths[i] > 17 ? &common : &r, MADE_VOCABULARY);
    }
}

static bool next_request(void *user, struct lm_request *out) {
    struct job *j = user;
    if (j->next == j->n) return false;
    *out = (struct lm_request){.id = j->next, .stream = j->next * 17, .prompt = j->prompts[j->next],
                            .n_prompt = j->lengths[j->next], .max_new = j->max_new, .forced = j->forced,
                            .n_forced = j->n_forced, .keep_logits = true};
    j->next++;
    return true;
}

static genair_code take_answer(void *user, const struct answer *a, genair_status *st) {
    (void)st;
    struct job *j = user;
    struct result *r = &j->results[a->id];
    r->given++;
    r->n = a->n;
    r->n_fed = a->n_fed;
    r->n_prefix = a->n_prefix;
    r->finish = a->finish;
    memcpy(r->tokens, a->tokens, a->n * sizeof *a->tokens);
    if (a->prefill) memcpy(r->prefill, a->prefill, sizeof r->prefill);
    if (a->decoding) memcpy(r->decoding, a->decoding, sizeof r->decoding);
    if (a->last_logits) memcpy(r->logits, a->last_logits, sizeof r->logits);
    if (j->stop_at_first) genair_context_stop(j->stop_at_first);
    return GENAIR_OK;
}

struct setting {
    int threads;
    size_t slots, chunk;
    bool prefix;
    uint64_t kv_tokens;
    const char *kernels;
    bool one_always;
};

static genair_code run_job(const struct made_model *m, const struct setting *s, bool greedy, struct job *j,
                           struct engine_statistics *statistics, genair_status *st) {
    genair_context *ctx = NULL;
    struct engine *e = NULL;
    genair_code code = genair_context_create(s->threads, NULL, NULL, &ctx, st);
    const struct engine_options options = {.n_slots = s->slots, .chunk = s->chunk, .read = made_read,
                                           .kv_bytes = s->kv_tokens * MADE_LAYERS * MADE_KV_HEADS * 2 * 32 * sizeof(float),
                                           .kernels = kernels_select(s->kernels), .one_always = s->one_always};
    const struct sampling sampling = {.greedy = greedy, .temperature = 0.7f, .top_p = 0.9f, .repetition_penalty = 1.2f,
                                      .seed = 5};
    if (code == GENAIR_OK) code = engine_create(ctx, &m->weights, &options, &e, st);
    if (j->stop_at_first) j->stop_at_first = ctx;
    if (code == GENAIR_OK)
        code = engine_run(e, j->prompts[N - 1], s->prefix ? 16 : 0, &sampling, next_request, take_answer, j, statistics, st);
    engine_free(e);
    genair_context_free(ctx);
    return code;
}

static void expect_same(const struct job *want, const struct job *got, const char *what) {
    for (size_t i = 0; i < N; i++) {
        const struct result *a = &want->results[i], *b = &got->results[i];
        if (b->given != 1) fail_msg("%s: sequence %zu was given %d times", what, i, b->given);
        if (a->n != b->n || a->finish != b->finish || a->n_fed != b->n_fed ||
            memcmp(a->tokens, b->tokens, a->n * sizeof *a->tokens) != 0)
            fail_msg("%s: sequence %zu has other tokens", what, i);
        if (memcmp(a->prefill, b->prefill, sizeof a->prefill) != 0) fail_msg("%s: sequence %zu, prefill", what, i);
        if (memcmp(a->decoding, b->decoding, sizeof a->decoding) != 0) fail_msg("%s: sequence %zu, decoding", what, i);
        if (memcmp(a->logits, b->logits, sizeof a->logits) != 0) fail_msg("%s: sequence %zu, logits", what, i);
    }
}

static const struct setting alone = {1, 1, 512, false, 1000, NULL, false};

static void packing_does_not_matter(void **state) {
    (void)state;
    static const enum lm_type types[] = {LM_Q8_0, LM_Q4_0, LM_Q5_0, LM_Q4_K, LM_Q5_K, LM_Q6_K, LM_F16, LM_BF16, LM_F32};
    static const struct setting settings[] = {
        {2, 7, 5, false, 1000, NULL, false}, {1, 64, 512, false, 10000, NULL, false}, {2, 64, 1, true, 10000, NULL, false}, {1, 3, 33, true, 10000, NULL, false},
    };
    static struct made_model m;
    static struct job want, got;
    for (size_t t = 0; t < COUNT(types); t++) {
        const bool qwen = t % 2; /* Llama's are drawn, Qwen's greedy */
        genair_status st = {0};
        made_model(&m, types[t], qwen, !qwen);
        make_job(&want);
        assert_int_equal(run_job(&m, &alone, qwen, &want, NULL, &st), GENAIR_OK);
        for (size_t i = 0; i < COUNT(settings); i++) {
            char what[80];
            struct engine_statistics statistics;
            snprintf(what, sizeof what, "%s, setting %zu", lm_types[types[t]].name, i);
            make_job(&got);
            assert_int_equal(run_job(&m, &settings[i], qwen, &got, &statistics, &st), GENAIR_OK);
            expect_same(&want, &got, what);
            if (settings[i].prefix) assert_int_equal(statistics.prefix_tokens_saved, 5 * 16);
        }
    }
}

/* Sequences wait for room, and get the same. */
static void little_memory(void **state) {
    (void)state;
    static struct made_model m;
    static struct job want, got;
    genair_status st = {0};
    made_model(&m, LM_Q8_0, true, false);
    make_job(&want);
    make_job(&got);
    assert_int_equal(run_job(&m, &alone, true, &want, NULL, &st), GENAIR_OK);
    const struct setting small = {2, 7, 64, true, 64, NULL, false}; /* one of the long ones */
    assert_int_equal(run_job(&m, &small, true, &got, NULL, &st), GENAIR_OK);
    expect_same(&want, &got, "room for 64 positions");
    const struct setting none = {2, 7, 64, true, 32, NULL, false};
    make_job(&got);
    assert_int_equal(run_job(&m, &none, true, &got, NULL, &st), GENAIR_USAGE);
    assert_non_null(strstr(st.message, "more than the budget"));
    const struct setting one = {2, 7, 64, true, 32, NULL, true};
    make_job(&got);
    assert_int_equal(run_job(&m, &one, true, &got, NULL, &st), GENAIR_OK);
    expect_same(&want, &got, "one at a time, over the budget");
}

static void context_ends(void **state) {
    (void)state;
    static struct made_model m;
    static struct job j;
    genair_status st = {0};
    made_model(&m, LM_Q8_0, true, false);
    m.weights.config.n_eos = 0;
    make_job(&j);
    j.max_new = 1000;
    j.lengths[0] = MADE_CONTEXT;
    j.lengths[1] = MADE_CONTEXT + 1;
    const struct setting s = {2, 7, 64, false, 1000, NULL, false};
    assert_int_equal(run_job(&m, &s, true, &j, NULL, &st), GENAIR_OK);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(j.results[i].given, 1);
        assert_int_equal(j.results[i].finish, FINISH_CONTEXT);
        assert_int_equal(j.results[i].n, i == 1 ? 0 : MADE_CONTEXT - j.lengths[i] + 1);
        assert_int_equal(j.results[i].n_fed, i == 1 ? 0 : MADE_CONTEXT - j.lengths[i]);
    }
}

/* An answer that is given instead of drawn has the vectors of the drawn one, and its last token's too. */
static void forced_answer(void **state) {
    (void)state;
    static struct made_model m;
    static struct job want, got;
    genair_status st = {0};
    made_model(&m, LM_Q6_K, false, true);
    m.weights.config.n_eos = 0;
    make_job(&want);
    want.n = 1;
    assert_int_equal(run_job(&m, &alone, true, &want, NULL, &st), GENAIR_OK);
    assert_int_equal(want.results[0].finish, FINISH_LENGTH);
    assert_int_equal(want.results[0].n, MAX_NEW);
    for (size_t n = 0; n < MAX_NEW; n += MAX_NEW - 1) {
        const struct setting s = {2, 2, 3, false, 1000, NULL, false};
        make_job(&got);
        got.n = 1;
        got.forced = want.results[0].tokens;
        got.n_forced = n;
        assert_int_equal(run_job(&m, &s, true, &got, NULL, &st), GENAIR_OK);
        assert_int_equal(got.results[0].finish, n ? FINISH_END : FINISH_EMPTY);
        assert_int_equal(got.results[0].n_fed, n);
        assert_memory_equal(got.results[0].prefill, want.results[0].prefill, sizeof want.results[0].prefill);
        assert_memory_equal(got.results[0].logits, want.results[0].logits, sizeof want.results[0].logits);
        if (n) assert_memory_equal(got.results[0].decoding, want.results[0].decoding, sizeof want.results[0].decoding);
    }
}

static void ends_at_end_token(void **state) {
    (void)state;
    static struct made_model m;
    static struct job want, got;
    genair_status st = {0};
    made_model(&m, LM_Q8_0, true, false);
    m.weights.config.n_eos = 0;
    make_job(&want);
    assert_int_equal(run_job(&m, &alone, true, &want, NULL, &st), GENAIR_OK);
    m.weights.config.n_eos = 2;
    for (size_t at = 0; at < 5; at += 4) {
        const uint32_t end = want.results[3].tokens[at];
        size_t first = 0;
        while (want.results[3].tokens[first] != end) first++;
        m.weights.config.eos[0] = MADE_VOCABULARY;
        m.weights.config.eos[1] = end;
        make_job(&got);
        assert_int_equal(run_job(&m, &alone, true, &got, NULL, &st), GENAIR_OK);
        assert_int_equal(got.results[3].n, first);
        assert_int_equal(got.results[3].finish, first ? FINISH_END : FINISH_EMPTY);
        assert_int_equal(got.results[3].n_fed, first);
    }
}

static void stops(void **state) {
    (void)state;
    static struct made_model m;
    static struct job j;
    genair_status st = {0};
    made_model(&m, LM_Q8_0, true, false);
    make_job(&j);
    j.stop_at_first = (genair_context *)(uintptr_t)1; /* becomes the run's */
    assert_int_equal(run_job(&m, &alone, true, &j, NULL, &st), GENAIR_INTERRUPTED);
    int given = 0;
    for (size_t i = 0; i < N; i++) given += j.results[i].given;
    assert_int_equal(given, 1);
}

static void unknown_token(void **state) {
    (void)state;
    static struct made_model m;
    static struct job j;
    genair_status st = {0};
    made_model(&m, LM_Q8_0, true, false);
    make_job(&j);
    j.prompts[4][0] = MADE_VOCABULARY;
    assert_int_equal(run_job(&m, &alone, true, &j, NULL, &st), GENAIR_USAGE);
    assert_non_null(strstr(st.message, "token 150"));
}

/* Instruction sets: float32 sums have other orders, integer ones do not. */
static void tables_agree(void **state) {
    (void)state;
    static const char *const names[] = {"avx2", "avx512", "vnni", "amx", "neon"};
    static struct made_model m;
    static struct job want, got;
    genair_status st = {0};
    made_model(&m, LM_Q4_K, true, false);
    for (size_t k = 0; k < COUNT(names); k++) {
        struct setting s = {1, 4, 64, true, 1000, "scalar", false};
        if (!kernels_select(names[k])) continue;
        make_job(&want);
        make_job(&got);
        assert_int_equal(run_job(&m, &s, true, &want, NULL, &st), GENAIR_OK);
        s.kernels = names[k];
        assert_int_equal(run_job(&m, &s, true, &got, NULL, &st), GENAIR_OK);
        for (size_t i = 0; i < N; i++)
            for (size_t c = 0; c < MADE_HIDDEN; c++) {
                const double off = (double)want.results[i].prefill[c] - (double)got.results[i].prefill[c];
                if (!(off < 0.02 && off > -0.02)) /* a code of 127 that rounds the other way is 1 % of its block's largest */
                    fail_msg("%s: sequence %zu [%zu] expected %.9g, found %.9g", names[k], i, c,
                             (double)want.results[i].prefill[c], (double)got.results[i].prefill[c]);
            }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_does_not_matter), cmocka_unit_test(little_memory), cmocka_unit_test(context_ends),
        cmocka_unit_test(forced_answer), cmocka_unit_test(ends_at_end_token), cmocka_unit_test(stops),
        cmocka_unit_test(unknown_token), cmocka_unit_test(tables_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
