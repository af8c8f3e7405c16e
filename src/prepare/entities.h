/* SPDX-License-Identifier: Apache-2.0 */
/* This module resolves the HTML entities that shops leave in their texts. */
#ifndef GENAIR_PREPARE_ENTITIES_H
#define GENAIR_PREPARE_ENTITIES_H

#include <stddef.h>

/* Copies n bytes to out with &name; (HTML 4.01 and &apos;), &#123; and &#x7B; replaced by their
 * character. 128-159 mean Windows-1252, as in browsers. What is no entity stays as it is. Once
 * only: "&amp;lt;" becomes "&lt;". out: n bytes, which is always enough; it may be p. Returns the
 * bytes written. */
size_t entities_resolve(const char *p, size_t n, char *out);

#endif
