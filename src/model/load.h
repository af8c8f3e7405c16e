/* SPDX-License-Identifier: Apache-2.0 */
/* This module opens a trained run of any method as a scorer. */
#ifndef GENAIR_MODEL_LOAD_H
#define GENAIR_MODEL_LOAD_H

#include "base/context.h"
#include "ranking/scorer.h"
#include "workspace/dataset.h"

#include <jansson.h>

struct catalogue;        /* workspace/catalogue.h */
struct fused_components; /* algebra/pca_file.h */

struct run {
    char *name;
    char *directory;         /* ws/runs/NAME */
    json_t *config;          /* ws/runs/NAME/config.json: method, backbone, every option of the run */
    const struct dataset *data; /* borrowed */
    struct scorer scorer;
};

/* Fails, naming the command to run, when there is no such run, it did not finish, it is of other data, or
 * its files do not have their recorded checksums. */
CHECKED genair_code run_open(genair_context *ctx, const char *workspace, const char *name,
                             const struct dataset *data, struct run **out, genair_status *st);
/* The same with the items that catalogue_add found behind those of the dataset: then in scorer too. components: the run's, which
 * all of them fit (model/new_items.h). */
CHECKED genair_code run_open_with_added(genair_context *ctx, const char *workspace, const char *name,
                                        const struct fused_components *components, const struct catalogue *c,
                                        struct run **out, genair_status *st);
void run_close(struct run *r);

#endif
