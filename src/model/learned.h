/* SPDX-License-Identifier: Apache-2.0 */
/* This module turns a run's configuration and files into a model, and back. */
#ifndef GENAIR_MODEL_LEARNED_H
#define GENAIR_MODEL_LEARNED_H

#include "base/context.h"
#include "model/model.h"
#include "workspace/dataset.h"

#include <jansson.h>

struct fused_rows; /* model/new_items.h */

/* The shape of the model that config.json (options by their long names) describes. fused_width: columns of
 * the matrix that the method reads, 0 for none. */
CHECKED genair_code learned_config(const json_t *config, const struct dataset *data, size_t fused_width,
                                   struct model_config *out, genair_status *st);

/* Writes every parameter that requests need and, where items are not rows of a table, the finished items as "item_vectors" [n_items, d], so that
 * a run is served without the fused matrix. Recomputes the model's item vectors. Of several processes all call it, with path NULL
 * where another one writes. */
CHECKED genair_code learned_save(struct model *m, const char *path, genair_status *st);

/* Opens directory/model.safetensors for scoring. more: items that training has not seen, numbered behind the dataset's,
 * whose vectors the trained projector makes; NULL for none, and for other methods than genair. Errors name the file,
 * tensor and shape. */
CHECKED genair_code learned_open(genair_context *ctx, const char *directory, const json_t *config,
                                 const struct dataset *data, const struct fused_rows *more, struct scorer *out,
                                 genair_status *st);
void learned_close(struct scorer *s);

#endif
