/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what a store of events must be able to do; events.c queues in front of it, events_*.c are the stores. */
#ifndef GENAIR_SERVE_EVENTS_STORE_H
#define GENAIR_SERVE_EVENTS_STORE_H

#include "serve/events.h"

/* What one caller of events_add waits for. */
struct event_request {
    const struct event *events;
    size_t n;
    size_t repeated; /* set by write */
    struct event_request *next;
    genair_code code; /* these are the queue's */
    genair_status *st;
    bool done;
};

struct event_store {
    /* place: what follows the scheme in --store, or all of it for a URL. */
    genair_code (*open)(const char *place, void **out, genair_status *st);
    void (*close)(void *store);
    /* Every event of the list, in its order, as one transaction: returns when it is durable. One thread at a time. A
     * failure that may pass (the disk is full, the server is away) is GENAIR_IO. */
    genair_code (*write)(void *store, struct event_request *first, genair_status *st);
    /* As events_of_user; any thread. visit may have been called before a failure. */
    genair_code (*read)(void *store, struct text user, size_t limit, events_visit *visit, void *context,
                        genair_status *st);
};

extern const struct event_store sqlite_events, postgres_events;

#endif
