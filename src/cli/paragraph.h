/* SPDX-License-Identifier: Apache-2.0 */
/* This module prints a text for reading. */
#ifndef GENAIR_CLI_PARAGRAPH_H
#define GENAIR_CLI_PARAGRAPH_H

#include <stdio.h>

/* Wrapped and set in; line ends in the text are kept, several as one empty line; what controls a terminal is left out. */
void paragraph_print(FILE *out, const char *s);

#endif
