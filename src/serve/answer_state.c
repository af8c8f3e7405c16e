/* SPDX-License-Identifier: Apache-2.0 */
/* What operators ask: is it alive, is it ready, how much did it do. */
#include "serve/answers.h"

#include <stdio.h>
#include <stdlib.h>

void answer_health(struct service *s, const struct request *r, struct response *out) {
    (void)s, (void)r;
    response_json(out, 200, json_pack("{s:s, s:s}", "status", "alive", "version", GENAIR_VERSION));
}

void answer_ready(struct service *s, const struct request *r, struct response *out) {
    (void)r;
    if (service_retired(s)) {
        response_error(out, 503, "this server is about to end");
        out->retry_after = 1;
    } else {
        response_json(out, 200, json_pack("{s:s}", "status", "ready"));
    }
}

void answer_reload(struct service *s, const struct request *r, struct response *out) {
    (void)r;
    genair_status st = {0};
    const genair_code code = service_reload(s, &st);
    if (code == GENAIR_MEMORY) {
        response_failure(out, &st);
        return;
    }
    if (code != GENAIR_OK) {
        char text[1600];
        genair_status_text(&st, text, sizeof text);
        response_error(out, 409, text);
        return;
    }
    char why[LEFT_OUT_SIZE];
    service_left_out(s, why, sizeof why);
    response_json(out, 200, json_pack("{s:s, s:s*}", "status", "reloaded", "left_out", *why ? why : NULL));
}

/* ---- /metrics, text format 0.0.4 ---- */

static void write_requests(FILE *f, const struct measures *m, size_t i, const struct route *r) {
    for (int k = 0; k < STATUS_CLASSES; k++)
        fprintf(f, "genair_requests_total{method=\"%s\",path=\"%s\",status=\"%dxx\"} %llu\n", r->method, r->path,
                k + 1, (unsigned long long)atomic_load(&m->answered[i][k]));
}

static void write_seconds(FILE *f, const struct measures *m, size_t i, const struct route *r) {
    uint64_t n = 0;
    for (int k = 0; k <= N_TIMES; k++) {
        n += atomic_load(&m->within[i][k]);
        fprintf(f, "genair_request_seconds_bucket{method=\"%s\",path=\"%s\",le=", r->method, r->path);
        if (k < N_TIMES)
            fprintf(f, "\"%g\"} %llu\n", measure_times[k], (unsigned long long)n);
        else
            fprintf(f, "\"+Inf\"} %llu\n", (unsigned long long)n);
    }
    fprintf(f, "genair_request_seconds_sum{method=\"%s\",path=\"%s\"} %.9f\n", r->method, r->path,
            (double)atomic_load(&m->nanoseconds[i]) * 1e-9);
    fprintf(f, "genair_request_seconds_count{method=\"%s\",path=\"%s\"} %llu\n", r->method, r->path,
            (unsigned long long)n);
}

static void write_metrics(FILE *f, const struct measures *m) {
    size_t n;
    const struct route *routes = service_routes(&n);
    const struct {
        const char *name, *help;
        uint64_t value;
    } counters[] = {
        {"genair_events_total", "Events accepted.", atomic_load(&m->events)},
        {"genair_events_repeated_total", "Events known already by their id.", atomic_load(&m->repeated)},
        {"genair_reloads_total", "Times the run was exchanged.", atomic_load(&m->reloads)},
        {"genair_refused_total", "Requests refused because there were too many connections.", atomic_load(&m->refused)},
    };
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        fprintf(f, "# HELP %s %s\n# TYPE %s counter\n%s %llu\n", counters[i].name, counters[i].help,
                counters[i].name, counters[i].name, (unsigned long long)counters[i].value);
    fprintf(f, "# HELP genair_requests_total Requests answered.\n# TYPE genair_requests_total counter\n");
    for (size_t i = 0; i < n; i++) write_requests(f, m, i, &routes[i]);
    write_requests(f, m, MAX_ROUTES, &(struct route){.method = "", .path = "other"});
    fprintf(f, "# HELP genair_request_seconds Time to the answer.\n# TYPE genair_request_seconds histogram\n");
    for (size_t i = 0; i < n; i++) write_seconds(f, m, i, &routes[i]);
}

void answer_metrics(struct service *s, const struct request *r, struct response *out) {
    (void)r;
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (f) write_metrics(f, service_measures(s));
    if (f && fclose(f) == 0) {
        *out = (struct response){.status = 200, .body = text, .size = size, .type = "text/plain; version=0.0.4"};
        return;
    }
    free(text);
    response_error(out, 503, "out of memory");
}
