/* SPDX-License-Identifier: Apache-2.0 */
/* This module is LLMEmb's supervised contrastive fine-tuning (Liu et al., 2025): a language model's adapters learn to
 * give two views of an item vectors that are nearer to each other than to those of other items. */
#ifndef GENAIR_TUNE_TUNING_H
#define GENAIR_TUNE_TUNING_H

#include "lm/adapted.h"
#include "lm/tokenizer.h"
#include "model/losses.h"
#include "tune/views.h"
#include "workspace/catalogue.h"

struct tuning_options {
    struct view_style style;
    bool once;               /* both views of an item are drawn once, not anew at every visit */
    struct adapter_options adapters;
    enum pooling pooling;
    enum contrast_form form;
    double rate, tau;        /* learning rate at the start, falling to 0; temperature at the start */
    uint64_t steps;
    size_t batch;            /* items in a step */
    const char *directory;   /* existing; receives checkpoint.safetensors */
    const char *given;       /* adapters tuned elsewhere (adapter_file.h), or NULL */
};

/* Opened for one model and one catalogue. */
struct tuning {
    genair_context *ctx;
    const struct tuning_options *options;
    const struct lm_weights *weights;
    const struct tokenizer *tokenizer;
    const struct catalogue *catalogue;
    struct parameters *parameters; /* adapters, then tau */
    struct parameter *tau;
    struct adapted *model;
    struct view view;
    struct tokens tokens;    /* of the sequences in work */
    uint32_t *offsets;
    size_t offsets_capacity, n_sequences;
    uint32_t n_known;        /* items that are not cold: those that it learns from */
    uint64_t step;           /* done */
    double first_loss, last_loss;
};

CHECKED genair_code tuning_open(genair_context *ctx, const struct tuning_options *options, const struct lm_weights *w,
                                const struct tokenizer *tokenizer, const struct catalogue *catalogue, struct tuning *out,
                                genair_status *st);
void tuning_close(struct tuning *t); /* {0} is fine */

/* All steps that are left; from a checkpoint in the directory, if there is one. Stopped: saves one and returns
 * GENAIR_INTERRUPTED. */
CHECKED genair_code tuning_run(struct tuning *t, genair_status *st);
/* Writes path: the vector of every item's whole text, a row an item. */
CHECKED genair_code tuning_vectors(struct tuning *t, const char *path, genair_status *st);

#endif
