/* SPDX-License-Identifier: Apache-2.0 */
/* libpq's calls that wait do so for ever when a server neither answers nor goes away, so the ones that do not wait are used
 * here, with poll and a limit. */
#include "serve/postgres.h"

#include "base/context.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { ANSWER_MILLISECONDS = 10000 };
static const double refusal_seconds = 0.5; /* between two attempts */

/* libpq's messages end with a line break and may have several lines. */
static void one_line(const char *text, char *out, size_t size) {
    snprintf(out, size, "%s", text);
    size_t n = strlen(out);
    while (n && (out[n - 1] == '\n' || out[n - 1] == ' '))
        out[--n] = '\0';
    for (char *p = out; *p; p++)
        if (*p == '\n' || *p == '\t') *p = ' ';
}

static genair_code fail_store(genair_status *st, genair_code code, const char *why) {
    return fail(st, code, "the store of events, PostgreSQL: %s", why);
}

void postgres_close(struct postgres *p) {
    if (p->connection) PQfinish(p->connection);
    p->connection = NULL;
}

/* The connection is given up. */
static genair_code break_off(struct postgres *p, const char *why, genair_status *st) {
    char line[512];
    one_line(why, line, sizeof line);
    postgres_close(p);
    return fail_store(st, GENAIR_IO, line);
}

genair_code postgres_broken(struct postgres *p, genair_status *st) {
    return break_off(p, PQerrorMessage(p->connection), st);
}

/* ---- connecting ---- */

static void ignore_notice(void *context, const PGresult *notice) {
    (void)context, (void)notice;
}

/* What stands before dbname the URL may say otherwise. */
static PGconn *open_connection(const char *url) {
    const char *const names[] = {"connect_timeout", "tcp_user_timeout", "application_name", "dbname", "client_encoding", NULL};
    const char *const values[] = {"3", "10000", "genair", url, "UTF8", NULL};
    return PQconnectdbParams(names, values, 1);
}

static genair_code remember(struct postgres *p, const char *why, genair_status *st) {
    one_line(why, p->why, sizeof p->why);
    p->refused = context_seconds();
    postgres_close(p);
    return fail_store(st, GENAIR_IO, p->why);
}

/* Whether an idle connection is still one: the server may have said good-bye meanwhile. */
static bool is_alive(PGconn *c) {
    return PQconsumeInput(c) && PQstatus(c) == CONNECTION_OK;
}

genair_code postgres_connect(struct postgres *p, genair_status *st) {
    if (p->connection && is_alive(p->connection)) return GENAIR_OK;
    postgres_close(p);
    if (p->refused > 0 && context_seconds() - p->refused < refusal_seconds) return fail_store(st, GENAIR_IO, p->why);
    p->connection = open_connection(p->url);
    if (!p->connection) return fail_memory(st);
    if (PQstatus(p->connection) != CONNECTION_OK) return remember(p, PQerrorMessage(p->connection), st);
    p->refused = 0;
    PQsetNoticeReceiver(p->connection, ignore_notice, NULL);
    if (PQsetnonblocking(p->connection, 1) != 0) return postgres_broken(p, st);
    const genair_code code = p->prepare(p, st);
    if (code != GENAIR_OK) postgres_close(p);
    return code;
}

/* ---- asking ---- */

/* One wait for the socket, to read or, while something is still to be sent, to write. */
static bool wait_for_socket(PGconn *c, bool sending, double until) {
    struct pollfd fd = {.fd = PQsocket(c), .events = (short)(POLLIN | (sending ? POLLOUT : 0))};
    const double left = until - context_seconds();
    return left > 0 && poll(&fd, 1, (int)(left * 1000) + 1) >= 0;
}

genair_code postgres_result(struct postgres *p, PGresult **out, genair_status *st) {
    PGconn *c = p->connection;
    const double until = context_seconds() + ANSWER_MILLISECONDS / 1000.0;
    for (;;) {
        const int unsent = PQflush(c);
        if (unsent < 0) return break_off(p, PQerrorMessage(c), st);
        if (unsent == 0 && !PQisBusy(c)) break;
        if (!wait_for_socket(c, unsent > 0, until)) return break_off(p, "the server does not answer", st);
        if (!PQconsumeInput(c)) return break_off(p, PQerrorMessage(c), st);
    }
    *out = PQgetResult(c);
    if (*out || PQstatus(c) == CONNECTION_OK) return GENAIR_OK;
    return break_off(p, PQerrorMessage(c), st);
}

genair_code postgres_fail(struct postgres *p, const PGresult *result, genair_status *st) {
    char line[512];
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    one_line(PQresultErrorMessage(result), line, sizeof line);
    if (PQstatus(p->connection) != CONNECTION_OK) postgres_close(p);
    /* class 42: no such table or column, no permission */
    return fail_store(st, state && strncmp(state, "42", 2) == 0 ? GENAIR_FORMAT : GENAIR_IO, line);
}

bool postgres_may_repeat(const PGresult *result) {
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state && strncmp(state, "40", 2) == 0; /* deadlock, serialization */
}

genair_code postgres_execute(struct postgres *p, const char *sql, genair_status *st) {
    genair_code code = PQsendQuery(p->connection, sql) ? GENAIR_OK : postgres_broken(p, st);
    for (PGresult *r = NULL; p->connection;) {
        genair_status after = {0};
        const genair_code got = postgres_result(p, &r, code == GENAIR_OK ? st : &after);
        if (got != GENAIR_OK || !r) return code == GENAIR_OK ? got : code;
        if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK && code == GENAIR_OK)
            code = postgres_fail(p, r, st);
        PQclear(r);
    }
    return code;
}
