/* SPDX-License-Identifier: Apache-2.0 */
/* This module makes the archetypes that a store lacks, item by item. */
#ifndef GENAIR_ARCHETYPE_GENERATE_H
#define GENAIR_ARCHETYPE_GENERATE_H

#include "archetype/leases.h"
#include "archetype/template.h"
#include "archetype/texts.h"
#include "base/context.h"
#include "lm/engine.h"
#include "lm/tokenizer.h"
#include "workspace/archetypes.h"
#include "workspace/catalogue.h"

/* The items, from 1 on. */
struct described {
    const void *user;
    uint32_t n_all; /* as many as there are */
    struct text (*name)(const void *user, uint32_t item);
    /* A new reference; NULL: nothing is known. */
    genair_code (*record)(const void *user, uint32_t item, json_t **out, genair_status *st);
    bool (*find)(const void *user, struct text name, uint32_t *item);
};
struct described described_catalogue(const struct catalogue *c); /* those of the dataset */

/* What it works with; all borrowed. */
struct generation {
    genair_context *ctx;
    struct described items;
    struct archetypes *store; /* NULL: nothing is there yet, and take gets what is made */
    genair_code (*take)(void *user, uint32_t item, const struct archetype *row, genair_status *st);
    void *taker;
    const struct template *template;
    struct prompt_style style;
    const struct texts *texts; /* NULL: the model writes */
    uint32_t n_items;          /* the first so many of the items */
    struct sampling sampling;
    size_t max_new;
};

/* What the store holds of those items. */
struct made {
    uint64_t n_done;
    uint64_t n_prompt, n_generated; /* tokens of all that are done */
    uint64_t n_short;               /* done with nothing to read back: the answer was empty, or its only token the last there was room for */
    uint64_t n_new, n_failed;       /* by this run */
    struct engine_statistics speed; /* of this run */
};

struct generate;

/* Looks through the store: what is in it with today's prompt (and text) counts as done; what is
 * damaged or failed is pending, as is all that is not there. */
CHECKED genair_code generate_create(const struct generation *g, struct generate **out,
                                    genair_status *st);
void generate_free(struct generate *g); /* NULL is fine */
uint32_t generate_pending(const struct generate *g); /* items to be made */
const struct made *generate_made(const struct generate *g);
/* How many items have no archetype, and the first of them. */
uint32_t generate_missing(const struct generate *g, uint32_t *first);

/* Looks through a store of another process in the same way. adopt: what is in it and not in g's own store is put there,
 * and *n_adopted counts it. */
CHECKED genair_code generate_look(struct generate *g, struct archetypes *other, bool adopt, uint64_t *n_adopted,
                                  genair_status *st);
/* From now on only what is leased is made, until nothing is left to be made by anybody. fresh: as leases_open said; what is
 * known to be done is told the others. The leases are borrowed. */
CHECKED genair_code generate_share(struct generate *g, struct leases *leases, bool fresh, genair_status *st);

enum { GENERATE_CHUNK = 256 }; /* prompt tokens in a step */

/* The model's side: opened only when there is something to make. */
struct generator {
    const struct lm_weights *weights;
    const struct tokenizer *tokenizer;
    enum chat_format format;
    struct engine_options options;
};

/* Fails as generate_run does before it makes anything: a prompt that is too long, prompts that are all alike, too little memory for
 * one sequence. */
CHECKED genair_code generate_check(struct generate *g, const struct generator *with, genair_status *st);

/* Makes all that is pending. Interrupted, or failing, it leaves what is done in the store. */
CHECKED genair_code generate_run(struct generate *g, const struct generator *with,
                                 genair_status *st);

#endif
