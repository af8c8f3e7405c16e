/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what the parts of CITIES share: who is rare, contexts as F reads them, and F. */
#ifndef GENAIR_MODEL_CITIES_H
#define GENAIR_MODEL_CITIES_H

#include "base/rng.h"
#include "model/contexts.h"
#include "model/method.h"

struct cities {
    size_t window;             /* neighbours on each side */
    size_t n_heads, n_layers;  /* layers of each of F's two encoders */
    size_t most_contexts;      /* of an item in a step */
    double dropout, attention_dropout;
    struct contexts seen;      /* those of more than two items */
    double threshold;          /* items that occur more often are head, the others tail */
    uint32_t *learning, *held; /* head items that have contexts: to learn from, for validation */
    size_t n_learning, n_held;
    float *places;             /* [2 window + 1, d] sines and cosines */
};

/* Items with contexts, as F reads them. A context's tokens are its history's items around the place, the item itself
 * replaced by MASK_ROW. */
struct cities_sample {
    size_t n_items, n_drawn, n_contexts, n_tokens;
    uint32_t *group;   /* [n_items + 1] what was drawn for each item */
    uint32_t *drawn;   /* [n_drawn] which context; one that an item has several times is read once */
    uint64_t *place;   /* [n_contexts] in seen.context, of drawn ones */
    uint32_t item_now; /* of which contexts are drawn, and its first one */
    size_t first_of_item;
    uint32_t *offsets; /* [n_contexts + 1] tokens of each context */
    uint32_t *item;    /* [n_tokens] */
    uint32_t *slot;    /* [n_tokens] window + how far to the right of the item */
};

/* Fills s, whose window is set, from seen on. data is borrowed while s lives; width: of item vectors. Errors: fewer than
 * two head items with contexts. */
CHECKED genair_code cities_deal(struct cities *s, const struct dataset *data, const json_t *options, size_t width,
                                uint64_t seed, genair_status *st);
void cities_free(struct cities *s);

/* Room for so many items and drawn contexts, none in it yet; memory of the tape. false when there is none. */
bool cities_sample_open(struct tape *t, const struct cities *s, size_t n_items, size_t n_contexts,
                        struct cities_sample *out);
void cities_end_item(struct cities_sample *sample);
/* Adds an item with k of its contexts, drawn with replacement, or with all. An item that is added several times in a row
 * shares contexts. */
void cities_add_drawn(struct cities_sample *sample, const struct cities *s, uint32_t item, size_t k, struct rng *r);
void cities_add_whole(struct cities_sample *sample, const struct cities *s, uint32_t item);

/* F: the item vectors that the contexts suggest, [n_items, d]. Within a step of m's tape. */
struct tensor *cities_infer(struct model *m, const struct cities_sample *sample);
CHECKED genair_code cities_parameters(struct model *m, genair_status *st);

#endif
