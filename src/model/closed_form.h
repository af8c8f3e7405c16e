/* SPDX-License-Identifier: Apache-2.0 */
/* This module fits the sanity methods that need no gradient: pop, itemknn, ease. */
#ifndef GENAIR_MODEL_CLOSED_FORM_H
#define GENAIR_MODEL_CLOSED_FORM_H

#include "base/context.h"
#include "ranking/scorer.h"
#include "workspace/dataset.h"

#include <stdbool.h>

bool closed_form_knows(const char *method);
/* method: "pop", "itemknn" or "ease". Fits on the training parts and writes directory/model.safetensors.
 * Options read: pop-window, knn-neighbours, knn-shrinkage, ease-lambda. */
CHECKED genair_code closed_form_fit(genair_context *ctx, const genair_options *options, const char *method,
                                    const struct dataset *data, const char *directory, genair_status *st);
/* Opens what closed_form_fit wrote. scorer->model is released with closed_form_close. */
CHECKED genair_code closed_form_open(const char *method, const char *directory, const struct dataset *data,
                                     struct scorer *out, genair_status *st);
void closed_form_close(struct scorer *s);

#endif
