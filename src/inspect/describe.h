/* SPDX-License-Identifier: Apache-2.0 */
/* This module says what is in a file or directory, as JSON. */
#ifndef GENAIR_INSPECT_DESCRIBE_H
#define GENAIR_INSPECT_DESCRIBE_H

#include "base/status.h"

#include <jansson.h>

/* Each fills the object out, which has "kind" and "path" afterwards. A damaged file is
 * GENAIR_FORMAT with what its reader says. */

/* .npy, safetensors, GGUF or a workspace's .bin file, told by the first bytes; another is
 * GENAIR_FORMAT and the message says what is known. */
CHECKED genair_code describe_file(const char *path, json_t *out, genair_status *st);
/* A workspace: its stages, whether they are current, their files and results. */
CHECKED genair_code describe_workspace(const char *path, json_t *out, genair_status *st);
/* A run's directory: method, epochs, tensors, options. */
CHECKED genair_code describe_run(const char *path, json_t *out, genair_status *st);

/* describe_model.c: a GGUF file, with or without a language model that this program can run ("model"
 * or "not_usable" says why not); a Hugging Face directory, with "not_usable" where its tokenizer cannot be read. */
CHECKED genair_code describe_gguf(const char *path, json_t *out, genair_status *st);
CHECKED genair_code describe_model_directory(const char *path, json_t *out, genair_status *st);

/* Sets "kind" and "path". */
CHECKED genair_code describe_head(json_t *out, const char *kind, const char *path,
                                  genair_status *st);

#endif
