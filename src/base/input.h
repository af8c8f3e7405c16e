/* SPDX-License-Identifier: Apache-2.0 */
/* This module streams the lines of a text file, plain or gzip (told by the first bytes). */
#ifndef GENAIR_BASE_INPUT_H
#define GENAIR_BASE_INPUT_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One thread at a time. Memory: 192 KiB, and up to twice line_max once a line is that long. */
struct input;

/* Errors: GENAIR_IO for what cannot be opened or is a directory. line_max: bytes of one line, or of
 * one record that input_extend joins. Reads nothing beyond the first bytes. */
CHECKED genair_code input_open(const char *path, size_t line_max, struct input **out,
                               genair_status *st);
void input_close(struct input *in); /* NULL is fine */

/* The next line without its end ("\n" or "\r\n"; the last line may lack one; a byte order mark at
 * the start of the file is passed over). Borrowed until the next call; any byte may occur in it,
 * NUL too. *more is false at the end of the file. Errors: GENAIR_FORMAT with a line for one above
 * line_max, which is passed over, so that the next call may go on behind it; GENAIR_FORMAT with an
 * offset (in the file as stored) for broken gzip data, GENAIR_IO: both for good. */
CHECKED genair_code input_line(struct input *in, struct text *line, bool *more, genair_status *st);
/* *line becomes the current line(s), their line ends included, and the next one: for quoted fields
 * that hold line breaks. *more is false, and *line the same text, at the end of the file. Errors as
 * input_line, but a record above line_max is not passed over. */
CHECKED genair_code input_extend(struct input *in, struct text *line, bool *more,
                                 genair_status *st);
/* Undoes input_extend: the next input_line gives the line after the first one. */
void input_retract(struct input *in);

int64_t input_line_number(const struct input *in); /* of the current (first) line, from 1 */
const char *input_path(const struct input *in);
uint64_t input_bytes_read(const struct input *in);  /* of the file as stored */
uint64_t input_bytes_total(const struct input *in); /* 0 for a pipe */

#endif
