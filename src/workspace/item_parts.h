/* SPDX-License-Identifier: Apache-2.0 */
/* This module names the two kinds of item vectors: of the prompt and of the generated answer. */
#ifndef GENAIR_WORKSPACE_ITEM_PARTS_H
#define GENAIR_WORKSPACE_ITEM_PARTS_H

enum item_part { PREFILL, DECODING, N_PARTS };

/* Also the names of the options. */
static const char *const part_names[N_PARTS] = {[PREFILL] = "prefill", [DECODING] = "decoding"};
/* In a workspace: I × D float32, row i - 1 is item i. */
static const char *const part_files[N_PARTS] = {
    [PREFILL] = "prefill.npy", [DECODING] = "decoding.npy"};

#endif
