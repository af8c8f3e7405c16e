/* SPDX-License-Identifier: Apache-2.0 */
/* This module answers requests: what a server knows, and the table of what can be asked of it. No sockets. */
#ifndef GENAIR_SERVE_SERVICE_H
#define GENAIR_SERVE_SERVICE_H

#include "ranking/index.h"
#include "recommend/recommender.h"
#include "serve/events.h"
#include "serve/request.h"
#include "serve/response.h"

struct service;

struct service_setting {
    const char *workspace, *run; /* borrowed */
    const char *store;           /* of events: as events_open takes it */
    bool keep_unknown;           /* events of items that the workspace does not have, for the next `prepare` */
    struct index_setting index;
    const char *model, *template; /* what describes new items; NULL: they must come with vectors */
    int threads;                  /* that do it; 0: as many as there are processors */
};
/* Opens the run and the store. */
CHECKED genair_code service_open(const struct service_setting *setting, struct service **out, genair_status *st);
/* Why added items are not served; empty when none is left out. Copied to out. */
enum { LEFT_OUT_SIZE = 1200 };
void service_left_out(struct service *s, char *out, size_t size);
uint64_t service_reloads(struct service *s); /* how often the run was exchanged */
void service_close(struct service *s); /* nobody may be asking; NULL is fine */
/* Opens the run again and puts it in the place of the old one, which ends with its last request. On failure the old
 * one stays. Those who ask while it is being opened share the next opening. Any thread. */
CHECKED genair_code service_reload(struct service *s, genair_status *st);
/* From now on /readyz says 503: a balancer sends nobody more. New items that are being described, or wait for it, are refused. */
void service_retire(struct service *s);

struct route {
    const char *method, *path; /* a path that ends with '/', but for "/", has a name behind it */
    size_t max_body;
    bool open; /* also without the token: says nothing of anybody */
    bool page; /* a file of the page, not part of the interface for programs */
    const char *parameters; /* "user|k" */
    void (*handle)(struct service *, const struct request *, struct response *);
};

const struct route *service_routes(size_t *n);
/* The row for a method (HEAD is GET) and path, or NULL with response filled: 404 or 405. */
const struct route *service_find(const char *method, struct text path, struct response *out);
/* Runs a route's handler and counts it. Any thread. */
void service_answer(struct service *s, const struct route *route, const struct request *r, struct response *out);

/* Counts a request that was answered before its handler saw it, with 503 where there are too many connections. route: NULL where
 * there is none. Any thread. */
void service_refused(struct service *s, const struct route *route, int status);

struct service_counts {
    uint64_t requests, failed, events; /* answered; with a 5xx; accepted */
};
struct service_counts service_counts(struct service *s);

#endif
