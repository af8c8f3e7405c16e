/* SPDX-License-Identifier: Apache-2.0 */
/* A small workspace on disk with finished runs of the closed-form methods. */
#ifndef GENAIR_TESTS_EVALUATE_FIXTURE_H
#define GENAIR_TESTS_EVALUATE_FIXTURE_H

#include "genair.h"

#include <jansson.h>

enum { FIXTURE_USERS = 150, FIXTURE_ITEMS = 140 };

/* Users u0…, items i0… ("i0" has metadata with the name "Item 0"), written, prepared with a tenth
 * of the items cold. Returns its path; one at a time. Fails the running test when anything goes
 * wrong. */
const char *fixture_create(void);
void fixture_remove(void);
/* A finished run, recorded in the manifest; option of `genair train` set to value. */
void fixture_run(const char *name, const char *method, const char *option, const char *value);

/* Runs a stage with options given as name, value, …, NULL; workspace is added. The status is left
 * in *st; NULL unless it is GENAIR_OK. The caller's. */
typedef genair_code stage(genair_context *, const genair_options *, char **, genair_status *);
json_t *fixture_stage(stage *run, const char *command, genair_status *st, ...);
/* The object or value at "a/b/c", failing the test when there is none. */
json_t *at(json_t *o, const char *path);
double number_at(json_t *o, const char *path);

#endif
