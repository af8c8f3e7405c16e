/* SPDX-License-Identifier: Apache-2.0 */
/* The nucleus (Holtzman et al., 2020) without a sort of the vocabulary: probabilities are at most 1 and positive, so the
 * upper bits of a float order them; masses by those bits show in which bucket the nucleus ends, and only that one is
 * sorted. Ties go to the lowest token. */
#include "lm/sampler.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { SHIFT = 16, N_BUCKETS = (0x3F800000 >> SHIFT) + 1 };

struct entry {
    float term;
    uint32_t token;
};

struct sampler_memory {
    size_t n;
    double *masses;        /* [N_BUCKETS] */
    struct entry *entries; /* [n] of the last bucket */
    uint64_t *seen;        /* bits */
};

genair_code sampler_memory_create(size_t n_vocabulary, struct sampler_memory **out, genair_status *st) {
    /* one block, so that it is released as one: doubles, words, entries */
    const size_t words = n_vocabulary / 64 + 1;
    struct sampler_memory *m =
        mem_zeros(1, sizeof *m + N_BUCKETS * sizeof(double) + words * sizeof(uint64_t) + n_vocabulary * sizeof(struct entry));
    if (!m) return fail_memory(st);
    m->n = n_vocabulary;
    m->masses = (double *)(m + 1);
    m->seen = (uint64_t *)(m->masses + N_BUCKETS);
    m->entries = (struct entry *)(m->seen + words);
    *out = m;
    return GENAIR_OK;
}

/* Each distinct token's logit is divided by the penalty where positive, multiplied where negative (Keskar et al., 2019). */
static void penalise(struct sampler_memory *m, float penalty, const uint32_t *tokens, size_t n, float *logits) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t t = tokens[i];
        const uint64_t bit = (uint64_t)1 << t % 64;
        if (m->seen[t / 64] & bit) continue;
        m->seen[t / 64] |= bit;
        logits[t] = logits[t] > 0 ? logits[t] / penalty : logits[t] * penalty;
    }
    for (size_t i = 0; i < n; i++) m->seen[tokens[i] / 64] = 0;
}

static uint32_t largest(const float *logits, size_t n) {
    uint32_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = (uint32_t)i;
    return best;
}

static uint32_t bucket_of(float term) {
    uint32_t bits;
    memcpy(&bits, &term, sizeof bits);
    bits >>= SHIFT;
    return bits < N_BUCKETS ? bits : N_BUCKETS - 1; /* NaN, of a broken model */
}

static int larger_first(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    if (x->term != y->term) return x->term < y->term ? 1 : -1;
    return x->token < y->token ? -1 : 1;
}

/* The last member of the smallest set of the likeliest tokens with share top_p, and the set's mass. */
static struct entry last_of_nucleus(struct sampler_memory *m, const float *terms, double top_p, double *mass) {
    double total = 0, above = 0;
    memset(m->masses, 0, N_BUCKETS * sizeof *m->masses);
    for (size_t i = 0; i < m->n; i++) m->masses[bucket_of(terms[i])] += (double)terms[i];
    for (size_t b = 0; b < N_BUCKETS; b++) total += m->masses[b];
    uint32_t b = N_BUCKETS - 1;
    while (b > 0 && above + m->masses[b] < top_p * total) above += m->masses[b--];
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        if (bucket_of(terms[i]) == b) m->entries[n++] = (struct entry){terms[i], (uint32_t)i};
    if (n == 0) { /* only by rounding of the sums: all tokens */
        *mass = total;
        return (struct entry){0, (uint32_t)m->n};
    }
    qsort(m->entries, n, sizeof *m->entries, larger_first);
    size_t last = 0;
    for (above += (double)m->entries[0].term; last + 1 < n && above < top_p * total; last++)
        above += (double)m->entries[last + 1].term;
    *mass = above;
    return m->entries[last];
}

uint32_t sampler_choose(struct sampler_memory *m, const struct kernels *k, const struct sampling *s, float *logits,
                        const uint32_t *tokens, size_t n_tokens, struct rng *rng) {
    if (s->repetition_penalty != 1) penalise(m, s->repetition_penalty, tokens, n_tokens, logits);
    if (s->greedy || s->temperature <= 0) return largest(logits, m->n);
    float max;
    double mass;
    k->scale(1 / s->temperature, logits, m->n);
    (void)k->softmax_terms(logits, m->n, &max);
    const struct entry last = last_of_nucleus(m, logits, (double)s->top_p, &mass);
    const double wanted = rng_unit(rng) * mass;
    double sum = 0;
    uint32_t chosen = last.token < m->n ? last.token : 0;
    for (size_t i = 0; i < m->n; i++) {
        if (logits[i] < last.term || (logits[i] == last.term && i > last.token)) continue;
        if (logits[i] > 0) chosen = (uint32_t)i;
        sum += (double)logits[i];
        if (sum > wanted) break;
    }
    return chosen;
}
