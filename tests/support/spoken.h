/* SPDX-License-Identifier: Apache-2.0 */
/* This module asks a service in words, without a socket: "GET /v1/similar?item=i5&k=2", and behind the first line's end the
 * body. */
#ifndef GENAIR_TESTS_SUPPORT_SPOKEN_H
#define GENAIR_TESTS_SUPPORT_SPOKEN_H

#include "serve/service.h"

#include <stdbool.h>
#include <stddef.h>

/* false: there is no room for it (too long a line, too many parameters). out->body is released with free(). The path and the
 * parameters are unescaped as the HTTP library does it. */
bool spoken_answer(struct service *s, const char *text, size_t n, struct response *out);

#endif
