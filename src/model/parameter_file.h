/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes arrays of parameters to safetensors files, and reads them: whole tables in the order of their rows,
 * however many processes share them out. */
#ifndef GENAIR_MODEL_PARAMETER_FILE_H
#define GENAIR_MODEL_PARAMETER_FILE_H

#include "base/files.h"
#include "model/model.h"
#include "workspace/safetensors.h"

/* An array [held, cols] of p (its values, a moment, a copy) as the next tensor of a file that safetensors_begin began. All
 * processes call it; w is NULL where another one writes. h: of what is written, or NULL. What w failed with is returned, but
 * nobody waits for who failed. A table that is shared out resets the tape. */
CHECKED genair_code parameter_put(struct model *m, const struct parameter *p, const float *array, struct writer *w,
                                  struct hasher *h, genair_status *st);
/* Such an array from a tensor of the parameter's shape: each process reads its own rows. */
CHECKED genair_code parameter_get(const struct parameter *p, const struct safetensors *f, const struct safetensor *t, float *array,
                                  genair_status *st);

#endif
