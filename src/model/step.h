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
/* extra: items that the method's own sequences hold. false when memory is out. */
bool step_items(struct model *m, const struct batch *b, bool whole_catalogue, const struct item_list *extra,
                struct distinct *d);
void step_forget(struct model *m, const struct distinct *d);

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
