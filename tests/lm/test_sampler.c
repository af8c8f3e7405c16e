/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens drawn against a nucleus made by sorting, with every table of kernels. */
#include "lm/sampler.h"

#include "base/alloc.h"
#include "base/size.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 5000, DRAWS = 200 };

struct entry {
    float term;
    size_t token;
};

static int larger_first(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    if (x->term != y->term) return x->term < y->term ? 1 : -1;
    return x->token < y->token ? -1 : 1;
}

/* The definition: likeliest tokens until they have the share, then a walk over them in the order of tokens. */
static uint32_t drawn(const struct kernels *k, const struct sampling *s, const float *logits, size_t n, struct rng *rng) {
    static float terms[N];
    static struct entry entries[N];
    bool member[N] = {false};
    float max;
    memcpy(terms, logits, n * sizeof *terms);
    k->scale(1 / s->temperature, terms, n);
    (void)k->softmax_terms(terms, n, &max);
    double total = 0, mass = 0, sum = 0;
    for (size_t i = 0; i < n; i++) {
        entries[i] = (struct entry){terms[i], i};
        total += (double)terms[i];
    }
    qsort(entries, n, sizeof *entries, larger_first);
    for (size_t i = 0; i < n && entries[i].term > 0 && (i == 0 || mass < (double)s->top_p * total); i++) {
        member[entries[i].token] = true;
        mass += (double)entries[i].term;
    }
    const double wanted = rng_unit(rng) * mass;
    size_t last = 0;
    for (size_t i = 0; i < n && sum <= wanted; i++) {
        if (!member[i]) continue;
        last = i;
        sum += (double)terms[i];
    }
    return (uint32_t)last;
}

static void check(const struct kernels *k, const float *logits, size_t n, float top_p) {
    const struct sampling s = {.temperature = 0.6f, .top_p = top_p, .repetition_penalty = 1};
    struct sampler_memory *m = NULL;
    genair_status st = {0};
    assert_int_equal(sampler_memory_create(n, &m, &st), GENAIR_OK);
    struct rng a = rng_start(1, RNG_TEST, 1), b = a;
    for (size_t i = 0; i < DRAWS; i++) {
        static float changed[N];
        memcpy(changed, logits, n * sizeof *changed);
        const uint32_t want = drawn(k, &s, logits, n, &a), got = sampler_choose(m, k, &s, changed, NULL, 0, &b);
        if (want != got) fail_msg("%s, %zu tokens, top_p %g, draw %zu: expected %u, found %u", k->name, n, (double)top_p, i, want, got);
    }
    mem_free(m);
}

static void nucleus(void **state) {
    (void)state;
    static const char *const names[] = {"scalar", "avx2", "avx512", "vnni", "amx", "neon"};
    static const float shares[] = {0, 0.01f, 0.5f, 0.9f, 1};
    static const size_t sizes[] = {1, 2, 63, 1024, 1025, N};
    static float flat[N], wide[N], ties[N], one[N];
    struct rng r = rng_start(1, RNG_TEST, 2);
    for (size_t i = 0; i < N; i++) {
        flat[i] = (float)rng_normal(&r) * 0.1f;
        wide[i] = (float)rng_normal(&r) * 6;
        ties[i] = (float)(rng_below(&r, 3));
        one[i] = i == 700 ? 100 : 0;
    }
    const float *const all[] = {flat, wide, ties, one};
    for (size_t t = 0; t < COUNT(names); t++) {
        const struct kernels *k = kernels_select(names[t]);
        for (size_t l = 0; k && l < COUNT(all); l++)
            for (size_t i = 0; i < COUNT(sizes); i++)
                for (size_t p = 0; p < COUNT(shares); p++) check(k, all[l], sizes[i], shares[p]);
    }
}

/* A broken model's logits give some token. */
static void not_numbers(void **state) {
    (void)state;
    const struct sampling s = {.temperature = 1, .top_p = 0.9f, .repetition_penalty = 1};
    struct sampler_memory *m = NULL;
    genair_status st = {0};
    float logits[100];
    struct rng rng = rng_start(1, RNG_TEST, 3);
    assert_int_equal(sampler_memory_create(COUNT(logits), &m, &st), GENAIR_OK);
    for (size_t i = 0; i < COUNT(logits); i++) logits[i] = NAN;
    assert_true(sampler_choose(m, kernels_select(NULL), &s, logits, NULL, 0, &rng) < COUNT(logits));
    for (size_t i = 0; i < COUNT(logits); i++) logits[i] = i % 2 ? INFINITY : -INFINITY;
    assert_true(sampler_choose(m, kernels_select(NULL), &s, logits, NULL, 0, &rng) < COUNT(logits));
    mem_free(m);
}

static void penalty(void **state) {
    (void)state;
    const struct sampling s = {.greedy = true, .repetition_penalty = 2};
    struct sampler_memory *m = NULL;
    genair_status st = {0};
    struct rng rng = rng_start(1, RNG_TEST, 4);
    assert_int_equal(sampler_memory_create(3, &m, &st), GENAIR_OK);
    const uint32_t before[] = {1, 1};
    for (int again = 0; again < 2; again++) { /* once a token, however often it was there */
        float logits[] = {1, 3, -1};
        assert_int_equal(sampler_choose(m, kernels_select(NULL), &s, logits, before, 2, &rng), 1);
        assert_true(logits[1] == 1.5f);
        float falling[] = {-1.5f, -1, -3};
        assert_int_equal(sampler_choose(m, kernels_select(NULL), &s, falling, before, 2, &rng), 0);
        assert_true(falling[1] == -2);
    }
    mem_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nucleus), cmocka_unit_test(not_numbers), cmocka_unit_test(penalty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
