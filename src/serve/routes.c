/* SPDX-License-Identifier: Apache-2.0 */
/* The table of what can be asked. */
#include "serve/answers.h"

#include "base/context.h"
#include "base/size.h"

#include <assert.h>
#include <string.h>

enum { SMALL = 0, HISTORY_BYTES = 1 << 20, EVENTS_BYTES = 4 << 20, ITEMS_BYTES = 16 << 20 };

static const struct route routes[] = {
    {"GET", "/v1/recommend", SMALL, false, "user|k|explain|where|viewed|repeat", "Items that a user is most likely to want next.",
     answer_recommend_user},
    {"POST", "/v1/recommend", HISTORY_BYTES, false, "",
     "The same for {\"user\"}, {\"history\": [ITEM...]} or {\"histories\": [[ITEM...]...]}, with \"k\", \"explain\", "
     "\"allow\", \"deny\", \"viewed\" (lists of items), \"where\" (attributes and values) and \"repeat\" (items of the "
     "history too).",
     answer_recommend_body},
    {"GET", "/v1/similar", SMALL, false, "item|k", "Items nearest to one item.", answer_similar},
    {"GET", "/v1/items", SMALL, false, "q|k",
     "Items whose id, name, brand and categories hold all words of q, the best first; the most popular without q.",
     answer_find_items},
    {"POST", "/v1/items", ITEMS_BYTES, false, "",
     "New items, recommended from now on without training: {\"item_id\", attributes, \"vectors\": {\"prefill\": [], "
     "\"decoding\": []}}, one or a line each. Answered when they are on the disk and served.",
     answer_add_items},
    {"GET", "/v1/item", SMALL, false, "item", "An item's attributes, archetype and popularity.", answer_item},
    {"GET", "/v1/users", SMALL, false, "q|k", "Users of the log whose id holds q.", answer_find_users},
    {"GET", "/v1/user", SMALL, false, "user", "A user's history, oldest first, its latest 200 items.", answer_user},
    {"GET", "/v1/map", SMALL, false, "", "A place in the plane for each item, arrays of equal length.", answer_map},
    {"GET", "/v1/run", SMALL, false, "", "What the run is, how it learned, what it measured.", answer_run},
    {"POST", "/v1/events", EVENTS_BYTES, false, "",
     "What users chose: {\"user\", \"item\", \"time\": milliseconds, \"id\": repeated events are known by it}, one or a "
     "line each. Answered when it is on the disk.",
     answer_events},
    {"POST", "/v1/reload", SMALL, false, "", "Opens the run again and serves the new one.", answer_reload},
    {"GET", "/healthz", SMALL, true, "", "Whether the process lives.", answer_health},
    {"GET", "/readyz", SMALL, true, "", "Whether requests are welcome.", answer_ready},
    {"GET", "/metrics", SMALL, false, "", "Counters in Prometheus' text format.", answer_metrics},
    {"GET", "/openapi.json", SMALL, true, "", "This table as an OpenAPI document.", answer_openapi},
    {"GET", "/", SMALL, true, "", NULL, answer_page},
    {"GET", "/page.css", SMALL, true, "", NULL, answer_page},
    {"GET", "/page.js", SMALL, true, "", NULL, answer_page},
    {"GET", "/dom.js", SMALL, true, "", NULL, answer_page},
    {"GET", "/item.js", SMALL, true, "", NULL, answer_page},
    {"GET", "/map.js", SMALL, true, "", NULL, answer_page},
    {"GET", "/run.js", SMALL, true, "", NULL, answer_page},
    {"GET", "/icon.svg", SMALL, true, "", NULL, answer_page},
};
static_assert(COUNT(routes) <= MAX_ROUTES, "a counter for each route");

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
    measure_request(service_measures(s), (size_t)(route - routes), out->status, context_seconds() - begin);
}

struct service_counts service_counts(struct service *s) {
    struct measures *m = service_measures(s);
    struct service_counts c = {.events = atomic_load(&m->events)};
    for (size_t i = 0; i < COUNT(routes); i++)
        for (int k = 0; k < STATUS_CLASSES; k++) {
            const uint64_t n = atomic_load(&m->answered[i][k]);
            c.requests += n;
            if (k == STATUS_CLASSES - 1) c.failed += n;
        }
    return c;
}
