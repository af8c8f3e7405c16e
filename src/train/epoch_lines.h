/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes metrics.jsonl of a run that is under way: a line an epoch, put behind the others. */
#ifndef GENAIR_TRAIN_EPOCH_LINES_H
#define GENAIR_TRAIN_EPOCH_LINES_H

#include "base/status.h"

#include <jansson.h>

/* On disk afterwards. A kill may leave the file with a part of the line. */
CHECKED genair_code epoch_lines_add(const char *directory, const json_t *line, genair_status *st);
/* Cuts off what is behind the first n. GENAIR_FORMAT: there are fewer. */
CHECKED genair_code epoch_lines_keep(const char *directory, uint64_t n, genair_status *st);

#endif
