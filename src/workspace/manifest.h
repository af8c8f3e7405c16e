/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps manifest.json: which stage made which files, from what, with which options.
 *
 * A stage takes the workspace's lock, asks whether its inputs changed, works, and records. */
#ifndef GENAIR_WORKSPACE_MANIFEST_H
#define GENAIR_WORKSPACE_MANIFEST_H

#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>

struct workspace;

/* For stages that write. ctx, borrowed: whose wish to stop is heard while outputs are compared with their records; NULL:
 * nobody's. Creates the directory if create; takes the exclusive lock, so one writing
 * process at a time (a second one is told the holder's pid and command); removes temporary files
 * that a killed run left. Fails when the workspace may not be written. command: what a message
 * names, borrowed. */
CHECKED genair_code workspace_open(const genair_context *ctx, const char *path, const char *command, bool create,
                                   struct workspace **out, genair_status *st);
/* For one of several processes that share out a stage's work: keeps out workspace_open, not its like. Writes files of its
 * own, each under another name, and records nothing. */
CHECKED genair_code workspace_open_shared(const genair_context *ctx, const char *path, const char *command,
                                          struct workspace **out, genair_status *st);
/* For stages that only read (evaluate, recommend, similar, inspect): no lock, nothing is written,
 * so a read-only directory will do. Files are replaced whole and verified when opened: a stage that
 * runs meanwhile gives the old file, the new one, or a message. workspace_record fails. */
CHECKED genair_code workspace_open_read(const genair_context *ctx, const char *path, struct workspace **out,
                                        genair_status *st);
void workspace_close(struct workspace *w); /* gives the lock back; NULL is fine */
const char *workspace_path(const struct workspace *w);

/* "stage" is a command or "train/RUN". inputs: what the stage's bytes are a function of (options,
 * seed, content hashes), any JSON. True when the manifest holds an equal record of this program
 * version and every output it lists still has the recorded size and hash; *result then borrows the
 * recorded result. */
bool workspace_is_current(struct workspace *w, const char *stage, const json_t *inputs,
                          json_t **result);
/* Hashes the outputs (paths relative to the workspace) and replaces manifest.json atomically.
 * Borrows inputs and result. */
CHECKED genair_code workspace_record(struct workspace *w, const char *stage, const json_t *inputs,
                                     const char *const *outputs, size_t n_outputs,
                                     const json_t *result, genair_status *st);
/* As workspace_record, for outputs that were made in the directory staging (in the workspace, named
 * *.partial so that a killed run's is removed): moves them into place together with the manifest.
 * Whatever fails before leaves the earlier outputs as they were. */
CHECKED genair_code workspace_publish(struct workspace *w, const char *stage, const json_t *inputs,
                                      const char *staging, const char *const *outputs,
                                      size_t n_outputs, const json_t *result, genair_status *st);
/* Takes a record out of the manifest; the files are the caller's to remove. Without such a record
 * nothing happens. */
CHECKED genair_code workspace_forget(struct workspace *w, const char *stage, genair_status *st);
/* All records by stage: {"hash", "inputs", "outputs": {FILE: {"bytes", "hash"}}, "result",
 * "version"}. Borrowed. */
json_t *workspace_stages(const struct workspace *w);
/* The inputs that a stage was recorded with, or NULL when it was not run. Borrowed until the next
 * record. */
const json_t *workspace_stage_inputs(const struct workspace *w, const char *stage);
/* Whether a stage was recorded with, in "prepare", the hash of the data that are there now. */
bool workspace_stage_is_of_data(const struct workspace *w, const char *stage);
/* The command that made a recorded stage: "made_by" of its inputs, else the stage's own name. Item
 * vectors are the stage "embed" and come from `embed` or `archetype`. Borrowed. */
const char *workspace_stage_maker(const struct workspace *w, const char *stage);
/* The hash over a recorded stage's outputs, or NULL when the stage was not run. Borrowed. */
const char *workspace_stage_hash(const struct workspace *w, const char *stage);
/* Fails unless `stage` was recorded and its outputs still have their recorded hashes; the message
 * names the file and the command to run again. */
CHECKED genair_code workspace_verify(struct workspace *w, const char *stage, genair_status *st);

/* For those that open what `prepare` made in the directory path: its files carry made_from (dataset.h) and must be those of the
 * record, else a `prepare` was stopped while it put them into place. Nothing recorded (prepare's own directory) passes. */
CHECKED genair_code workspace_check_data(const char *path, const char *made_from, genair_status *st);
/* The same for one output of the stage: its bytes are the recorded ones. */
CHECKED genair_code workspace_check_output(const char *path, const char *stage, const char *output, genair_status *st);

#endif
