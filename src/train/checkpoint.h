/* SPDX-License-Identifier: Apache-2.0 */
/* This module saves and restores everything that training needs to go on bit for bit. */
#ifndef GENAIR_TRAIN_CHECKPOINT_H
#define GENAIR_TRAIN_CHECKPOINT_H

#include "train/loop.h"

/* directory/checkpoint.safetensors: parameters, Adam's moments ("NAME.m", "NAME.v"), the best epoch's values
 * ("best.NAME"); the rest as metadata, doubles in hexadecimal; a hash of it all. Atomic. Of several processes all call it, with a directory or,
 * where another one writes, NULL. */
CHECKED genair_code checkpoint_save(const struct session *s, const struct loop_state *state, const char *directory,
                                    genair_status *st);
/* GENAIR_FORMAT: damaged, or of another model. */
CHECKED genair_code checkpoint_load(struct session *s, struct loop_state *state, const char *directory,
                                    genair_status *st);
bool checkpoint_exists(const char *directory);

#endif
