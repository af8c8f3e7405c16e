/* SPDX-License-Identifier: Apache-2.0 */
/* What a step over a whole batch and one in parts have in common; of src/model alone. */
#ifndef GENAIR_MODEL_STEP_H
#define GENAIR_MODEL_STEP_H

#include "model/method.h"
#include "model/model.h"

/* The distinct items of a step; model_row knows them until step_forget. */
struct distinct {
    size_t n;
    uint32_t *ids; /* [n] by first appearance */
};
/* Adds those of items that are not among them; masks do not count. ids has room. */
void step_collect(struct model *m, struct distinct *d, const uint32_t *items, size_t n);
/* extra: items that the method's own sequences hold. false when memory is out. */
bool step_items(struct model *m, const struct batch *b, bool whole_catalogue, const struct item_list *extra,
                struct distinct *d);
void step_forget(struct model *m, const struct distinct *d);
/* Rows of a table that a group shares out: [n, its columns] on the tape. All processes ask for the same. */
CHECKED genair_code step_fetch_rows(struct model *m, const uint32_t *ids, size_t n, struct tensor **out, genair_status *st);

/* All states of a batch [T, d]; those of its targets [R, d] go to *targets. */
struct tensor *step_states(struct model *m, const struct batch *b, struct tensor *table, struct tensor **targets);
/* n_all: targets of the whole batch, of which b is a part; 0: it is the whole. */
double step_rank_loss(struct model *m, const struct batch *b, size_t n_all, const struct objective *o, struct tensor *u,
                      struct tensor *table);
/* b: the whole batch. n_parts 0: all of its pairs. */
double step_calibration(struct model *m, const struct batch *b, const struct objective *o, struct tensor *table, size_t part,
                        size_t n_parts);
/* GENAIR_INTERNAL when a loss is not finite. */
CHECKED genair_code step_check(const struct model *m, const struct step_losses *losses, genair_status *st);

#endif
