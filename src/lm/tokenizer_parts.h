/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the inside of a tokenizer, which the readers of the different files fill.
 *
 * A reader puts the tokens into the vocabulary, the files beside it add theirs, tokenizer_finish
 * closes it; then come merges, begin token and chat template. */
#ifndef GENAIR_LM_TOKENIZER_PARTS_H
#define GENAIR_LM_TOKENIZER_PARTS_H

#include "lm/bpe.h"
#include "lm/pretokenize.h"
#include "lm/tokenizer.h"
#include "lm/vocabulary.h"

#include <jansson.h>

/* How the text of tokens is written in files. */
enum alphabet {
    ALPHABET_SENTENCEPIECE, /* U+2581 for a space */
    ALPHABET_BYTES,         /* GPT-2's: a printable character for each byte */
};

struct tokenizer {
    struct vocabulary vocabulary; /* tokens as the bytes that they stand for */
    enum alphabet alphabet;
    uint32_t byte[256]; /* the token of each byte */
    struct bpe_rules rules;
    uint32_t *rank;     /* of rules */
    bool leading_space; /* SentencePiece: a text is encoded with a space before it */
    bool one_space;     /* unless it begins with one */
    bool whole_words;   /* bytes: a piece that is a token is taken as it is */
    bool nfc;
    enum expression expression;
    struct pretokenizer *pretokenizer; /* bytes: of that expression */
    bool begins;
    uint32_t begin;
    enum chat_format chat;
    bool chat_unknown; /* there is a template, of another format */
    bool
        chat_dates; /* the template puts Llama 3.1's two lines with dates into the system message */
    char *chat_system; /* system message of the template where none is given, or NULL */
};

/* ---- what readers share (tokenizer.c) ---- */

/* A new tokenizer; limit: number of rows, 0 for unknown. */
CHECKED genair_code tokenizer_create(size_t limit, struct tokenizer **out, genair_status *st);
/* Closes the vocabulary, makes the table of bytes. */
CHECKED genair_code tokenizer_finish(struct tokenizer *t, struct place place, genair_status *st);
CHECKED genair_code tokenizer_set_expression(struct tokenizer *t, enum expression e,
                                             genair_status *st);
/* text: of the begin token, which must be an added or special one. */
CHECKED genair_code tokenizer_set_begin(struct tokenizer *t, struct text text, struct place place,
                                        genair_status *st);

/* ---- alphabets (alphabet.c) ---- */

/* The bytes of a token's text, into out[text.n]; false when it has a character that is not of the
 * alphabet. */
bool alphabet_decode(enum alphabet alphabet, struct text text, char *out, size_t *n);
/* Puts a token that is written in an alphabet. */
CHECKED genair_code alphabet_put(struct tokenizer *t, uint64_t id, struct text text, float score,
                                 struct place place, genair_status *st);
/* SentencePiece's <0xHH>. */
CHECKED genair_code alphabet_put_byte(struct tokenizer *t, uint64_t id, struct text name,
                                      struct place place, genair_status *st);
/* Puts merge number rank, after tokenizer_finish and bpe_pairs_create. */
CHECKED genair_code alphabet_put_merge(struct tokenizer *t, uint32_t rank, struct text left,
                                       struct text right, struct place place, genair_status *st);
/* The same from "left right". */
CHECKED genair_code alphabet_put_merge_line(struct tokenizer *t, uint32_t rank, struct text line,
                                            struct place place, genair_status *st);

/* ---- SentencePiece (sentencepiece_model.c), its pieces from whichever file ---- */

enum piece_type {
    PIECE_NORMAL = 1,
    PIECE_UNKNOWN,
    PIECE_CONTROL,
    PIECE_USER_DEFINED,
    PIECE_UNUSED,
    PIECE_BYTE
};
CHECKED genair_code sentencepiece_put(struct tokenizer *t, uint64_t id, struct text text,
                                      float score, uint64_t type, struct place place,
                                      genair_status *st);
/* After tokenizer_finish: the order of merges, from the scores. */
CHECKED genair_code sentencepiece_rank(struct tokenizer *t, genair_status *st);

/* ---- files ---- */

enum { TOKENIZER_FILE_MAX = 256 << 20 };
/* Each reads one file into t; config: tokenizer_config.json or NULL, whose added tokens come before
 * tokenizer_finish. */
CHECKED genair_code sentencepiece_read(struct tokenizer *t, const char *path, struct text file,
                                       const json_t *config, const char *config_path,
                                       genair_status *st);
CHECKED genair_code tiktoken_read(struct tokenizer *t, const char *path, const json_t *config,
                                  const char *config_path, genair_status *st);
CHECKED genair_code tokenizer_json_read(struct tokenizer *t, const char *path, const json_t *config,
                                        const char *config_path, genair_status *st);
CHECKED genair_code vocab_merges_read(struct tokenizer *t, const char *vocab_path,
                                      const char *merges_path, const json_t *config,
                                      const char *config_path, genair_status *st);

/* ---- tokenizer_config.json (tokenizer_config.c) ---- */

/* A whole JSON file whose value is an object; the caller's, json_decref. */
CHECKED genair_code json_object_read(const char *path, json_t **out, genair_status *st);
/* An object with "content" and "special" as an added token. */
CHECKED genair_code json_add_token(struct tokenizer *t, const json_t *entry, const json_t *id,
                                   struct place place, genair_status *st);
/* Before tokenizer_finish: the tokens under added_tokens_decoder. */
CHECKED genair_code config_add_tokens(struct tokenizer *t, const json_t *config, const char *path,
                                      genair_status *st);
/* After it: begin token, chat template. */
CHECKED genair_code tokenizer_config_apply(struct tokenizer *t, const json_t *config, const char *path,
                                 genair_status *st);

/* ---- chat (chat.c) ---- */

/* Recognises the family of a template; text.p NULL: there is none, the special tokens decide. */
CHECKED genair_code chat_recognise(struct tokenizer *t, struct text template, genair_status *st);
/* The tokens that end a turn, as the format has them and t knows them; how many, at most CHAT_ENDS. */
enum { CHAT_ENDS = 2 };
size_t chat_ends(const struct tokenizer *t, enum chat_format format, uint32_t ids[CHAT_ENDS]);

#endif
