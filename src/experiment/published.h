/* SPDX-License-Identifier: Apache-2.0 */
/* This module holds the numbers that the paper (Li et al., WWW 2026) reports: the only place where they stand. */
#ifndef GENAIR_EXPERIMENT_PUBLISHED_H
#define GENAIR_EXPERIMENT_PUBLISHED_H

#include "model/model.h"

enum paper_data { YELP, BEAUTY, FASHION, N_PAPER_DATA };

/* Table 6. */
struct paper_statistics {
    const char *name;
    uint32_t users, items;
    double mean_length;
};
extern const struct paper_statistics paper_statistics[N_PAPER_DATA];
/* The data set of these counts, N_PAPER_DATA when it is none of the paper's. */
enum paper_data paper_data_of(uint32_t users, uint32_t items);

/* Test metrics of the sampled protocol, 100 negatives. */
struct paper_metrics {
    double hr10, ndcg10;
};

/* The finished base run that a method begins from (--base-run): of its own backbone, or of SASRec for all three. */
enum base_run { NO_BASE_RUN, BASE_RUN, SASREC_BASE_RUN };

/* Table 2 by method as `train` names it, in the paper's order. */
struct paper_method {
    const char *method, *title;
    enum base_run begins_from;
    struct paper_metrics table2[N_PAPER_DATA][N_BACKBONES];
};
extern const struct paper_method paper_methods[];
extern const size_t n_paper_methods;

/* Table 3: GenAIR on Fashion without one of its parts. */
enum ablation { WITHOUT_PREFILL, WITHOUT_DECODING, WITHOUT_CALIBRATION, N_ABLATIONS };
extern const struct paper_metrics paper_table3[N_ABLATIONS][N_BACKBONES];

/* Table 4: GenAIR on Fashion by language model, named as item matrices are. */
struct paper_model {
    const char *model;
    struct paper_metrics metrics[N_BACKBONES];
};
extern const struct paper_model paper_table4[];
extern const size_t n_paper_models;

/* Table 5: SASRec with the method, without saying on which data. */
struct paper_cost {
    const char *method;
    double parameters, gflops;
};
extern const struct paper_cost paper_table5[];
extern const size_t n_paper_costs;

/* Figure 4: the values on its axes, as lists for grid_read. */
extern const char paper_alphas[], paper_gammas[];

#endif
