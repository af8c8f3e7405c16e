/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what the sections of the report share. */
#ifndef GENAIR_REPORT_PAGE_H
#define GENAIR_REPORT_PAGE_H

#include "base/options.h"
#include "evaluate/ranked_run.h"
#include "report/html.h"
#include "workspace/catalogue.h"
#include "workspace/manifest.h"

struct page {
    genair_context *ctx;
    const genair_options *options;
    struct workspace *workspace;
    struct catalogue catalogue;
    struct html html;
    const char *staging;    /* directory for pictures until they are in the page */
    bool pictures;          /* gnuplot is there */
    struct ranked_run *runs; /* [n_runs] of this data, with the ranks that are stored */
    size_t n_runs;
    size_t n_stale; /* runs of other data, left out */
};

/* Fills runs; report_runs_free releases them. */
CHECKED genair_code report_runs_open(struct page *p, genair_status *st);
void report_runs_free(struct page *p);
/* What was recorded for a stage; NULL when it was not run. */
const json_t *report_record(const struct page *p, const char *stage, const char *run);

/* ---- sections ---- */
CHECKED genair_code report_data(struct page *p, genair_status *st);
CHECKED genair_code report_archetypes(struct page *p, genair_status *st);
CHECKED genair_code report_vectors(struct page *p, genair_status *st);
CHECKED genair_code report_runs(struct page *p, genair_status *st);
CHECKED genair_code report_comparisons(struct page *p, genair_status *st);
CHECKED genair_code report_curves(struct page *p, genair_status *st);
CHECKED genair_code report_run_pictures(struct page *p, genair_status *st);

#endif
