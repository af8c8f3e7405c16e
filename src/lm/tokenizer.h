/* SPDX-License-Identifier: Apache-2.0 */
/* This module turns text into a model's tokens and back.
 *
 * Families: SentencePiece BPE with byte fallback (Llama 2), byte-level BPE with the pre-tokenizer expressions of Llama 3
 * and Qwen 2 (PCRE2; Qwen 2 in NFC, utf8proc). From GGUF metadata, or a directory with tokenizer.model (SentencePiece, or
 * tiktoken ranks), tokenizer.json, or vocab.json + merges.txt; beside them tokenizer_config.json (added tokens, begin
 * token, chat template). Encoding takes O(n log n). Immutable after opening, usable from any thread. */
#ifndef GENAIR_LM_TOKENIZER_H
#define GENAIR_LM_TOKENIZER_H

#include "base/status.h"
#include "base/text.h"
#include "lm/gguf.h"

#include <stdbool.h>

struct tokenizer;

/* How a model is spoken to. CHAT_NONE: plain text. */
enum chat_format { CHAT_NONE, CHAT_LLAMA2, CHAT_LLAMA3, CHAT_CHATML, N_CHAT_FORMATS };
extern const char *const chat_format_names[N_CHAT_FORMATS];

struct tokens {
    uint32_t *ids;
    size_t n, capacity;
};
void tokens_free(struct tokens *t);
CHECKED genair_code tokens_push(struct tokens *t, uint32_t id, genair_status *st);

/* n_vocabulary: rows of the model's embedding; a token at or above it is refused, in GGUF also another number of tokens.
 * 0: not checked. */
CHECKED genair_code tokenizer_open_gguf(const struct gguf *g, size_t n_vocabulary, struct tokenizer **out, genair_status *st);
CHECKED genair_code tokenizer_open_directory(const char *path, size_t n_vocabulary, struct tokenizer **out,
                                             genair_status *st);
/* That of a model: from its GGUF file, or its directory. What ends a turn of its chat format ends an answer of the model, too: some
 * files name the end of a text alone. */
struct lm_weights;
CHECKED genair_code tokenizer_open(struct lm_weights *w, struct tokenizer **out, genair_status *st);
/* The same of another chat format, which is chosen by hand. */
CHECKED genair_code tokenizer_end_turns(const struct tokenizer *t, enum chat_format format, struct lm_weights *w, genair_status *st);
void tokenizer_free(struct tokenizer *t); /* NULL is fine */

size_t tokenizer_size(const struct tokenizer *t);
/* Bytes that a token stands for (its text for a special one); borrowed. */
struct text tokenizer_bytes(const struct tokenizer *t, uint32_t id);
bool tokenizer_is_special(const struct tokenizer *t, uint32_t id);
/* Begin token, which plain text starts with where the model wants one; false when it wants none. */
bool tokenizer_begin(const struct tokenizer *t, uint32_t *id);
/* Appends the ids of a text in which nothing is taken for a special token. Each maximal ill-formed part of UTF-8 is read as
 * U+FFFD. No begin or end token. */
CHECKED genair_code tokenizer_encode(const struct tokenizer *t, struct text text, struct tokens *out, genair_status *st);
/* The same, special and added tokens recognised: leftmost, then longest. What their lstrip and rstrip ask for is not
 * done. */
CHECKED genair_code tokenizer_encode_special(const struct tokenizer *t, struct text text, struct tokens *out,
                                             genair_status *st);
/* Text of n tokens: the caller's, released with mem_free, NUL added. Special tokens are left out; Llama 2's leading space
 * is dropped when whole is true (the tokens stand at the beginning of a text). A model may write bytes that are no UTF-8:
 * they are given as they are (unicode_repair makes them text). */
CHECKED genair_code tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t n, bool whole, char **text,
                                     size_t *n_bytes, genair_status *st);

/* Content hash of all that decides which tokens a text becomes, chat template included (32 hex digits). */
CHECKED genair_code tokenizer_hash(const struct tokenizer *t, char out[33], genair_status *st);

/* The format that the model's files ask for: from its chat template, else from the special tokens it has. */
enum chat_format tokenizer_chat_format(const struct tokenizer *t);
/* Whether there is a chat template, of none of the formats. */
bool tokenizer_chat_unknown(const struct tokenizer *t);
/* false: none is called that. */
bool chat_format_named(const char *name, enum chat_format *out);
/* One question: system message (p NULL for none) and user text to the point where the answer begins, begin token included.
 * Special tokens stand only where the format puts them. With CHAT_NONE: begin token, system, newline, user. */
CHECKED genair_code chat_encode(const struct tokenizer *t, enum chat_format format, struct text system, struct text user,
                                struct tokens *out, genair_status *st);

#endif
