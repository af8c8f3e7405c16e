/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/service.h"

#include "base/alloc.h"
#include "base/context.h"
#include "base/size.h"
#include "serve/answers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the run that is served: counted, so that it can be exchanged under way ---- */

struct service {
    char *workspace, *run;
    struct events *events;
    pthread_mutex_t reloading; /* one at a time */
    pthread_mutex_t exchange;  /* guards current and every count */
    struct served *current;
    atomic_bool retired;
    struct measures measures;
};

static void close_served(struct served *v) {
    recommender_close(v->recommender);
    genair_context_free(v->ctx);
    mem_free(v);
}

/* Old and new run may encode at the same time, so each has a context; of one thread, for requests have threads. */
static genair_code open_served(const struct service *s, struct served **out, genair_status *st) {
    struct served *v = mem_zeros(1, sizeof *v);
    if (!v) return fail_memory(st);
    v->users = 1;
    genair_code code = genair_context_create(1, NULL, NULL, &v->ctx, st);
    if (code == GENAIR_OK) code = recommender_open(v->ctx, s->workspace, s->run, true, &v->recommender, st);
    if (code == GENAIR_OK) code = recommender_screen(v->recommender, st);
    if (code == GENAIR_OK)
        *out = v;
    else
        close_served(v);
    return code;
}

struct served *service_borrow(struct service *s) {
    pthread_mutex_lock(&s->exchange);
    struct served *v = s->current;
    v->users++;
    pthread_mutex_unlock(&s->exchange);
    return v;
}

void service_return(struct service *s, struct served *v) {
    pthread_mutex_lock(&s->exchange);
    const bool last = --v->users == 0;
    pthread_mutex_unlock(&s->exchange);
    if (last) close_served(v);
}

genair_code service_reload(struct service *s, genair_status *st) {
    struct served *fresh, *old = NULL;
    pthread_mutex_lock(&s->reloading);
    const genair_code code = open_served(s, &fresh, st);
    if (code == GENAIR_OK) {
        pthread_mutex_lock(&s->exchange);
        old = s->current;
        s->current = fresh;
        pthread_mutex_unlock(&s->exchange);
        service_return(s, old);
        atomic_fetch_add(&s->measures.reloads, 1);
    }
    pthread_mutex_unlock(&s->reloading);
    return code;
}

genair_code service_open(const char *workspace, const char *run, const char *store, struct service **out, genair_status *st) {
    struct service *s = mem_zeros(1, sizeof *s);
    if (!s) return fail_memory(st);
    pthread_mutex_init(&s->exchange, NULL);
    pthread_mutex_init(&s->reloading, NULL);
    s->workspace = mem_text(workspace, strlen(workspace));
    s->run = mem_text(run, strlen(run));
    genair_code code = s->workspace && s->run ? open_served(s, &s->current, st) : fail_memory(st);
    if (code == GENAIR_OK) code = events_open(store, &s->events, st);
    if (code == GENAIR_OK)
        *out = s;
    else
        service_close(s);
    return code;
}

void service_close(struct service *s) {
    if (!s) return;
    events_close(s->events);
    if (s->current) service_return(s, s->current);
    pthread_mutex_destroy(&s->exchange);
    pthread_mutex_destroy(&s->reloading);
    mem_free(s->workspace);
    mem_free(s->run);
    mem_free(s);
}

void service_retire(struct service *s) {
    atomic_store(&s->retired, true);
}

bool service_retired(const struct service *s) {
    return atomic_load(&s->retired);
}

struct events *service_events(struct service *s) {
    return s->events;
}

struct measures *service_measures(struct service *s) {
    return &s->measures;
}

/* ---- responses ---- */

void response_json(struct response *out, int status, json_t *value) {
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    *out = (struct response){.status = status, .body = text, .size = text ? strlen(text) : 0, .type = "application/json"};
    if (!text) *out = (struct response){.status = 503, .type = "application/json", .retry_after = 1};
}

void response_error(struct response *out, int status, const char *message) {
    response_json(out, status, json_pack("{s:{s:i, s:s}}", "error", "status", status, "message", message));
}

/* What the client did wrong is 400; what is out of memory or on a sick disk may be better in a moment. */
void response_failure(struct response *out, const genair_status *st) {
    const int status = st->code == GENAIR_USAGE ? 400 : st->code == GENAIR_MEMORY || st->code == GENAIR_IO ? 503 : 500;
    response_error(out, status, st->message);
    if (status == 503) out->retry_after = 1;
}

/* ---- the table ---- */

enum { SMALL = 0, HISTORY_BYTES = 1 << 20, EVENTS_BYTES = 4 << 20 };

static const struct route routes[] = {
    {"GET", "/v1/recommend", SMALL, false, "user|k|explain", "Items that a user is most likely to want next.",
     answer_recommend_user},
    {"POST", "/v1/recommend", HISTORY_BYTES, false, "",
     "The same for {\"user\"}, {\"history\": [ITEM...]} or {\"histories\": [[ITEM...]...]}, with \"k\", \"explain\", "
     "\"allow\" and \"deny\" (lists of items).",
     answer_recommend_body},
    {"GET", "/v1/similar", SMALL, false, "item|k", "Items nearest to one item.", answer_similar},
    {"POST", "/v1/events", EVENTS_BYTES, false, "",
     "What users chose: {\"user\", \"item\", \"time\": milliseconds, \"id\": repeated events are known by it}, one or a "
     "line each. Answered when it is on the disk.",
     answer_events},
    {"POST", "/v1/reload", SMALL, false, "", "Opens the run again and serves the new one.", answer_reload},
    {"GET", "/healthz", SMALL, true, "", "Whether the process lives.", answer_health},
    {"GET", "/readyz", SMALL, true, "", "Whether requests are welcome.", answer_ready},
    {"GET", "/metrics", SMALL, false, "", "Counters in Prometheus' text format.", answer_metrics},
    {"GET", "/openapi.json", SMALL, true, "", "This table as an OpenAPI document.", answer_openapi},
};

const struct route *service_routes(size_t *n) {
    *n = COUNT(routes);
    return routes;
}

const struct route *service_find(const char *method, struct text path, struct response *out) {
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method, *allow = NULL;
    for (size_t i = 0; i < COUNT(routes); i++) {
        if (!text_equal(path, routes[i].path)) continue;
        if (strcmp(routes[i].method, wanted) == 0) return &routes[i];
        allow = allow ? "GET, HEAD, POST" : strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method;
    }
    if (allow) {
        response_error(out, 405, "this path has other methods");
        out->allow = allow;
    } else {
        response_error(out, 404, "no such path; /openapi.json lists them");
    }
    return NULL;
}

void service_answer(struct service *s, const struct route *route, const struct request *r, struct response *out) {
    genair_status st = {0};
    *out = (struct response){0};
    const double begin = context_seconds();
    if (request_check(r, route->parameters, &st) != GENAIR_OK)
        response_failure(out, &st);
    else
        route->handle(s, r, out);
    measure_request(&s->measures, (size_t)(route - routes), out->status, context_seconds() - begin);
}

struct service_counts service_counts(const struct service *s) {
    struct service_counts c = {.events = atomic_load(&s->measures.events)};
    for (size_t i = 0; i < COUNT(routes); i++)
        for (int k = 0; k < STATUS_CLASSES; k++) {
            const uint64_t n = atomic_load(&s->measures.answered[i][k]);
            c.requests += n;
            if (k == STATUS_CLASSES - 1) c.failed += n;
        }
    return c;
}
