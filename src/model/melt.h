/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what MELT's training and its requests both know: who is head and who is tail. */
#ifndef GENAIR_MODEL_MELT_H
#define GENAIR_MODEL_MELT_H

#include "model/contexts.h"
#include "model/method.h"

/* |sin(pi/2 progress + turn)|: weight of a user or item at a share of the epochs. */
double melt_weight(double progress, double turn);
/* A user's turn at a length, an item's at a count. */
double melt_user_turn(double length, double threshold, double most);
double melt_item_turn(double count, double threshold);

struct melt {
    double user_threshold, item_threshold, beta;
    bool maps_users;
    /* of training alone */
    struct contexts seen;          /* histories up to an item, or backwards from the end to it */
    struct melt_deck {
        uint32_t *order;           /* head users from 0, head items */
        size_t n;
        uint64_t epoch;            /* of its shuffle */
    } users, items;
    /* the step's own sequences: whole and short histories of users, contexts of items */
    struct {
        size_t n_users, n_items, n_sequences;
        const uint32_t *user, *item; /* [n_users], [n_items] */
        uint32_t *offsets, *items;
        uint32_t *group;             /* [n_items + 1] contexts of each item, among the contexts */
    } step;
};

/* Items that occur more often are head: a quantile of those that occur at all. values: room for n_items. */
double melt_item_threshold(const uint32_t *count, uint32_t n_items, double share, double *values);
/* The thresholds; for training also decks and contexts. data is borrowed while s lives. */
CHECKED genair_code melt_deal(struct melt *s, const struct dataset *data, double share, bool training,
                              genair_status *st);
void melt_free(struct melt *s);
size_t melt_context_length(const struct context *c, uint32_t n);
/* Its latest items, at most room. Returns how many. */
size_t melt_context_items(const struct melt *s, const struct context *c, size_t room, uint32_t *out);

#endif
