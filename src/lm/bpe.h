/* SPDX-License-Identifier: Apache-2.0 */
/* This module merges symbols into tokens: the one with the lowest rank first, of equals the
 * leftmost.
 *
 * Two kinds of rules: pairs of tokens with a rank each (a list of merges), or the tokens
 * themselves, where any two neighbours merge whose bytes together are a token (SentencePiece's
 * scores, tiktoken's ranks). O(n log n). */
#ifndef GENAIR_LM_BPE_H
#define GENAIR_LM_BPE_H

#include "lm/vocabulary.h"

struct pair {
    uint32_t left, right, rank, merged;
};

struct bpe_rules {
    const struct vocabulary *vocabulary;
    const uint32_t *rank; /* of a token; NULL: its number */
    bool by_pairs;
    struct pair *pairs; /* [n_slots], a power of two; left is NO_TOKEN in an empty one */
    size_t n_slots;
};

/* Room for n pairs. */
CHECKED genair_code bpe_pairs_create(struct bpe_rules *rules, size_t n, genair_status *st);
/* false when the pair is there already. */
bool bpe_pairs_put(struct bpe_rules *rules, struct pair pair);

struct bpe_symbol {
    uint32_t start, end;     /* bytes of the text */
    uint32_t previous, next; /* its neighbours, or NO_TOKEN */
    uint32_t id;             /* NO_TOKEN while it is none */
};

struct bpe_candidate {
    uint64_t order; /* rank, then the left symbol */
    uint32_t end;   /* of the right one: stale when it is another now */
    uint32_t id;
};

/* Memory that is used again from text to text; {0} to begin with. */
struct bpe {
    struct bpe_symbol *symbols;
    struct bpe_candidate *heap;
    size_t n, capacity, n_heap, heap_capacity;
};
void bpe_deinit(struct bpe *b);

/* Adds the next symbol of a text, after setting n to 0 for the first one. */
CHECKED genair_code bpe_push(struct bpe *b, uint32_t start, uint32_t end, uint32_t id,
                             genair_status *st);
/* Merges until no rule fits; the first symbol stays the first, the others follow by `next`. */
CHECKED genair_code bpe_merge(struct bpe *b, const struct bpe_rules *rules, const char *text,
                              genair_status *st);

#endif
