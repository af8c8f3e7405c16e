/* SPDX-License-Identifier: Apache-2.0 */
/* This module composes examples from the inventory: a made-up item as the prompt of the paper's Table 1, and an
 * archetype for it. Example number i is a function of (seed, i) alone. */
#ifndef GENAIR_DATA_MODEL_COMPOSE_H
#define GENAIR_DATA_MODEL_COMPOSE_H

#include "inventory.h"

#include <stdint.h>

enum { PROMPT_BYTES = 2048, ANSWER_BYTES = 2048 };

struct example {
    const struct kind *kind;
    char prompt[PROMPT_BYTES];
    char answer[ANSWER_BYTES];
    size_t n_fixed; /* bytes of the prompt before the first attribute: the same in every prompt with that noun */
};

enum kept { KEPT_IN, HELD_OUT };

void compose(const struct inventory *inventory, uint64_t seed, uint64_t i, enum kept which, struct example *out);
/* Whether the text names one of the audiences of the kind, by any of its names, in any case of letters. */
bool names_audience(const char *text, const struct kind *kind);

#endif
