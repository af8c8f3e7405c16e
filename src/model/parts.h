/* SPDX-License-Identifier: Apache-2.0 */
/* This module makes a training step in parts, which the processes of a group share out.
 *
 * A batch is cut into n parts, a power of two: its sequences, the rows of its distinct items that a projector makes, the
 * rows of pairs of the calibration. Each part has gradients of its own, which are added as a balanced binary tree over the
 * parts; a process has a whole subtree of it. So the numbers are a function of n, not of the number of processes, which has
 * to divide n.
 *
 * Adam's work is shared out: dense parameters in runs of places, a table in blocks of rows (base/shard.h). Every process has
 * the values of all dense parameters, but their moments are up to date at their owner alone, until parts_collect. Of a table
 * it has its own rows alone, with their moments. */
#ifndef GENAIR_MODEL_PARTS_H
#define GENAIR_MODEL_PARTS_H

#include "base/group.h"
#include "model/model.h"

/* From now on the model's steps are made so, by the processes of its configuration's group. GENAIR_USAGE for a method whose
 * losses need the whole batch, and for a number of processes that does not divide n. */
CHECKED genair_code parts_begin(struct model *m, size_t n, genair_status *st);
void parts_free(struct parts *p); /* NULL is fine */
/* Whether runs of the method may be trained so: none of its losses needs the whole batch. */
bool parts_suit(const struct method *method);
/* What this process wishes before a step; whether any did, the same for all after it. */
void parts_wish_to_stop(struct parts *p, bool wish);
bool parts_stopped(const struct parts *p);

CHECKED genair_code parts_step(struct model *m, const struct batch *b, const struct objective *o, struct step_losses *losses,
                               genair_status *st);
CHECKED genair_code parts_update(struct model *m, genair_status *st);
/* Every process has all of Adam's memory of dense parameters, for a checkpoint. */
CHECKED genair_code parts_collect(struct model *m, genair_status *st);

#endif
