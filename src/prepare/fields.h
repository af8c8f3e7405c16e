/* SPDX-License-Identifier: Apache-2.0 */
/* This module checks what both readers ask of a text: valid UTF-8, the form of an id. */
#ifndef GENAIR_PREPARE_FIELDS_H
#define GENAIR_PREPARE_FIELDS_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>

/* False with GENAIR_FORMAT in *bad, which names what and the first wrong byte. */
bool text_check_utf8(struct text t, const char *what, genair_status *bad);
/* 1..NAME_CHARACTERS characters of UTF-8, none of them a control character: ids stand in tab-separated files
 * later. */
bool id_check(struct text id, const char *noun, genair_status *bad);

#endif
