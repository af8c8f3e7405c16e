/* SPDX-License-Identifier: Apache-2.0 */
/* This module counts golden cases of the language model that passed, printing a line for each that
 * failed.
 *
 * A group is one file golden_GROUP.c with one function, listed in golden_lm.c beside the file whose
 * presence marks a directory of the group. The function checks everything in the directory, one
 * pass or fail a case:
 *
 *     void golden_quants(struct golden_lm *g, const char *directory) {
 *         …
 *         if (golden_lm_close(g, "q4_0", "q4_0.npy", 0, n, expected, found, 1e-6))
 * golden_lm_pass(g);
 *     }
 */
#ifndef GENAIR_TESTS_GOLDEN_LM_H
#define GENAIR_TESTS_GOLDEN_LM_H

#include "base/context.h"
#include "kernels/kernels.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct golden_lm {
    genair_context *ctx;           /* two threads, no messages */
    const struct kernels *kernels; /* what --kernels names */
    const char *directory;         /* of the group being checked, for messages */
    size_t passed, failed;
};

typedef void golden_lm_group(struct golden_lm *g, const char *directory);
golden_lm_group golden_quants, golden_malformed, golden_tokenizers, golden_prompts, golden_models;

void golden_lm_pass(struct golden_lm *g);
/* Prints "FAILED directory/name: …". */
void golden_lm_fail(struct golden_lm *g, const char *name, const char *format, ...) PRINTF(3, 4);
/* For what returns a code: true when it is GENAIR_OK, else the case failed with the status's text.
 */
bool golden_lm_ok(struct golden_lm *g, const char *name, genair_code code, const genair_status *st);
/* Whether all found are within allowed of what is expected, NaN never. If not the case failed with
 * the value furthest off; array[first] is the first value's name there. Passing is the caller's to
 * count: a case may hold several arrays. */
bool golden_lm_close(struct golden_lm *g, const char *name, const char *array, size_t first,
                     size_t n, const double *expected, const double *found, double allowed);
/* The values of an .npy file below directory, *n of them, released with mem_free; NULL and the case
 * failed when it cannot be read. */
double *golden_lm_npy(struct golden_lm *g, const char *directory, const char *name,
                      const char *file, size_t *n);
/* A JSON file below directory; NULL and the case failed when it cannot be read. */
json_t *golden_lm_json(struct golden_lm *g, const char *directory, const char *name,
                       const char *file);

#endif
