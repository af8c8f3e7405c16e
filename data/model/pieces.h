/* SPDX-License-Identifier: Apache-2.0 */
/* This module learns a vocabulary of text pieces and cuts texts with it: SentencePiece's BPE with byte fallback.
 *
 * Tokens: <unk>, <s>, </s>, 256 bytes, the printable ASCII characters with U+2581 for the space, then merges in the
 * order in which they were learnt (Sennrich et al., 2016), a lower number being the better score. No token crosses from
 * letters to digits or to signs, and the space mark stands only first: so cutting word by word gives what cutting the
 * whole text gives. */
#ifndef GENAIR_DATA_MODEL_PIECES_H
#define GENAIR_DATA_MODEL_PIECES_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum { TOKEN_UNKNOWN, TOKEN_BEGIN, TOKEN_END, TOKEN_FIRST_BYTE, TOKEN_FIRST_PIECE = TOKEN_FIRST_BYTE + 256 };

struct ids {
    uint32_t *at;
    size_t n, capacity;
};

struct pieces;

struct pieces *pieces_create(void); /* NULL when memory is out */
void pieces_free(struct pieces *v);
/* Counts a text's words for learning. */
CHECKED genair_code pieces_count(struct pieces *v, struct text text, genair_status *st);
/* Merges until there are n_tokens, or nothing occurs twice. */
CHECKED genair_code pieces_learn(struct pieces *v, size_t n_tokens, genair_status *st);
size_t pieces_size(const struct pieces *v);
struct text pieces_text(const struct pieces *v, uint32_t id);
/* Appends the tokens of a text; begins: a space mark goes before it. */
CHECKED genair_code pieces_encode(struct pieces *v, struct text text, bool begins, struct ids *out,
                                      genair_status *st);

#endif
