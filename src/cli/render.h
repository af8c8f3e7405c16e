/* SPDX-License-Identifier: Apache-2.0 */
/* This module shows a stage's result to a person: aligned tables made from its JSON object. */
#ifndef GENAIR_CLI_RENDER_H
#define GENAIR_CLI_RENDER_H

#include <jansson.h>
#include <stdio.h>

/* First a row of the values that matter most to the command, if they are there; then single values as "name  value", an array of objects as a table with a row each, an object of flat
 * objects as a table with a column each (metrics by protocol), anything else under a heading of its
 * own. */
void render(FILE *out, const char *command, json_t *result);

#endif
