/* SPDX-License-Identifier: Apache-2.0 */
/* Callers put their events in a queue and sleep; the writer takes the whole queue, has it written as one transaction and
 * wakes them. If the transaction fails, each caller is told so. */
#include "serve/events_store.h"

#include "base/alloc.h"
#include "base/size.h"

#include <pthread.h>
#include <string.h>

struct events {
    const struct event_store *does;
    void *store;
    pthread_mutex_t queue; /* also guards closing and every request's done */
    pthread_cond_t arrived, written;
    struct event_request *first, **last;
    bool closing, started;
    pthread_t writer;
};

/* ---- which store ---- */

static const struct {
    const char *scheme;
    bool whole; /* the store wants the scheme too */
    const struct event_store *store;
} schemes[] = {{"sqlite:", false, &sqlite_events},
               {"postgresql://", true, &postgres_events},
               {"postgres://", true, &postgres_events}};

static genair_code open_place(struct events *s, const char *place, genair_status *st) {
    for (size_t i = 0; i < COUNT(schemes); i++) {
        const size_t n = strlen(schemes[i].scheme);
        if (strncmp(place, schemes[i].scheme, n) != 0 || !place[n]) continue;
        s->does = schemes[i].store;
        return s->does->open(schemes[i].whole ? place : place + n, &s->store, st);
    }
    /* not shown: it may hold a password */
    return fail(st, GENAIR_USAGE, "--store must be sqlite:FILE or postgresql://[USER@]HOST[:PORT]/DATABASE");
}

/* ---- writing ---- */

static void answer(struct events *s, struct event_request *list, genair_code code, const genair_status *st) {
    pthread_mutex_lock(&s->queue);
    for (struct event_request *w = list, *next; w; w = next) {
        next = w->next; /* w is its caller's again once it is done */
        w->code = code;
        if (code != GENAIR_OK && w->st) *w->st = *st;
        w->done = true;
    }
    pthread_cond_broadcast(&s->written);
    pthread_mutex_unlock(&s->queue);
}

static void *write_loop(void *argument) {
    struct events *s = argument;
    for (;;) {
        pthread_mutex_lock(&s->queue);
        while (!s->first && !s->closing) pthread_cond_wait(&s->arrived, &s->queue);
        struct event_request *list = s->first;
        s->first = NULL;
        s->last = &s->first;
        pthread_mutex_unlock(&s->queue);
        if (!list) return NULL;
        genair_status st = {0};
        const genair_code code = s->does->write(s->store, list, &st);
        answer(s, list, code, &st);
    }
}

genair_code events_add(struct events *s, const struct event *events, size_t n, size_t *repeated, genair_status *st) {
    struct event_request w = {.events = events, .n = n, .st = st};
    pthread_mutex_lock(&s->queue);
    *s->last = &w;
    s->last = &w.next;
    pthread_cond_signal(&s->arrived);
    while (!w.done) pthread_cond_wait(&s->written, &s->queue);
    pthread_mutex_unlock(&s->queue);
    *repeated = w.repeated;
    return w.code;
}

genair_code events_of_user(struct events *s, struct text user, size_t limit, events_visit *visit, void *context,
                           genair_status *st) {
    return s->does->read(s->store, user, limit, visit, context, st);
}

/* ---- life ---- */

genair_code events_open(const char *place, struct events **out, genair_status *st) {
    struct events *s = mem_zeros(1, sizeof *s);
    if (!s) return fail_memory(st);
    s->last = &s->first;
    pthread_mutex_init(&s->queue, NULL);
    pthread_cond_init(&s->arrived, NULL);
    pthread_cond_init(&s->written, NULL);
    genair_code code = open_place(s, place, st);
    if (code == GENAIR_OK && pthread_create(&s->writer, NULL, write_loop, s) != 0)
        code = fail(st, GENAIR_IO, "cannot start a thread that writes events");
    s->started = code == GENAIR_OK;
    if (code == GENAIR_OK)
        *out = s;
    else
        events_close(s);
    return code;
}

void events_close(struct events *s) {
    if (!s) return;
    if (s->started) {
        pthread_mutex_lock(&s->queue);
        s->closing = true;
        pthread_cond_signal(&s->arrived);
        pthread_mutex_unlock(&s->queue);
        pthread_join(s->writer, NULL);
    }
    if (s->store) s->does->close(s->store);
    pthread_mutex_destroy(&s->queue);
    pthread_cond_destroy(&s->arrived);
    pthread_cond_destroy(&s->written);
    mem_free(s);
}
