/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the table of learned methods: what each reads, and what it changes in the sequence model.
 *
 * A method's parameters and draws have names and streams of their own, so that one whose weight is 0 is the plain
 * model, bit for bit. Hooks that are NULL leave the plain model as it is. docs/methods.md has the definitions. */
#ifndef GENAIR_MODEL_METHOD_H
#define GENAIR_MODEL_METHOD_H

#include "model/model.h"

#include <jansson.h>

enum { METHOD_MATRICES = 2 };

/* Item vectors that a method wants made of the semantic matrix (train/semantic.h). */
struct matrix_request {
    size_t components; /* of a PCA; 0: the rows as they are */
    bool whiten;       /* each component divided by its deviation */
    bool exact;        /* columns of zeros where there are fewer components */
    bool by_popularity; /* of the PCA: an item counts as often as training has it, instead of once */
};

struct method_inputs {
    const json_t *options;      /* config.json of the run */
    const struct dataset *data;
    const struct model *base;   /* of --base-run, or NULL */
    struct method_matrix {
        const float *values;    /* [n_items, width], row i - 1 is item i */
        size_t width;
    } matrix[METHOD_MATRICES];  /* as requested; the first is also the model's fused matrix */
    const int32_t *similar;     /* [n_users, SIMILAR_USERS] others from 0, the most similar first, -1 behind the last; or NULL */
};

enum { SIMILAR_USERS = 100 };

struct item_list {
    const uint32_t *items;
    size_t n;
};

/* One step, after the ranking loss. */
struct method_step {
    const struct batch *batch;
    struct tensor *table;   /* [distinct, d] item vectors; model_row gives an item's */
    struct tensor *states;  /* [T, d] */
    struct tensor *u;       /* [R, d] states of the targets */
    struct item_list extra; /* what begin_step returned */
};

/* What a method trains before the sequence model, by steps of its own; validation picks the best of its epochs. */
struct prelude {
    struct adam_options adam; /* its rate is what a step sets */
    const char *patience, *epochs; /* options: epochs without improvement before it ends; of the model behind it */
    size_t (*n_steps)(const struct model *m); /* in an epoch */
    /* Leaves gradients in the parameters, as model_step does. */
    genair_code (*step)(struct model *m, struct step_losses *losses, genair_status *st);
    genair_code (*error)(struct model *m, double *out, genair_status *st); /* on validation */
    genair_code (*finish)(struct model *m, genair_status *st); /* the model takes over what was learned */
};

struct method_default {
    const char *option, *value;
};

struct method {
    const char *name;
    bool fused;                /* reads fused.npy */
    bool base_run;             /* starts from, or learns beside, a finished base run */
    bool continues;            /* its parameters start as the base run's, which must have the same backbone */
    const struct method *served; /* what a finished run is opened as; NULL: base */
    size_t n_matrices;         /* made of the semantic matrix; 0: it reads none */
    struct matrix_request (*matrix)(const json_t *options, size_t which);
    bool (*similar_users)(const json_t *options); /* whether a run reads inputs.similar; NULL: none does */
    const struct method_default *defaults; /* of options that mean something else here; ends with {0} */
    const struct prelude *prelude; /* or NULL */
    const char *term;          /* its further loss, for messages and metrics.jsonl */
    const char *weight_options; /* ", --x": what a diverging run may lower beside --lr and --dropout */

    /* Adds the parameters of the item vectors before the backbone's: m->table or m->fused, and others. */
    genair_code (*parameters)(struct model *m, const float *matrix, genair_status *st);
    /* After all parameters exist: starting values that differ from the plain model's, prepared data. */
    genair_code (*begin)(struct model *m, genair_status *st);
    void (*release)(struct model *m);
    /* Before the first step of an epoch. */
    genair_code (*begin_epoch)(struct model *m, genair_status *st);
    /* Item vectors [n, d] of rows of the table or matrix; ids: the items of the rows. */
    struct tensor *(*items)(struct model *m, struct tensor *source, const uint32_t *ids);
    /* In place of the backbone's forward pass. */
    struct tensor *(*forward)(struct model *m, struct tensor *table, const uint32_t *index, const uint32_t *offsets,
                              size_t n_sequences);
    /* Further sequences of a step: their items. Memory from the tape. */
    struct item_list (*begin_step)(struct model *m, const struct batch *b);
    /* A vector that requests of BERT4Rec need beside parameters, saved as "mask_vector"; within model_refresh_items' tape. */
    struct tensor *(*mask_vector)(struct model *m);
    /* Operations over a history of n items, where it is not the backbone's once. */
    double (*flops)(const struct model *m, size_t n);
    /* Changes user vectors [h->n, d] at requests. */
    genair_code (*users)(struct model *m, const struct histories *h, float *out, genair_status *st);
    /* Whether its loss takes the ranking loss's place. */
    bool (*ranks)(const struct model *m);
    /* Adds to the losses' total and calibration (or rank), and to gradients. */
    void (*loss)(struct model *m, const struct method_step *s, struct step_losses *losses);
};

extern const struct method method_base, method_genair, method_llminit, method_alphafuse, method_rlmrec, method_llmemb,
                           method_melt, method_cities, method_llm_esr;

/* The learned method of that name, or NULL. */
const struct method *method_named(const char *name);
/* What the configuration says, or base or genair by whether there is a matrix. */
const struct method *method_of(const struct model_config *c);

/* Options of the run by their long names; a missing one is a defect of the table of options. */
const char *method_text(const json_t *options, const char *name);
/* As a method's .matrix: --semantic-components of it. */
struct matrix_request method_matrix(const json_t *options, size_t which);
bool method_is(const json_t *options, const char *name, const char *value);
double method_real(const json_t *options, const char *name);
size_t method_count(const json_t *options, const char *name);

#endif
