/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads what a client asked for: parameters behind the path, JSON in the body. No sockets. */
#ifndef GENAIR_SERVE_REQUEST_H
#define GENAIR_SERVE_REQUEST_H

#include "base/status.h"
#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>

enum { MAX_PARAMETERS = 16, MAX_NESTING = 16, MAX_NAME = NAME_CHARACTERS };

struct parameter_text {
    struct text key, value; /* unescaped */
};

struct request {
    const char *method;
    struct text path, rest; /* rest: of the path, behind its route's */
    struct parameter_text parameters[MAX_PARAMETERS];
    size_t n_parameters;
    struct text body;
};

/* All of these fail with GENAIR_USAGE and a message for the client. */

/* Every parameter is valid UTF-8, known and given once. known: "user|k|explain". */
CHECKED genair_code request_check(const struct request *r, const char *known, genair_status *st);
bool request_text(const struct request *r, const char *key, struct text *out); /* false: not given */
CHECKED genair_code request_count(const struct request *r, const char *key, size_t fallback, size_t max, size_t *out,
                                  genair_status *st);
CHECKED genair_code request_flag(const struct request *r, const char *key, bool *out, genair_status *st);

/* An object with no keys but the known ones. Nesting beyond MAX_NESTING is refused before it is parsed. */
CHECKED genair_code body_object(struct text body, const char *known, json_t **out, genair_status *st);
/* An integer however it is written: 10 and 10.0 are one number in JSON. */
bool json_whole(const json_t *value, int64_t *out);
/* Takes the next line that is not blank off the body, with those behind it that belong to the same JSON value; false when
 * there is none. */
bool body_value(struct text *body, struct text *value);
/* A name: a string of 1 .. MAX_NAME characters, none of them a control character. */
CHECKED genair_code body_name(const json_t *object, const char *key, struct text *out, genair_status *st);
CHECKED genair_code check_name(struct text name, const char *what, genair_status *st);

#endif
