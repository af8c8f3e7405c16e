/* SPDX-License-Identifier: Apache-2.0 */
/* This module assembles a sequence model: item vectors (table or projector), a backbone, its losses.
 *
 * Item ids are 1..n_items. A model belongs to one thread; its operations spread over struct parallel. */
#ifndef GENAIR_MODEL_MODEL_H
#define GENAIR_MODEL_MODEL_H

#include "model/losses.h"
#include "ranking/scorer.h"
#include "tensor/parameters.h"

struct group;
struct method;
struct method_inputs;
struct parts;

enum backbone { SASREC, BERT4REC, GRU4REC, N_BACKBONES };
extern const char *const backbone_names[N_BACKBONES];

struct model_config {
    enum backbone backbone;
    size_t n_items;
    size_t hidden;             /* d */
    size_t fused_width;        /* D: columns of the fused matrix; 0: a table of item vectors (base) */
    bool trainable_fused;      /* the fused matrix is only where a trainable table starts */
    size_t n_layers, n_heads;  /* of the attention models */
    size_t n_positions;        /* longest sequence + 1: rows of pos_emb, place 0 unused */
    bool causal;               /* attention looks back only: sasrec that learns so, gru4rec (llm-esr) that learns at every position */
    double dropout;
    double input_scale;        /* of the attention models' items before the positions; 0: sqrt(d) */
    const struct method *method; /* NULL: base, or genair with a fused matrix */
    const struct method_inputs *inputs; /* what the method reads; borrowed while the model lives, NULL when served */
    struct group *group;       /* processes that train it together and share out the rows of a table; borrowed, or NULL */
    const uint8_t *cold;       /* [n_items + 1] items outside of training, not in the full softmax; or NULL */
};

struct model {
    struct model_config config;
    struct parallel *parallel;
    const struct kernels *kernels;
    struct parameters *parameters;
    const struct method *method;
    void *state;               /* of the method, or NULL */
    size_t width;              /* of the backbone: d, or what the method makes of it */
    struct parameter *table;   /* [n_items + 1, d or D] shared out by the group, row 0 zero; NULL with a frozen matrix */
    const float *fused;        /* [n_items, D] borrowed, row i - 1 is item i; NULL for base */
    struct tape tape;
    uint32_t *local;           /* [n_items + 2] scratch of model_step: item -> 1 + row among the distinct */
    uint32_t *identity;        /* [n_items] 1, 2, 3, … */
    uint32_t *catalogue;       /* [n_catalogue] the items that training knows, ascending */
    size_t n_catalogue;
    float *item_vectors;       /* [n_items + 1, d] as of model_refresh_items, row 0 zero */
    bool shares_table;         /* item_vectors are the table's values, of a group those that are here */
    uint64_t seed;
    struct parts *parts;       /* a step is made in parts, by one process or several (model/parts.h); or NULL */
    const uint32_t *read;      /* [n_read] while encoding: the only positions whose outputs are wanted; or NULL */
    size_t n_read;
};

/* fused: [n_items, D], borrowed while the model lives; NULL when fused_width is 0. Parameters are drawn
 * from the seed. adam NULL: the model only is read. Errors: memory, or sizes that cannot be (heads that do not divide hidden). */
CHECKED genair_code model_create(const struct model_config *config, const float *fused, struct parallel *parallel,
                                 const struct kernels *kernels, const struct adam_options *adam,
                                 uint64_t seed, struct model **out, genair_status *st);
void model_free(struct model *m);

/* The rank of an item among the distinct items of the step, while it runs. */
uint32_t model_row(const struct model *m, uint32_t item);
/* The same of n items, memory from the tape; NULL when it is out. */
uint32_t *model_rows(struct model *m, const uint32_t *items, size_t n);

/* One step's data; positions are packed, targets point into them. */
struct batch {
    size_t n_sequences;
    const uint32_t *offsets;     /* [n_sequences + 1] */
    const uint32_t *items;       /* [T] ids, or MASK_ROW for the mask token */
    size_t n_targets;            /* R */
    const uint32_t *position;    /* [R] the packed position whose state predicts the target */
    const uint32_t *positive;    /* [R] */
    size_t n_negatives;          /* K */
    const uint32_t *negatives;   /* [R, K]; NULL with the full softmax */
    const uint32_t *user;        /* [n_sequences] from 0 */
    const bool *last_hidden;     /* [n_sequences] of BERT4Rec: the sample hides its last item and no other; else NULL */
    uint64_t epoch;              /* from 1 */
    size_t number, n_batches;    /* the batch among those of its epoch */
};

enum rank_loss { LOSS_BCE, LOSS_BPR, LOSS_CE, LOSS_SAMPLED_SOFTMAX, LOSS_GBCE, N_LOSSES, LOSS_BPR_SUM };
extern const char *const loss_names[N_LOSSES];

struct objective {
    enum rank_loss loss;
    double gbce_t;
    enum calibration_form calibration;
    bool unique_items;           /* each distinct positive once, instead of every position */
    double alpha, gamma, t;
    const struct cooccurrence *cooccurrence; /* with a calibration */
};

struct step_losses {
    double total, rank, calibration; /* calibration: or what else the method adds, before its weight */
};

/* Losses and gradients of one batch, left in the parameters for model_update. A loss that is not finite
 * fails with GENAIR_INTERNAL, naming it. */
CHECKED genair_code model_step(struct model *m, const struct batch *batch, const struct objective *objective,
                               struct step_losses *losses, genair_status *st);

/* GENAIR_INTERNAL when Adam's memory is not finite any more: what it is of stands still, and no loss tells. For once an epoch. */
CHECKED genair_code model_check_moments(const struct model *m, genair_status *st);

/* Adam's step with those gradients. */
CHECKED genair_code model_update(struct model *m, genair_status *st);

/* The distinct positives of a batch, each once or with the places that hold it. */
struct positives {
    size_t n, n_places;
    const uint32_t *row;          /* [n] in the step's item vectors */
    const uint32_t *item;         /* [n] */
    const uint32_t *multiplicity; /* [n] */
};
/* Within a step. false when memory is out. */
bool model_positives(struct model *m, const struct batch *b, const struct tensor *table, bool once,
                     struct positives *out);
/* The same of any n items of the step; masks do not count. */
bool model_places(struct model *m, const uint32_t *items, size_t n, const struct tensor *table, bool once,
                  struct positives *out);
/* Rows of a matrix whose first row is of item first_id: constants [n, width]. */
struct tensor *model_constants(struct model *m, const float *matrix, size_t width, size_t first_id, const uint32_t *ids,
                               size_t n);

/* Sequence outputs of packed items over the given table: [T, d] (golden cases, tests). */
struct tensor *model_backbone(struct model *m, struct tensor *table, const uint32_t *index,
                              const uint32_t *offsets, size_t n_sequences);
/* Of these the last ones of the sequences that are not empty: [their number, d]. */
struct tensor *model_last_states(struct model *m, struct tensor *table, const uint32_t *index, const uint32_t *offsets,
                                 size_t n_sequences);
/* Linear, LayerNorm (1e-5), GELU, Linear (eq. 8). x: [n, D]. */
struct tensor *model_project(struct model *m, struct tensor *x);

/* Before the first step of an epoch. */
CHECKED genair_code model_begin_epoch(struct model *m, genair_status *st);

/* Brings the whole table up to date, of a group each its rows. */
void model_catch_up(struct model *m);
/* Recomputes item_vectors from the current parameters. */
CHECKED genair_code model_refresh_items(struct model *m, genair_status *st);
/* User vectors from the refreshed item vectors; histories are cut to the model's length. An empty history
 * gives zeros, except that BERT4Rec reads its mask alone. out: [h->n, d]. */
CHECKED genair_code model_encode(struct model *m, const struct histories *h, float *out, genair_status *st);
/* The same before what the method makes of user vectors. */
CHECKED genair_code model_states(struct model *m, const struct histories *h, float *out, genair_status *st);
/* The same for every beginning of each history, of a model that looks back only (causal, or gru4rec). No history is longer
 * than the model's length. out: [items of h, d]. */
CHECKED genair_code model_prefix_states(struct model *m, const struct histories *h, float *out, genair_status *st);
/* The model as a scorer, valid until it changes; call after model_refresh_items. */
struct scorer model_scorer(struct model *m);
/* Operations (products, times two) to encode a history of n items and score the catalogue: paper Table 5. */
double model_inference_flops(const struct model *m, size_t n);

#endif
