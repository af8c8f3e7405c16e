/* SPDX-License-Identifier: Apache-2.0 */
/* The nucleus (Holtzman et al., 2020) without a sort of the vocabulary: the bits of positive floats order them, so a search
 * over those finds its smallest member, among ever fewer terms. Ties go to the lowest token. */
#include "lm/sampler.h"

#include "base/alloc.h"
#include "base/size.h"

#include <string.h>

struct sampler_memory {
    size_t n;
    uint64_t *seen;    /* bits */
    float candidates[]; /* [n] */
};

genair_code sampler_memory_create(size_t n_vocabulary, struct sampler_memory **out, genair_status *st) {
    /* one block, so that it is released as one */
    const size_t words = n_vocabulary / 64 + 1, n_floats = n_vocabulary / 2 * 2 + 2;
    struct sampler_memory *m = mem_zeros(1, sizeof *m + n_floats * sizeof(float) + words * sizeof(uint64_t));
    if (!m) return fail_memory(st);
    m->n = n_vocabulary;
    m->seen = (uint64_t *)(void *)(m->candidates + n_floats);
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

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static size_t count_equal(const float *x, size_t n, float value) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += x[i] == value;
    return count;
}

/* Of n_equal terms of this value those after the first n_wanted become 0. */
static void drop_ties(float *terms, size_t n, float value, size_t n_wanted, size_t n_equal) {
    size_t seen = 0;
    for (size_t i = 0; n_wanted < n_equal && seen < n_equal && i < n; i++)
        if (terms[i] == value && ++seen > n_wanted) terms[i] = 0;
}

/* The smallest term of the smallest set of the likeliest tokens with share top_p, and the set's mass. Of tokens with that
 * term those that the set does not need become 0. Terms are at most 1. */
static float cut_to_nucleus(struct sampler_memory *m, const struct kernels *k, float *terms, double top_p, double *mass) {
    enum { STEPS = 6 }; /* of the search between two visits of what is left */
    const size_t n = m->n;
    const double total = k->sum_at_least(terms, n, 0), wanted = top_p * total;
    /* The mass from low on is enough, from high on, which is *mass, too little. All terms below low together are less than
     * what the nucleus leaves out. */
    uint32_t low = bits_of((float)(0.999 * (1 - top_p) * total / (double)n)), high = 0x3F800001;
    if (low == 0) low = 1;
    const float *left = terms;
    size_t n_left = n;
    double above = *mass = 0; /* above: of larger terms that are left no more */
    for (int step = 1; high - low > 1; step++) {
        const uint32_t middle = low + (high - low) / 2;
        const double from_middle = above + k->sum_at_least(left, n_left, float_of(middle));
        if (from_middle >= wanted) {
            low = middle;
        } else {
            high = middle;
            *mass = from_middle;
        }
        if (step % STEPS) continue;
        n_left = k->keep_between(left, n_left, float_of(low), float_of(high), m->candidates);
        left = m->candidates;
        above = *mass;
    }
    const float smallest = float_of(low);
    const size_t n_equal = count_equal(left, n_left, smallest);
    size_t n_wanted = 0;
    for (; n_wanted < n_equal && (n_wanted == 0 || *mass < wanted); n_wanted++) *mass += (double)smallest;
    drop_ties(terms, n, smallest, n_wanted, n_equal);
    return smallest;
}

/* The token at which the sum of terms from smallest on, in the order of tokens, exceeds wanted; the last one of them where
 * rounding keeps it below. */
static uint32_t token_at(const struct kernels *k, const float *terms, size_t n, float smallest, double wanted) {
    enum { PIECE = 1024 };
    size_t piece = 0, chosen = 0;
    double sum = 0, before = 0;
    for (size_t first = 0; first < n && sum <= wanted; first += PIECE) {
        const double mass = k->sum_at_least(terms + first, min_size(PIECE, n - first), smallest);
        if (mass == 0) continue;
        piece = first;
        before = sum;
        sum += mass;
    }
    for (size_t i = piece; i < min_size(piece + PIECE, n) && before <= wanted; i++) {
        if (!(terms[i] >= smallest)) continue;
        chosen = i;
        before += (double)terms[i];
    }
    return (uint32_t)chosen;
}

uint32_t sampler_choose(struct sampler_memory *m, const struct kernels *k, const struct sampling *s, float *logits,
                        const uint32_t *tokens, size_t n_tokens, struct rng *rng) {
    if (s->repetition_penalty != 1) penalise(m, s->repetition_penalty, tokens, n_tokens, logits);
    if (s->greedy || s->temperature <= 0) return largest(logits, m->n);
    float max;
    double mass;
    k->scale(1 / s->temperature, logits, m->n);
    (void)k->softmax_terms(logits, m->n, &max);
    const float smallest = cut_to_nucleus(m, k, logits, (double)s->top_p, &mass);
    return token_at(k, logits, m->n, smallest, rng_unit(rng) * mass);
}
