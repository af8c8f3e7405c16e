/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd reads the headers (16 KiB at most) and keeps connections alive; what is here gathers the body up to the
 * route's limit, asks for the token, compresses, and writes a line into the access log. A client that is slow to send
 * is cut off by a thread that looks at the clock: the library's own timeout begins again with every byte. */
#include "serve/http.h"

#include "base/alloc.h"
#include "base/context.h"
#include "base/json_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { HEADER_BYTES = 16 << 10, STACK_BYTES = 512 << 10, GZIP_FROM = 1024, STOP_SECONDS = 10, BACKLOG = 1024,
       SPARE = 64, /* connections above the limit: the library resets those above its own, and these are told why */
       FILES = 128 };

struct connection {
    int socket;
    bool above_limit; /* answered 503, and closed */
    double waiting_since; /* for a request to be complete; 0: one is being answered */
    struct connection *next, **link;
};

struct http {
    struct MHD_Daemon *daemon;
    struct service *service;
    struct http_options options;
    pthread_mutex_t lock; /* guards connections, and their times */
    struct connection *connections;
    size_t n_connections;
    pthread_t watcher;
    bool watching;
    atomic_bool stopping;
    atomic_uint under_way;
    atomic_bool torn; /* the access log's last line lacks its end */
};

/* One request while it arrives. */
struct arrival {
    const struct route *route;
    struct response refusal; /* status 0: none so far */
    char *body;
    size_t n, capacity;
    bool too_large;
    double begin;
};

/* ---- slow clients ---- */

static void set_waiting(struct http *h, struct connection *c, double since) {
    if (!c) return;
    pthread_mutex_lock(&h->lock);
    c->waiting_since = since;
    pthread_mutex_unlock(&h->lock);
}

static void connection_begins(struct http *h, struct MHD_Connection *connection, void **context) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *c = mem_zeros(1, sizeof *c);
    *context = c;
    if (!c) return; /* then only the library's timeout holds */
    c->socket = info ? info->connect_fd : -1;
    c->waiting_since = context_seconds();
    pthread_mutex_lock(&h->lock);
    c->above_limit = ++h->n_connections > h->options.max_connections;
    c->next = h->connections;
    c->link = &h->connections;
    if (c->next) c->next->link = &c->next;
    h->connections = c;
    pthread_mutex_unlock(&h->lock);
}

static void connection_ends(struct http *h, struct connection *c) {
    if (!c) return;
    pthread_mutex_lock(&h->lock);
    h->n_connections--;
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    pthread_mutex_unlock(&h->lock);
    mem_free(c);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **own,
                          enum MHD_ConnectionNotificationCode what) {
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        connection_begins(context, connection, own);
    else
        connection_ends(context, *own);
}

static struct connection *connection_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static bool is_above_limit(struct MHD_Connection *connection) {
    const struct connection *c = connection_of(connection);
    return c && c->above_limit;
}

/* Shut, not closed: the library then meets the end of the stream and clears up itself. */
static void *watch(void *context) {
    struct http *h = context;
    while (!atomic_load(&h->stopping)) {
        const double now = context_seconds();
        pthread_mutex_lock(&h->lock);
        for (const struct connection *c = h->connections; c; c = c->next)
            if (c->waiting_since > 0 && now - c->waiting_since > h->options.timeout) shutdown(c->socket, SHUT_RDWR);
        pthread_mutex_unlock(&h->lock);
        nanosleep(&(struct timespec){0, 200000000}, NULL);
    }
    return NULL;
}

/* ---- the answer on its way out ---- */

static bool wants_gzip(struct MHD_Connection *connection) {
    const char *accepted = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    const char *at = accepted ? strstr(accepted, "gzip") : NULL;
    return at && strncmp(at + 4, ";q=0", 4) != 0;
}

/* Puts a gzip in the place of the body if it is smaller. */
static bool compress_body(struct response *r) {
    z_stream z = {0};
    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return false;
    char *small = malloc(r->size);
    z.next_in = (Bytef *)r->body;
    z.avail_in = (uInt)r->size;
    z.next_out = (Bytef *)small;
    z.avail_out = (uInt)r->size;
    const bool done = small && deflate(&z, Z_FINISH) == Z_STREAM_END;
    const size_t size = z.total_out;
    deflateEnd(&z);
    if (!done) {
        free(small);
        return false;
    }
    free(r->body);
    r->body = small;
    r->size = size;
    return true;
}

static void add_headers(struct MHD_Response *m, const struct response *r, bool gzip) {
    char seconds[16];
    MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, r->type ? r->type : "application/json");
    MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(m, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(m, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    if (r->policy) {
        MHD_add_response_header(m, "Content-Security-Policy", r->policy);
        MHD_add_response_header(m, "Referrer-Policy", "no-referrer");
    }
    if (gzip) MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    if (r->allow) MHD_add_response_header(m, MHD_HTTP_HEADER_ALLOW, r->allow);
    if (r->status == 401) MHD_add_response_header(m, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (r->retry_after) {
        snprintf(seconds, sizeof seconds, "%d", r->retry_after);
        MHD_add_response_header(m, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
}

/* Takes the body. */
static enum MHD_Result send_response(struct MHD_Connection *connection, struct response *r) {
    const bool gzip = r->size >= GZIP_FROM && wants_gzip(connection) && compress_body(r);
    struct MHD_Response *m = MHD_create_response_from_buffer(r->size, r->body, MHD_RESPMEM_MUST_FREE);
    if (!m) {
        free(r->body);
        return MHD_NO;
    }
    add_headers(m, r, gzip);
    if (r->last) MHD_add_response_header(m, MHD_HTTP_HEADER_CONNECTION, "close");
    const enum MHD_Result sent = MHD_queue_response(connection, (unsigned)r->status, m);
    MHD_destroy_response(m);
    return sent;
}

static void log_request(struct http *h, struct MHD_Connection *connection, const char *method, const char *path,
                        const struct response *r, double seconds) {
    if (h->options.log < 0) return;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char client[INET_ADDRSTRLEN] = "", time_text[32] = "", shown[TEXT_EXCERPT], verb[TEXT_EXCERPT];
    if (info && info->client_addr && info->client_addr->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)info->client_addr)->sin_addr, client,
                  sizeof client);
    const time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    text_excerpt(text_of(path), shown);
    text_excerpt(text_of(method), verb);
    json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:f}", "time", time_text, "client", client, "method",
                             verb, "path", shown, "status", r->status, "bytes", (json_int_t)r->size, "seconds",
                             seconds);
    char *text = json_text(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(line);
    if (!text) return;
    const size_t n = strlen(text);
    text[n] = '\n'; /* in the place of the zero: one write, so that lines stay whole */
    if (atomic_exchange(&h->torn, false) && write(h->options.log, "\n", 1) != 1) atomic_store(&h->torn, true);
    const ssize_t written = write(h->options.log, text, n + 1); /* a full disk must not stop the service */
    if (written > 0 && (size_t)written <= n) atomic_store(&h->torn, true);
    free(text);
}

/* ---- a request on its way in ---- */

/* Takes the same time wherever the first difference is. */
static bool token_matches(const char *expected, const char *given) {
    const size_t n = strlen(expected), m = strlen(given);
    unsigned char difference = n != m;
    for (size_t i = 0; i < n; i++)
        difference |= (unsigned char)(expected[i] ^ given[m ? i % m : 0]);
    return difference == 0;
}

static bool is_allowed(const struct http *h, struct MHD_Connection *connection, const struct route *route) {
    if (!h->options.token || route->open) return true;
    const char *given = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    return given && strncasecmp(given, "Bearer ", 7) == 0 && token_matches(h->options.token, given + 7);
}

/* A page from elsewhere, open in a browser on this machine, could reach the loopback too: browsers say where a page is
 * from, and it must be from here. */
static bool is_foreign(struct MHD_Connection *connection) {
    const char *origin = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ORIGIN);
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    const char *from = origin ? strstr(origin, "://") : NULL;
    return origin && (!from || !host || strcasecmp(from + 3, host) != 0);
}

/* Whether a Host header names this machine as only those on it can: 127.0.0.1:8080, localhost, [::1]. */
static bool is_loopback(const char *host) {
    char address[sizeof "255.255.255.255"];
    struct in_addr number;
    const bool v6 = strncmp(host, "[::1]", 5) == 0;
    const size_t n = v6 ? 5 : strcspn(host, ":");
    if (host[n] && host[n + 1 + strspn(host + n + 1, "0123456789")]) return false;
    if (v6) return host[n] == ':' || !host[n];
    if (n == 9 && strncasecmp(host, "localhost", n) == 0) return true;
    if (n >= sizeof address) return false;
    memcpy(address, host, n);
    address[n] = '\0';
    return inet_pton(AF_INET, address, &number) == 1 && ntohl(number.s_addr) >> 24 == 127;
}

/* A page elsewhere whose name was made to lead to this machine is from "here" for its browser, but for that name. What says
 * no Host is no browser. */
static bool is_misled(const struct http *h, struct MHD_Connection *connection) {
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    return h->options.only_loopback && host && !is_loopback(host);
}

static size_t announced_length(struct MHD_Connection *connection) {
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return value ? strtoull(value, NULL, 10) : 0;
}

static void refuse_large(struct response *out, size_t limit) {
    char text[80];
    snprintf(text, sizeof text, "the body may have %zu bytes", limit);
    response_error(out, 413, text);
}

static void refuse_connection(struct response *out) {
    response_error(out, 503, "too many connections (--max-connections)");
    out->retry_after = 1;
}

static enum MHD_Result count_length(void *context, enum MHD_ValueKind kind, const char *key, const char *value) {
    (void)kind, (void)value;
    *(unsigned *)context += strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 || strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    return MHD_YES;
}

/* Told twice how long the body is, a proxy in front and we may each believe another: what is the body to one is the next
 * request to the other (RFC 9112, 6.3). */
static bool is_ambiguous(struct MHD_Connection *connection) {
    unsigned n = 0;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_length, &n);
    return n > 1;
}

static void look_at_head(const struct http *h, struct MHD_Connection *connection, const char *path, const char *method,
                         struct arrival *a) {
    if (is_ambiguous(connection)) {
        response_error(&a->refusal, 400, "the length of the body is given twice");
        a->refusal.last = true;
        return;
    }
    a->route = service_find(method, text_of(path), &a->refusal);
    if (!a->route) return;
    if (is_above_limit(connection) && !a->route->open) /* whoever asks whether it lives gets the answer */
        refuse_connection(&a->refusal);
    else if (is_misled(h, connection) && (!a->route->open || a->route->page))
        response_error(&a->refusal, 403, "without a token this server answers to localhost and 127.0.0.1 alone: --token-file, or "
                                         "--no-token where something else guards it");
    else if (is_foreign(connection))
        response_error(&a->refusal, 403, "pages from elsewhere may not ask: Origin and Host must name the same server (behind a proxy, pass Host on)");
    else if (!is_allowed(h, connection, a->route))
        response_error(&a->refusal, 401, "a token is needed: Authorization: Bearer TOKEN");
    else if (announced_length(connection) > a->route->max_body)
        refuse_large(&a->refusal, a->route->max_body);
}

/* What is too much is read and thrown away, so that the client can read why; up to four times the limit. */
static enum MHD_Result gather(struct arrival *a, const char *data, size_t *size) {
    const size_t n = *size, limit = a->route ? a->route->max_body : 0;
    *size = 0;
    if (a->refusal.status || a->too_large || n > limit - a->n) {
        a->too_large = true;
        a->n += n;
        return a->n > 4 * limit + (1 << 16) ? MHD_NO : MHD_YES;
    }
    if (!mem_grow(&a->body, &a->capacity, a->n + n, 1)) return MHD_NO;
    memcpy(a->body + a->n, data, n);
    a->n += n;
    return MHD_YES;
}

/* A zero byte would end the path early: it becomes one that no valid text has, and is refused where texts are read. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text) {
    (void)context, (void)connection;
    for (char *zero = text; (zero = strstr(zero, "%00"));) memcpy(zero, "%FF", 3);
    return MHD_http_unescape(text);
}

static enum MHD_Result add_parameter(void *context, enum MHD_ValueKind kind, const char *key, size_t key_size,
                                     const char *value, size_t value_size) {
    struct request *r = context;
    (void)kind;
    if (r->n_parameters == MAX_PARAMETERS) return MHD_NO;
    r->parameters[r->n_parameters++] =
        (struct parameter_text){{key, key_size}, {value ? value : "", value ? value_size : 0}};
    return MHD_YES;
}

static void answer_arrival(struct http *h, struct MHD_Connection *connection, const char *path, const char *method,
                           struct arrival *a, struct response *out) {
    struct request r = {.method = method, .path = text_of(path), .body = {a->body ? a->body : "", a->n}};
    if (a->refusal.status) {
        *out = a->refusal;
        a->refusal = (struct response){0};
        service_refused(h->service, a->route, out->status);
    } else if (a->too_large) {
        refuse_large(out, a->route->max_body);
        service_refused(h->service, a->route, out->status);
    } else {
        r.rest = text_of(path + strlen(a->route->path));
        MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, add_parameter, &r);
        service_answer(h->service, a->route, &r, out);
    }
}

static enum MHD_Result respond(struct http *h, struct MHD_Connection *connection, const char *path, const char *method,
                               struct arrival *a) {
    struct response out = {0};
    answer_arrival(h, connection, path, method, a, &out);
    out.last = out.last || is_above_limit(connection);
    const struct response logged = out;
    const enum MHD_Result sent = send_response(connection, &out);
    log_request(h, connection, method, path, &logged, context_seconds() - a->begin);
    return sent;
}

/* As a proxy is asked, http://localhost:8080/healthz is /healthz (RFC 9112, 3.2.2). */
static const char *path_of(const char *target) {
    const bool absolute = strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0;
    if (!absolute) return target;
    const char *path = strchr(strstr(target, "://") + 3, '/');
    return path ? path : "/";
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *target,
                                  const char *method, const char *version, const char *data, size_t *size, void **own) {
    struct http *h = context;
    struct arrival *a = *own;
    const char *const path = path_of(target);
    (void)version;
    if (!a) { /* the head alone */
        a = *own = mem_zeros(1, sizeof *a);
        if (!a) return MHD_NO;
        a->begin = context_seconds();
        atomic_fetch_add(&h->under_way, 1);
        look_at_head(h, connection, path, method, a);
        if (a->refusal.status && announced_length(connection)) { /* said before the body is sent */
            set_waiting(h, connection_of(connection), 0);
            return respond(h, connection, path, method, a);
        }
        return MHD_YES;
    }
    if (*size > 0) return gather(a, data, size);
    set_waiting(h, connection_of(connection), 0);
    return respond(h, connection, path, method, a);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **own,
                         enum MHD_RequestTerminationCode code) {
    struct http *h = context;
    struct arrival *a = *own;
    (void)code;
    if (!a) return;
    set_waiting(h, connection_of(connection), context_seconds());
    free(a->refusal.body);
    mem_free(a->body);
    mem_free(a);
    *own = NULL;
    atomic_fetch_sub(&h->under_way, 1);
}

/* ---- life ---- */

__attribute__((format(printf, 2, 0))) static void ignore_log(void *context, const char *format, va_list args) {
    (void)context, (void)format, (void)args;
}

/* Where the library cannot go on it would end the process by a signal; all that was acknowledged is on the disk. */
static _Noreturn void end_process(void *context, const char *file, unsigned line, const char *reason) {
    (void)context, (void)file, (void)line;
    const char *text = reason && *reason ? reason : "a system call failed in libmicrohttpd";
    fprintf(stderr, "genair: the server cannot go on: %.*s\n", (int)strcspn(text, "\n"), text);
    _exit(EXIT_FAILURE);
}

/* One for each connection, and some for the files of a run: without them accepting would turn in a circle. */
static genair_code reserve_descriptors(unsigned n_connections, genair_status *st) {
    const rlim_t wanted = (rlim_t)n_connections + SPARE + FILES;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return GENAIR_OK;
    if (limit.rlim_max >= wanted) {
        limit.rlim_cur = wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return GENAIR_OK;
    }
    return fail(st, GENAIR_USAGE, "--max-connections %u needs %llu open files, and the limit is %llu: lower it, or raise the limit "
                "(ulimit -n, LimitNOFILE=)", n_connections, (unsigned long long)wanted, (unsigned long long)limit.rlim_max);
}

genair_code http_start(struct service *s, const struct http_options *o, struct http **out, genair_status *st) {
    const genair_code code = reserve_descriptors(o->max_connections, st);
    if (code != GENAIR_OK) return code;
    struct http *h = mem_zeros(1, sizeof *h);
    if (!h) return fail_memory(st);
    h->service = s;
    h->options = *o;
    MHD_set_panic_func(end_process, NULL);
    pthread_mutex_init(&h->lock, NULL);
    h->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, NULL, NULL,
        on_request, h, MHD_OPTION_EXTERNAL_LOGGER, ignore_log, NULL, MHD_OPTION_SOCK_ADDR, &h->options.address,
        MHD_OPTION_CONNECTION_LIMIT, o->max_connections + SPARE, MHD_OPTION_CONNECTION_TIMEOUT, o->timeout,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)BACKLOG,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
    if (!h->daemon) {
        const int error = errno;
        http_stop(h);
        return fail(st, GENAIR_IO, "cannot listen: %s; give another --listen", strerror(error));
    }
    h->watching = pthread_create(&h->watcher, NULL, watch, h) == 0;
    *out = h;
    return GENAIR_OK;
}

unsigned http_port(const struct http *h) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

static void wait_for_requests(const struct http *h) {
    for (int i = 0; i < STOP_SECONDS * 100 && atomic_load(&h->under_way) > 0; i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
}

void http_stop(struct http *h) {
    if (!h) return;
    if (h->daemon) {
        const MHD_socket listening = MHD_quiesce_daemon(h->daemon);
        if (listening != MHD_INVALID_SOCKET) shutdown(listening, SHUT_RD); /* refused from now on, not kept waiting */
        wait_for_requests(h);
        atomic_store(&h->stopping, true);
        if (h->watching) pthread_join(h->watcher, NULL);
        MHD_stop_daemon(h->daemon);
        if (listening != MHD_INVALID_SOCKET) close(listening);
    }
    pthread_mutex_destroy(&h->lock);
    mem_free(h);
}
