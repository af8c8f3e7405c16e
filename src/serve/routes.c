/* SPDX-License-Identifier: Apache-2.0 */
/* The table of what can be asked; openapi.json describes it (tests/serve/test_routes.c compares both). */
#include "serve/answers.h"

#include "base/context.h"
#include "base/size.h"

#include <assert.h>
#include <string.h>

enum { HISTORY_BYTES = 1 << 20, EVENTS_BYTES = 4 << 20, ITEMS_BYTES = 16 << 20 };

static const struct route routes[] = {
    {"GET", "/v1/recommend", .parameters = "user|k|explain|where|viewed|repeat", .handle = answer_recommend_user},
    {"POST", "/v1/recommend", HISTORY_BYTES, .parameters = "", .handle = answer_recommend_body},
    {"GET", "/v1/similar", .parameters = "item|k", .handle = answer_similar},
    {"GET", "/v1/items", .parameters = "q|k", .handle = answer_find_items},
    {"POST", "/v1/items", ITEMS_BYTES, .parameters = "", .handle = answer_add_items},
    {"DELETE", "/v1/items/", .parameters = "", .handle = answer_remove_item},
    {"GET", "/v1/item", .parameters = "item", .handle = answer_item},
    {"GET", "/v1/users", .parameters = "q|k", .handle = answer_find_users},
    {"GET", "/v1/user", .parameters = "user", .handle = answer_user},
    {"GET", "/v1/map", .parameters = "", .handle = answer_map},
    {"GET", "/v1/run", .parameters = "", .handle = answer_run},
    {"POST", "/v1/events", EVENTS_BYTES, .parameters = "", .handle = answer_events},
    {"POST", "/v1/reload", .parameters = "", .handle = answer_reload},
    {"GET", "/healthz", .open = true, .parameters = "", .handle = answer_health},
    {"GET", "/readyz", .open = true, .parameters = "", .handle = answer_ready},
    {"GET", "/metrics", .parameters = "", .handle = answer_metrics},
    {"GET", "/openapi.json", .open = true, .parameters = "", .handle = answer_page},
    {"GET", "/", .open = true, .page = true, .parameters = "", .handle = answer_page},
    {"GET", "/page.css", .open = true, .page = true, .parameters = "", .handle = answer_page},
    {"GET", "/page.js", .open = true, .page = true, .parameters = "", .handle = answer_page},
    {"GET", "/dom.js", .open = true, .page = true, .parameters = "", .handle = answer_page},
    {"GET", "/filters.js", .open = true, .page = true, .parameters = "", .handle = answer_page},
    {"GET", "/item.js", .open = true, .page = true, .parameters = "", .handle = answer_page},
    {"GET", "/map.js", .open = true, .page = true, .parameters = "", .handle = answer_page},
    {"GET", "/run.js", .open = true, .page = true, .parameters = "", .handle = answer_page},
    {"GET", "/icon.svg", .open = true, .page = true, .parameters = "", .handle = answer_page},
};
static_assert(COUNT(routes) <= MAX_ROUTES, "a counter for each route");

const struct route *service_routes(size_t *n) {
    *n = COUNT(routes);
    return routes;
}

/* A route that ends with '/' is one of names behind it. */
static bool leads_to(const struct route *r, struct text path) {
    const size_t n = strlen(r->path);
    if (r->path[n - 1] != '/' || n == 1) return text_equal(path, r->path);
    return path.n > n && memcmp(path.p, r->path, n) == 0;
}

const struct route *service_find(const char *method, struct text path, struct response *out) {
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method, *allow = NULL;
    for (size_t i = 0; i < COUNT(routes); i++) {
        if (!leads_to(&routes[i], path)) continue;
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

void service_refused(struct service *s, const struct route *route, int status) {
    struct measures *m = service_measures(s);
    measure_refusal(m, route ? (size_t)(route - routes) : MAX_ROUTES, status);
    atomic_fetch_add(&m->refused, status == 503);
}

struct service_counts service_counts(struct service *s) {
    struct measures *m = service_measures(s);
    struct service_counts c = {.events = atomic_load(&m->events)};
    for (size_t i = 0; i <= MAX_ROUTES; i++)
        for (int k = 0; k < STATUS_CLASSES; k++) {
            const uint64_t n = atomic_load(&m->answered[i][k]);
            c.requests += n;
            if (k == STATUS_CLASSES - 1) c.failed += n;
        }
    return c;
}
