/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads and writes adapters as safetensors. */
#ifndef GENAIR_TUNE_ADAPTER_FILE_H
#define GENAIR_TUNE_ADAPTER_FILE_H

#include "tune/tuning.h"

/* The rank of the adapters in a file that adapter_file_load would take. */
CHECKED genair_code adapter_file_rank(const char *path, size_t *rank, genair_status *st);
/* Takes adapters by our names (adapted.h), or by those of Hugging Face's PEFT, whose rows are put in the order of w's.
 * F32, F16 or BF16; all of them must be there. */
CHECKED genair_code adapter_file_load(struct parameters *p, const struct lm_weights *w, const char *path, genair_status *st);
/* Under our names, and tau. */
CHECKED genair_code adapter_file_save(const struct parameters *p, const char *path, genair_status *st);

/* Everything that a tuning needs to go on bit for bit. */
CHECKED genair_code adapter_checkpoint_save(const struct tuning *t, const char *path, genair_status *st);
CHECKED genair_code adapter_checkpoint_load(struct tuning *t, const char *path, genair_status *st);

#endif
