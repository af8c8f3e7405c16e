/* SPDX-License-Identifier: Apache-2.0 */
/* This module cuts text into the pieces that byte-level BPE works on, by the expressions that
 * models were made with. */
#ifndef GENAIR_LM_PRETOKENIZE_H
#define GENAIR_LM_PRETOKENIZE_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>

enum expression { EXPRESSION_LLAMA3, EXPRESSION_QWEN2, N_EXPRESSIONS };

struct expression_traits {
    const char *name;      /* for people */
    const char *gguf[4];   /* its names in tokenizer.ggml.pre */
    const char *published; /* as it stands in tokenizer.json */
    const char *pattern;   /* the same for PCRE2 */
};
extern const struct expression_traits expressions[N_EXPRESSIONS];

bool expression_of_gguf(struct text name, enum expression *out);
bool expression_of_json(struct text published, enum expression *out);

struct pretokenizer;

CHECKED genair_code pretokenizer_create(enum expression expression, struct pretokenizer **out,
                                        genair_status *st);
void pretokenizer_free(struct pretokenizer *p); /* NULL is fine */

typedef genair_code take_piece(void *user, struct text piece, genair_status *st);
/* Gives the pieces of well-formed text in order; together they are the text. Any thread. */
CHECKED genair_code pretokenizer_split(const struct pretokenizer *p, struct text text,
                                       take_piece *take, void *user, genair_status *st);

#endif
