/* SPDX-License-Identifier: Apache-2.0 */
/* This module makes tables whose rows are runs: each row is one method on one backbone, a run a seed, named
 * paper.BACKBONE.METHOD.SEED. It trains what is missing and tells of each row. */
#ifndef GENAIR_EXPERIMENT_RUN_TABLE_H
#define GENAIR_EXPERIMENT_RUN_TABLE_H

#include "experiment/reproduce.h"

enum { RUN_TABLE_MAX_ROWS = 64, RUN_TABLE_MAX_SEEDS = 100, RUN_TABLE_NAME = 65, NO_ROW = RUN_TABLE_MAX_ROWS };

struct row {
    enum backbone backbone;
    const char *method, *title;
    enum base_run begins_from;
    char variant[32];                   /* of the run's name; "" */
    const char *setting[2];             /* an option of train and its value, or NULLs */
    const struct paper_metrics *paper;  /* or NULL */
    size_t against;                     /* the row that the t-test compares with; NO_ROW: none */
    bool untold;                        /* a run that others begin from, and no row of the table */
    json_t *results;                    /* what train printed, one a seed */
};

struct run_table {
    const struct reproduce *r;
    size_t n, n_seeds;
    struct row rows[RUN_TABLE_MAX_ROWS];
    size_t todo[RUN_TABLE_MAX_ROWS * RUN_TABLE_MAX_SEEDS], n_todo; /* row * n_seeds + seed */
};

/* Fills the rows with add_row. */
typedef genair_code plan_rows(struct run_table *t, genair_status *st);
/* Adds what a row says to out. */
typedef genair_code tell_row(const struct run_table *t, const struct row *row, json_t *out, genair_status *st);
tell_row tell_metrics; /* test metrics, the paper's, the t-tests */

/* Whether --backbone or --method, where given, is this one. */
bool row_wanted(const struct reproduce *r, const char *option, const char *value);
/* --backbone, or SASRec as in the paper. */
enum backbone backbone_wanted(const struct reproduce *r);
/* For what is of GenAIR alone: fails when --method names another. */
CHECKED genair_code check_genair(const struct reproduce *r, genair_status *st);
/* Fails when the table is full. */
CHECKED genair_code add_row(struct run_table *t, const struct row *row, genair_status *st);
void row_run(const struct run_table *t, const struct row *row, size_t seed, char out[RUN_TABLE_NAME]);
/* Trains what is missing. *rows: an array of flat objects, the caller's. */
CHECKED genair_code run_table_make(const struct reproduce *r, size_t n_seeds, plan_rows *plan, tell_row *tell,
                                   json_t **rows, genair_status *st);

#endif
