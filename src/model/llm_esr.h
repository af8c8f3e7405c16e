/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the parts of LLM-ESR: how one view of a history asks the other, and self-distillation, which draws users
 * to the mean of users who are like them. */
#ifndef GENAIR_MODEL_LLM_ESR_H
#define GENAIR_MODEL_LLM_ESR_H

#include "model/method.h"

struct esr {
    size_t cross_heads;      /* 0: the views do not see each other */
    /* of training alone */
    struct tape teaching;    /* of the similar users' passes, constants to the step's own tape; arena NULL: none */
    uint32_t *place;         /* [n_users] scratch: 1 + number among the step's similar users, 0 elsewhere */
    struct {
        size_t n;            /* sequences that learn from others */
        uint32_t *last;      /* [n] the packed positions of their vectors */
        uint32_t *start;     /* [n + 1] where each one's similar users begin in teacher */
        uint32_t *teacher;   /* numbers among the n_teachers distinct ones */
        size_t n_teachers;
        uint32_t *offsets, *items; /* their histories, packed as a batch's */
    } step;
};

/* W_o attention(W_q asking, W_k seen, W_v seen) + b within each sequence, asking and seen: [T, h]. name: "cross1" (text asks
 * behaviour) or "cross2". */
struct tensor *esr_cross(struct model *m, const char *name, struct tensor *asking, struct tensor *seen,
                         const uint32_t *offsets, size_t n_sequences);

/* Where the run learns from similar users: the tape for their passes. */
CHECKED genair_code esr_teach(struct model *m, genair_status *st);
void esr_free(struct esr *s); /* NULL is fine */

/* Each distinct similar user of the batch once; their items. */
struct item_list esr_begin_step(struct model *m, const struct batch *b);
/* alpha mean (u - mean of similar users' u)^2, and --esr-item-reg's contrast of an item's two vectors. */
void esr_loss(struct model *m, const struct method_step *s, struct step_losses *losses);

#endif
