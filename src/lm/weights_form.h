/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what weights.c asks of a form that models come in: a GGUF file, a Hugging Face directory. */
#ifndef GENAIR_LM_WEIGHTS_FORM_H
#define GENAIR_LM_WEIGHTS_FORM_H

#include "lm/weights.h"

/* How rotary angles are slowed down. */
struct rope_scaling {
    enum { ROPE_PLAIN, ROPE_LINEAR, ROPE_LLAMA3 } kind;
    double factor;
    double low, high, original; /* ROPE_LLAMA3: frequency factors, context before scaling */
};

/* What a form's metadata say, not yet checked against each other. */
struct form_config {
    struct lm_config c; /* head_dim 0: hidden / n_heads; rope_divisors NULL */
    struct rope_scaling rope;
    bool tied; /* the output matrix is the embedding, whatever tensors there are */
};

/* Where a tensor lies; dims[0] varies slowest: rows, then columns. */
struct form_tensor {
    struct text name;
    enum lm_type type;
    size_t n_dims, dims[2]; /* the first two: with more than two it is no matrix */
    int file;
    uint64_t offset;
};

struct weights_form {
    int column; /* of the table of names in weights.c */
    genair_code (*open)(const char *path, void **form, genair_status *st);
    void (*close)(void *form);
    genair_code (*config)(const void *form, struct form_config *out, genair_status *st);
    size_t (*count)(const void *form); /* tensors */
    bool (*find)(const void *form, const char *name, size_t *i);
    struct text (*name)(const void *form, size_t i);
    /* GENAIR_FORMAT for a type that no weight has. */
    genair_code (*tensor)(const void *form, size_t i, struct form_tensor *out, genair_status *st);
    genair_code (*read)(const void *form, int file, uint64_t offset, void *out, size_t size,
                        genair_status *st);
};

extern const struct weights_form weights_gguf_form, weights_directory_form;

/* weights_config.c: config.json and, where there is one, generation_config.json of a directory. */
CHECKED genair_code weights_config_read(const char *directory, struct form_config *out,
                                        genair_status *st);
/* Adds one, if it is new. */
CHECKED genair_code lm_config_add_eos(struct lm_config *c, uint64_t id, const char *path,
                                      genair_status *st);
/* Sets it; a failure that lists those known. */
CHECKED genair_code lm_config_architecture(struct lm_config *c, struct text name, const char *path,
                                           genair_status *st);

#endif
