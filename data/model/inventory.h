/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads the hand-written inventory: product kinds (kinds.txt), the people who buy them (audiences.txt),
 * how both are worded (phrases.txt). The files say in their first lines how they are laid out. */
#ifndef GENAIR_DATA_MODEL_INVENTORY_H
#define GENAIR_DATA_MODEL_INVENTORY_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>

struct list {
    const struct text *at;
    size_t n;
};

struct audience {
    struct text name;
    struct list others; /* other names */
    struct list wants;  /* follow "who" */
};

struct department {
    struct list categories, sizes, features;
};

enum { MOST_AUDIENCES = 4 };

struct kind {
    const struct department *department;
    struct list names, attributes, uses;
    double low, high; /* price */
    size_t n_audiences;
    const struct audience *audiences[MOST_AUDIENCES];
};

enum phrase_group {
    PHRASE_NAME, PHRASE_DESCRIPTION, PHRASE_OTHER_AUDIENCE, PHRASE_OPENING, PHRASE_REASON, PHRASE_FEATURE, PHRASE_CHEAP,
    PHRASE_FAIR, PHRASE_DEAR, PHRASE_BRAND, PHRASE_BRAND_END, PHRASE_BRAND_TAIL, PHRASE_ADJECTIVE, N_PHRASE_GROUPS
};

struct inventory {
    size_t n_audiences, n_kinds, n_departments;
    const struct audience *audiences;
    const struct kind *kinds;
    const struct department *departments;
    struct list phrases[N_PHRASE_GROUPS];
    void *private_;
};

CHECKED genair_code inventory_open(const char *directory, struct inventory **out, genair_status *st);
void inventory_close(struct inventory *inventory); /* NULL is fine */
/* Every tenth kind is kept out of the training texts. */
bool kind_is_held_out(const struct inventory *inventory, const struct kind *kind);

#endif
