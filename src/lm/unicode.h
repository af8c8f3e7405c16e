/* SPDX-License-Identifier: Apache-2.0 */
/* This module brings text into the form that tokenizers take: well-formed UTF-8, and NFC where
 * asked for. */
#ifndef GENAIR_LM_UNICODE_H
#define GENAIR_LM_UNICODE_H

#include "base/status.h"
#include "base/text.h"

/* The text with U+FFFD for each maximal ill-formed part (Unicode 14, "U+FFFD Substitution of
 * Maximal Subparts"). *owned: the new text's memory, the caller's (mem_free); NULL when *out is the
 * text given. */
CHECKED genair_code unicode_repair(struct text text, char **owned, struct text *out,
                                   genair_status *st);

/* Normalization form C of well-formed text; the same ownership. O(n), also for endless runs of
 * combining marks. */
CHECKED genair_code unicode_nfc(struct text text, char **owned, struct text *out,
                                genair_status *st);

/* Without white space (what Python's str.strip takes for it) at both ends. */
struct text unicode_trim(struct text text);

#endif
