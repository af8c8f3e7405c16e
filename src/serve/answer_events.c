/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/events: JSON objects, each on lines of its own; all are accepted, or none. */
#include "serve/answers.h"

#include "base/alloc.h"
#include "prepare/times.h"

#include <time.h>

enum { MAX_EVENTS = 10000 };

struct batch {
    const struct catalogue *catalogue;
    struct event *events;
    json_t **bodies; /* [n] what the events' texts point into */
    size_t n, event_capacity, body_capacity;
    int64_t now;
    bool keep_unknown; /* events of items that the workspace does not have */
    size_t n_unknown;
};

static void batch_free(struct batch *b) {
    for (size_t i = 0; i < b->n; i++)
        json_decref(b->bodies[i]);
    mem_free(b->events);
    mem_free(b->bodies);
}

static genair_code read_event(struct batch *b, const json_t *body, struct event *e, genair_status *st) {
    const json_t *time = json_object_get(body, "time");
    uint32_t item;
    char shown[TEXT_EXCERPT];
    genair_code code = body_name(body, "user", &e->user, st);
    if (code == GENAIR_OK) code = body_name(body, "item", &e->item, st);
    if (code == GENAIR_OK && json_object_get(body, "id")) code = body_name(body, "id", &e->key, st);
    if (code != GENAIR_OK) return code;
    e->time = b->now;
    if (time && (!json_whole(time, &e->time) || !time_is_in_range(e->time))) /* prepare must be able to read it back */
        return fail(st, GENAIR_USAGE, "'time' must be an integer, milliseconds since 1970, of the years 1 to 9999");
    if (catalogue_find(b->catalogue, e->item, &item)) return GENAIR_OK;
    b->n_unknown++;
    text_excerpt(e->item, shown);
    return b->keep_unknown ? GENAIR_OK : fail(st, GENAIR_USAGE, "no item '%s' in the workspace", shown);
}

static genair_code add_line(struct batch *b, struct text line, genair_status *st) {
    if (b->n == MAX_EVENTS) return fail(st, GENAIR_USAGE, "more than %d events in one request", MAX_EVENTS);
    if (!mem_grow(&b->events, &b->event_capacity, b->n + 1, sizeof *b->events) ||
        !mem_grow(&b->bodies, &b->body_capacity, b->n + 1, sizeof *b->bodies))
        return fail_memory(st);
    struct event *e = &b->events[b->n];
    *e = (struct event){0};
    const size_t place = b->n + 1;
    genair_status own = {0};
    genair_code code = body_object(line, "user|item|time|id", &b->bodies[b->n], &own);
    if (code == GENAIR_OK) code = read_event(b, b->bodies[b->n++], e, &own);
    return code == GENAIR_OK ? code : fail(st, code, "event %zu: %s", place, own.message);
}

static genair_code read_lines(struct batch *b, struct text body, genair_status *st) {
    genair_code code = GENAIR_OK;
    struct text line;
    while (code == GENAIR_OK && body_value(&body, &line)) code = add_line(b, line, st);
    if (code == GENAIR_OK && b->n == 0) code = fail(st, GENAIR_USAGE, "no event: {\"user\": ID, \"item\": ID} is needed");
    return code;
}

void answer_events(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct served *v = service_borrow(s);
    struct batch b = {.catalogue = served_catalogue(v),
                      .now = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
                      .keep_unknown = service_setting(s)->keep_unknown};
    size_t repeated = 0;
    genair_code code = read_lines(&b, r->body, &st);
    served_drop(v);
    if (code == GENAIR_OK) code = events_add(service_events(s), b.events, b.n, &repeated, &st);
    if (code == GENAIR_OK) {
        struct measures *m = service_measures(s);
        atomic_fetch_add(&m->events, b.n - repeated);
        atomic_fetch_add(&m->repeated, repeated);
        response_json(out, 200, json_pack("{s:I, s:I, s:I}", "accepted", (json_int_t)(b.n - repeated), "repeated",
                                          (json_int_t)repeated, "unknown", (json_int_t)b.n_unknown));
    } else {
        response_failure(out, &st);
    }
    batch_free(&b);
}
