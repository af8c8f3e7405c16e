/* SPDX-License-Identifier: Apache-2.0 */
/* This module makes what a client gets back. No sockets. */
#ifndef GENAIR_SERVE_RESPONSE_H
#define GENAIR_SERVE_RESPONSE_H

#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>

struct response {
    int status;
    char *body; /* the receiver's, released with free() */
    size_t size;
    const char *type;
    int retry_after; /* seconds; 0: not said */
    bool last;       /* of its connection */
    const char *allow; /* methods, with status 405 */
    const char *policy; /* what a page may load and run (Content-Security-Policy); NULL: not said */
};

void response_json(struct response *out, int status, json_t *value); /* takes value; NULL: out of memory */
/* {"error": {"status", "message"}} */
void response_error(struct response *out, int status, const char *message);
void response_failure(struct response *out, const genair_status *st);
/* One of both, by code; takes value. */
void response_result(struct response *out, genair_code code, json_t *value, const genair_status *st);

#endif
