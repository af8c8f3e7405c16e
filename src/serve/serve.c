/* SPDX-License-Identifier: Apache-2.0 */
/* genair serve: a run as a service, until it is told to stop. */
#include "genair.h"

#include "base/alloc.h"
#include "base/context.h"
#include "base/files.h"
#include "base/options.h"
#include "serve/http.h"
#include "workspace/stage_input.h"
#include "workspace/stage_result.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_TOKEN_BYTES = 4096, LOOK_NANOSECONDS = 20000000 };

struct setting {
    struct http_options http;
    char *token, *store;
    struct index_setting index;
};

/* "127.0.0.1:8080", ":8080" */
static genair_code read_address(const char *text, struct sockaddr_in *out, genair_status *st) {
    const char *colon = strrchr(text, ':');
    char host[64] = "127.0.0.1";
    int64_t port = -1;
    const size_t n = colon ? (size_t)(colon - text) : 0;
    if (n > 0 && n < sizeof host) snprintf(host, sizeof host, "%.*s", (int)n, text);
    *out = (struct sockaddr_in){.sin_family = AF_INET};
    if (!colon || n >= sizeof host || !text_i64(text_of(colon + 1), &port) || port < 0 || port > 65535 ||
        inet_pton(AF_INET, host, &out->sin_addr) != 1)
        return fail(st, GENAIR_USAGE, "--listen '%s': an IPv4 address and a port are needed, as in 127.0.0.1:8080", text);
    out->sin_port = htons((uint16_t)port);
    return GENAIR_OK;
}

static genair_code read_token(const char *path, char **out, genair_status *st) {
    size_t size;
    const genair_code code = file_read(path, MAX_TOKEN_BYTES, out, &size, st);
    if (code != GENAIR_OK) return code;
    size_t n = 0;
    while (n < size && (unsigned char)(*out)[n] > ' ' && (*out)[n] != 0x7f) n++;
    if (n < 16 || text_trim((struct text){*out + n, size - n}).n > 0)
        return fail_line(st, GENAIR_USAGE, path, 1, "one token of at least 16 visible characters is needed: head -c 32 "
                                                    "/dev/urandom | base64 > %s", path);
    (*out)[n] = '\0';
    return GENAIR_OK;
}

static genair_code check_exposure(const struct setting *s, bool forced, const char *listen, genair_status *st) {
    const bool loopback = ntohl(s->http.address.sin_addr.s_addr) >> 24 == 127;
    if (loopback || s->token || forced) return GENAIR_OK;
    return fail(st, GENAIR_USAGE, "--listen %s can be reached from other machines, and anybody there could read and write "
                "histories: give --token-file, or --no-token if something else guards it", listen);
}

static genair_code open_log(const char *path, int *out, genair_status *st) {
    *out = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640) : -1;
    return path && *out < 0 ? fail_errno(st, path, "open") : GENAIR_OK;
}

static genair_code choose_store(const genair_options *o, char **out, genair_status *st) {
    static const char scheme[] = "sqlite:", file[] = "/" EVENTS_FILE;
    const char *given = option_text(o, "store"), *workspace = option_text(o, "workspace");
    const size_t size = strlen(workspace) + sizeof scheme + sizeof file;
    *out = given ? mem_text(given, strlen(given)) : mem_array(size, 1);
    if (*out && !given) snprintf(*out, size, "%s%s%s", scheme, workspace, file);
    return *out ? GENAIR_OK : fail_memory(st);
}

static genair_code read_setting(const genair_options *o, struct setting *s, genair_status *st) {
    const char *listen = option_text(o, "listen"), *token = option_text(o, "token-file"), *log = option_text(o, "access-log");
    s->http.max_connections = (unsigned)option_int(o, "max-connections");
    s->http.timeout = (unsigned)option_int(o, "timeout");
    s->http.log = -1;
    genair_code code = index_asked(o, &s->index, st);
    if (code == GENAIR_OK) code = read_address(listen, &s->http.address, st);
    if (code == GENAIR_OK && token) code = read_token(token, &s->token, st);
    if (code == GENAIR_OK) code = check_exposure(s, option_flag(o, "no-token"), listen, st);
    if (code == GENAIR_OK) code = choose_store(o, &s->store, st);
    if (code == GENAIR_OK && log) code = stage_output_check(option_text(o, "workspace"), "access-log", log, st);
    if (code == GENAIR_OK) code = open_log(log, &s->http.log, st);
    s->http.token = s->token;
    s->http.only_loopback = !s->token && !option_flag(o, "no-token");
    return code;
}

/* Once, until it is another reason: new items open the run again many times. */
static void tell_left_out(genair_context *ctx, struct service *s, char told[LEFT_OUT_SIZE]) {
    char why[LEFT_OUT_SIZE];
    service_left_out(s, why, sizeof why);
    if (*why && strcmp(why, told) != 0) context_warn(ctx, "%s", why);
    snprintf(told, LEFT_OUT_SIZE, "%s", why);
}

static void reload(genair_context *ctx, struct service *s) {
    genair_status st = {0};
    char text[2048];
    if (service_reload(s, &st) == GENAIR_OK) {
        context_info(ctx, "the run was opened again");
        return;
    }
    genair_status_text(&st, text, sizeof text);
    context_warn(ctx, "the run is served as before, for it cannot be opened again: %s", text);
}

/* Until the context is stopped. */
static void look_after(genair_context *ctx, struct service *s) {
    char told[LEFT_OUT_SIZE] = "";
    uint64_t reloads = service_reloads(s);
    tell_left_out(ctx, s, told);
    while (!context_stopped(ctx)) {
        nanosleep(&(struct timespec){0, LOOK_NANOSECONDS}, NULL);
        if (context_take_reload(ctx)) {
            reload(ctx, s);
            *told = '\0'; /* who asks for it wants to read it again */
        }
        const uint64_t now = service_reloads(s); /* requests open it again too */
        if (now != reloads) tell_left_out(ctx, s, told);
        reloads = now;
    }
}

static genair_code serve(genair_context *ctx, const genair_options *o, const struct setting *setting, json_t *out,
                         genair_status *st) {
    struct service *s;
    struct http *h = NULL;
    char host[INET_ADDRSTRLEN];
    const struct service_setting what = {.workspace = option_text(o, "workspace"),
                                         .run = option_text(o, "run"),
                                         .store = setting->store,
                                         .keep_unknown = strcmp(option_text(o, "unknown-items"), "keep") == 0,
                                         .index = setting->index,
                                         .model = option_text(o, "model"),
                                         .template = option_text(o, "template"),
                                         .threads = parallel_threads(context_parallel(ctx))};
    genair_code code = service_open(&what, &s, st);
    if (code != GENAIR_OK) return code;
    code = http_start(s, &setting->http, &h, st);
    if (code == GENAIR_OK) {
        inet_ntop(AF_INET, &setting->http.address.sin_addr, host, sizeof host);
        context_info(ctx, "serving run '%s' at http://%s:%u", option_text(o, "run"), host, http_port(h));
        look_after(ctx, s);
        service_retire(s);
        http_stop(h);
        const struct service_counts n = service_counts(s);
        if (json_object_update_new(out, json_pack("{s:I, s:I, s:I}", "requests", (json_int_t)n.requests, "failed",
                                                  (json_int_t)n.failed, "events", (json_int_t)n.events)) != 0)
            code = fail_memory(st);
    }
    service_close(s);
    return code;
}

GENAIR_API genair_code genair_serve(genair_context *ctx, const genair_options *o, char **json, genair_status *st) {
    const double begin = context_seconds();
    genair_code code = options_check_command(o, "serve", st);
    if (code == GENAIR_OK) code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "run", st);
    if (code != GENAIR_OK) return code;
    struct setting setting = {0};
    json_t *result = json_object();
    code = result ? read_setting(o, &setting, st) : fail_memory(st);
    if (code == GENAIR_OK) code = serve(ctx, o, &setting, result, st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    if (setting.http.log >= 0) close(setting.http.log);
    mem_free(setting.token);
    mem_free(setting.store);
    return code;
}
