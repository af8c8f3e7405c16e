/* SPDX-License-Identifier: Apache-2.0 */
/* This module carries a service over HTTP/1.1: the only one that knows the HTTP library. */
#ifndef GENAIR_SERVE_HTTP_H
#define GENAIR_SERVE_HTTP_H

#include "serve/service.h"

#include <netinet/in.h>

struct http;

struct http_options {
    struct sockaddr_in address; /* port 0: one that is free */
    const char *token;          /* what "Authorization: Bearer" must say; NULL: nothing is asked */
    bool only_loopback;         /* requests must call the server localhost, 127.x.x.x or [::1] */
    int log;                    /* file descriptor of the access log, a JSON object a line; -1: none */
    unsigned max_connections, timeout; /* seconds without a byte, and for a whole request to arrive */
};

/* Each connection has a thread, so that one that waits holds nobody up. */
CHECKED genair_code http_start(struct service *s, const struct http_options *o, struct http **out, genair_status *st);
unsigned http_port(const struct http *h);
/* Accepts nobody more, lets requests under way finish for a while, ends all connections. */
void http_stop(struct http *h);

#endif
