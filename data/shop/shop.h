/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the catalogue of the made-up shop: 1,440 items with readable texts, each for one
 * audience and some also for a second one. */
#ifndef GENAIR_SHOP_SHOP_H
#define GENAIR_SHOP_SHOP_H

#include "inventory.h"

#include <stdint.h>

struct item {
    char id[48]; /* "trail-tent-3" */
    char title[96];
    char description[512];
    char year[16];
    char price[16];
    const char *brand;
    int audience, kind;
    int second;        /* a second audience that wants it too, or -1 */
    unsigned praised;  /* bit p: the description names phrase p of the audience */
    double popularity; /* relative */
};

void shop_items(uint64_t seed, struct item items[N_ITEMS]);

/* Stand-ins for a language model's vectors: latent semantic analysis of the items' texts. Word and
 * word pair counts hashed into buckets, weighted by inverse document frequency, rows of length 1;
 * then the leading principal directions of their inner products. out: [N_ITEMS * width].
 * `descriptions` alone or whole records. Nonzero on failure. */
enum { VECTOR_WIDTH = 96 };
int shop_vectors(const struct item items[N_ITEMS], int descriptions, float *out);

#endif
