/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps text that somebody else wrote, in catalogues, logs and model files, from being obeyed by a terminal. */
#ifndef GENAIR_CLI_TERMINAL_H
#define GENAIR_CLI_TERMINAL_H

#include <stddef.h>

/* Bytes of the control character at s, of C0, DEL or C1 in UTF-8; 0 when it is none. */
size_t terminal_control(const char *s);
/* Columns that it takes, every character for one column wide. */
int terminal_columns(const char *s);
/* The text with a space for each of them but the ends of lines, cut where size ends. */
void terminal_text(const char *s, char *out, size_t size);

#endif
