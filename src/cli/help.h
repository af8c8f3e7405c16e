/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes everything that explains the options, from their one table. */
#ifndef GENAIR_CLI_HELP_H
#define GENAIR_CLI_HELP_H

#include <stdbool.h>
#include <stdio.h>

void help_overview(FILE *out);
bool help_command(FILE *out, const char *command); /* false: no such command */
void help_man(FILE *out);                          /* genair.1, man(7) */
void help_markdown(FILE *out);                     /* docs/cli.md */
void help_bash(FILE *out);                         /* completion for bash */

#endif
