/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the stage "scft": from --model and the items' attributes to tuned item vectors in the workspace. */
#ifndef GENAIR_TUNE_SCFT_H
#define GENAIR_TUNE_SCFT_H

#include "base/context.h"
#include "base/options.h"
#include "workspace/manifest.h"

#define SCFT_VECTORS "scft.npy" /* [n_items, hidden], row i - 1 is item i */

/* Fine-tunes the model of --model, or takes the adapters of --scft-adapter, and records stage "scft": SCFT_VECTORS and
 * scft.safetensors, the adapters. Does nothing when it was made of the same inputs. It grows in scft.training, from where
 * the same call goes on after an interruption. Options read: model, item-noun, attribute-characters, seed, scft-*. */
CHECKED genair_code scft_make(genair_context *ctx, const genair_options *options, struct workspace *w, genair_status *st);
/* Whether what is recorded was tuned, here or elsewhere: not with 0 steps and no adapters. */
bool scft_tuned(const struct workspace *w);

#endif
