/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what the made-up shop sells, to whom, and in which words. All of it is invented.
 */
#ifndef GENAIR_SHOP_INVENTORY_H
#define GENAIR_SHOP_INVENTORY_H

enum {
    N_AUDIENCES = 10,
    N_KINDS = 6,
    N_VARIANTS = 24,
    N_BRANDS = 3,
    N_PHRASES = 8,
    N_ADJECTIVES = 24
};
enum { N_FEATURES = 16 };
enum { N_ITEMS = N_AUDIENCES * N_KINDS * N_VARIANTS };

/* People who want the same things. Who has bought a kind tends to want the next one in the list
 * after it, and the first one after the last. */
struct audience {
    const char *category;
    const char *brands[N_BRANDS];
    const char *kinds[N_KINDS];
    int prices[N_KINDS];            /* about, in euro */
    const char *phrases[N_PHRASES]; /* who it is for */
};

extern const struct audience audiences[N_AUDIENCES];
extern const char *const adjectives[N_ADJECTIVES];
extern const char *const features[N_FEATURES];

#endif
