/* SPDX-License-Identifier: Apache-2.0 */
/* This module shows a stage's result to a person: aligned tables made from its JSON object. */
#ifndef GENAIR_CLI_RENDER_H
#define GENAIR_CLI_RENDER_H

#include <jansson.h>
#include <stdio.h>

/* Some commands have a form of their own. Others: first a row of the values that matter most, if
 * they are there; then single values as "name  value", an array of objects as a table with a row
 * each, an object of flat objects as a table with a column each (metrics by protocol), anything
 * else under a heading of its own. */
void render(FILE *out, const char *command, json_t *result);

/* An array of flat objects as a table; columns are their keys in order of first appearance. */
void render_rows(FILE *out, json_t *rows, int indent);
/* The rules above without a command's own form. */
void render_plainly(FILE *out, json_t *result);
/* The results of evaluate and compare: runs side by side, the protocol in each heading. */
void render_evaluation(FILE *out, json_t *result);
void render_comparison(FILE *out, json_t *result);
/* The points of a sweep, the best on validation first. */
void render_sweep(FILE *out, json_t *result);
/* A table of the paper, ours beside theirs; alpha and gamma of figure 4 as rows and columns. */
void render_reproduction(FILE *out, json_t *result);
/* Of archetype --show and recommend --explain: with the texts in full below the rest. */
void render_archetype(FILE *out, json_t *result);
void render_recommendation(FILE *out, json_t *result);

#endif
