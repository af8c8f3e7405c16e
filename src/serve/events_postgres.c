/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a PostgreSQL database, which several servers share. A connection writes, others read; each is made again when
 * it broke. A transaction is sent as one pipeline: one answer is waited for, whatever the number of requests in it. Whether a
 * transaction whose answer was lost took place is not known: clients that give their events an id repeat it safely. */
#include "serve/events_store.h"

#include "base/alloc.h"
#include "base/size.h"
#include "serve/postgres.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READERS = 4, ATTEMPTS = 5, N_COLUMNS = 4 };

struct reader {
    struct postgres link;
    pthread_mutex_t lock;
};

struct store {
    char *url;
    struct postgres writer;
    struct reader readers[READERS];
    atomic_uint turn;
};

static const char layout[] =
    "SELECT pg_advisory_xact_lock(1195460933);" /* two servers may begin at the same time */
    "CREATE TABLE IF NOT EXISTS genair_events (place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
    "user_name text NOT NULL, item text NOT NULL, time bigint NOT NULL, key text UNIQUE);"
    "CREATE INDEX IF NOT EXISTS genair_events_of_user ON genair_events (user_name, place) INCLUDE (item)";

/* ---- connections made ready ---- */

static genair_code prepare(struct postgres *p, const char *name, const char *sql, genair_status *st) {
    if (!PQsendPrepare(p->connection, name, sql, 0, NULL)) return postgres_broken(p, st);
    PGresult *r = NULL, *end = NULL;
    genair_code code = postgres_result(p, &r, st);
    if (code != GENAIR_OK) return code;
    if (PQresultStatus(r) != PGRES_COMMAND_OK) code = postgres_fail(p, r, st);
    PQclear(r);
    return code == GENAIR_OK ? postgres_result(p, &end, st) : code;
}

/* An acknowledged event is on the disk, whatever the server's default is; what is stronger than "on" is left. */
static genair_code prepare_writer(struct postgres *p, genair_status *st) {
    const genair_code code = postgres_execute(
        p, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN "
           "('off', 'local')", st);
    if (code != GENAIR_OK) return code;
    return prepare(p, "insert",
                   "INSERT INTO genair_events (user_name, item, time, key) SELECT u, i, t, k FROM "
                   "unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) WITH ORDINALITY AS e (u, i, t, k, place) "
                   "ORDER BY place ON CONFLICT (key) DO NOTHING", st);
}

static genair_code prepare_reader(struct postgres *p, genair_status *st) {
    return prepare(p, "select",
                   "SELECT item FROM (SELECT place, item FROM genair_events WHERE user_name = $1::text ORDER BY place DESC "
                   "LIMIT $2::bigint) AS latest ORDER BY place", st);
}

/* ---- arrays as PostgreSQL writes them: {"a","b\"c",NULL} ---- */

struct array {
    char *text;
    size_t n, capacity;
    bool failed;
};

static void put(struct array *a, const char *p, size_t n) {
    if (a->failed || !mem_grow(&a->text, &a->capacity, a->n + n + 1, 1)) {
        a->failed = true;
        return;
    }
    memcpy(a->text + a->n, p, n);
    a->n += n;
    a->text[a->n] = '\0';
}

static void put_quoted(struct array *a, struct text t) {
    put(a, "\"", 1);
    for (size_t i = 0, n; i < t.n; i += n) {
        for (n = 0; i + n < t.n && t.p[i + n] != '"' && t.p[i + n] != '\\'; n++) {}
        put(a, t.p + i, n);
        if (i + n == t.n) break;
        const char escaped[] = {'\\', t.p[i + n++]};
        put(a, escaped, sizeof escaped);
    }
    put(a, "\"", 1);
}

static void put_event(struct array columns[N_COLUMNS], const struct event *e, const char *before) {
    char number[24];
    const int n = snprintf(number, sizeof number, "%" PRId64, e->time);
    for (size_t c = 0; c < N_COLUMNS; c++)
        put(&columns[c], before, 1);
    put_quoted(&columns[0], e->user);
    put_quoted(&columns[1], e->item);
    put(&columns[2], number, (size_t)n);
    if (e->key.n)
        put_quoted(&columns[3], e->key);
    else
        put(&columns[3], "NULL", 4);
}

/* ---- writing ---- */

static genair_code send_request(struct postgres *p, const struct event_request *w, genair_status *st) {
    struct array columns[N_COLUMNS] = {0};
    const char *values[N_COLUMNS];
    bool whole = true;
    for (size_t i = 0; i < w->n; i++)
        put_event(columns, &w->events[i], i ? "," : "{");
    for (size_t c = 0; c < N_COLUMNS; c++) {
        put(&columns[c], "}", 1);
        values[c] = columns[c].text;
        whole = whole && !columns[c].failed;
    }
    genair_code code = GENAIR_OK;
    if (!whole)
        code = fail_memory(st);
    else if (!PQsendQueryPrepared(p->connection, "insert", N_COLUMNS, values, NULL, NULL, 0))
        code = postgres_broken(p, st);
    for (size_t c = 0; c < N_COLUMNS; c++)
        mem_free(columns[c].text);
    return code;
}

static genair_code send_all(struct postgres *p, const struct event_request *first, genair_status *st) {
    genair_code code = PQenterPipelineMode(p->connection) ? GENAIR_OK : postgres_broken(p, st);
    for (const struct event_request *w = first; w && code == GENAIR_OK; w = w->next)
        code = send_request(p, w, st);
    if (code == GENAIR_OK && !PQpipelineSync(p->connection))
        code = postgres_broken(p, st);
    return code;
}

/* The answer of one statement of the pipeline, and the NULL behind it. */
static genair_code receive_request(struct postgres *p, struct event_request *w, bool *repeat, genair_status *st) {
    PGresult *r = NULL, *end = NULL;
    genair_code code = postgres_result(p, &r, st);
    if (code != GENAIR_OK) return code;
    if (PQresultStatus(r) == PGRES_COMMAND_OK) {
        w->repeated = w->n - (size_t)strtoull(PQcmdTuples(r), NULL, 10);
    } else {
        *repeat = postgres_may_repeat(r);
        code = postgres_fail(p, r, st);
    }
    PQclear(r);
    return code == GENAIR_OK ? postgres_result(p, &end, st) : code;
}

/* The transaction is durable when the answer to the synchronisation is here. */
static genair_code receive_all(struct postgres *p, struct event_request *first, bool *repeat, genair_status *st) {
    genair_code code = GENAIR_OK;
    for (struct event_request *w = first; w && code == GENAIR_OK; w = w->next)
        code = receive_request(p, w, repeat, st);
    PGresult *r = NULL;
    if (code == GENAIR_OK) code = postgres_result(p, &r, st);
    if (code != GENAIR_OK) return code;
    if (PQresultStatus(r) != PGRES_PIPELINE_SYNC) {
        *repeat = postgres_may_repeat(r);
        code = postgres_fail(p, r, st);
    }
    PQclear(r);
    return code == GENAIR_OK && !PQexitPipelineMode(p->connection) ? postgres_broken(p, st) : code;
}

static genair_code write_once(struct postgres *p, struct event_request *first, bool *repeat, genair_status *st) {
    genair_code code = postgres_connect(p, st);
    if (code != GENAIR_OK) return code;
    code = send_all(p, first, st);
    if (code == GENAIR_OK) code = receive_all(p, first, repeat, st);
    if (code != GENAIR_OK) postgres_close(p); /* whatever of the pipeline is left */
    return code;
}

static genair_code write_all(void *store, struct event_request *first, genair_status *st) {
    struct store *s = store;
    for (int attempt = 1;; attempt++) {
        genair_status own = {0};
        bool repeat = false;
        const genair_code code = write_once(&s->writer, first, &repeat, &own);
        if (repeat && attempt < ATTEMPTS) continue;
        return code == GENAIR_OK ? code : fail(st, code, "%s", own.message);
    }
}

/* ---- reading ---- */

static genair_code visit_rows(const PGresult *r, events_visit *visit, void *context, genair_status *st) {
    for (int i = 0; i < PQntuples(r); i++) {
        const struct text item = {PQgetvalue(r, i, 0), (size_t)PQgetlength(r, i, 0)};
        if (!visit(context, item)) return fail_memory(st);
    }
    return GENAIR_OK;
}

static genair_code ask(struct postgres *p, const char *name, size_t limit, PGresult **out, genair_status *st) {
    char number[24];
    snprintf(number, sizeof number, "%zu", limit);
    const char *const values[] = {name, number};
    PGresult *end = NULL;
    genair_code code = PQsendQueryPrepared(p->connection, "select", 2, values, NULL, NULL, 0) ? GENAIR_OK
                                                                                            : postgres_broken(p, st);
    if (code == GENAIR_OK) code = postgres_result(p, out, st);
    if (code == GENAIR_OK && PQresultStatus(*out) != PGRES_TUPLES_OK) code = postgres_fail(p, *out, st);
    return code == GENAIR_OK ? postgres_result(p, &end, st) : code;
}

/* Once more where a connection that we had turns out to be broken: reading changes nothing. */
static genair_code ask_again(struct postgres *p, const char *name, size_t limit, PGresult **out, genair_status *st) {
    genair_status first = {0};
    const bool had = p->connection != NULL;
    genair_code code = postgres_connect(p, had ? &first : st);
    if (code == GENAIR_OK) code = ask(p, name, limit, out, had ? &first : st);
    if (code != GENAIR_OK) postgres_close(p);
    if (code == GENAIR_OK || !had) return code;
    PQclear(*out);
    *out = NULL;
    return ask_again(p, name, limit, out, st); /* without a connection: not a third time */
}

static genair_code read_events(void *store, struct text user, size_t limit, events_visit *visit, void *context,
                               genair_status *st) {
    struct store *s = store;
    struct reader *r = &s->readers[atomic_fetch_add(&s->turn, 1) % READERS];
    char *name = mem_text(user.p, user.n);
    if (!name) return fail_memory(st);
    PGresult *rows = NULL;
    pthread_mutex_lock(&r->lock);
    genair_code code = ask_again(&r->link, name, limit, &rows, st);
    pthread_mutex_unlock(&r->lock);
    if (code == GENAIR_OK) code = visit_rows(rows, visit, context, st);
    PQclear(rows);
    mem_free(name);
    return code;
}

/* ---- opening ---- */

static genair_code check_encoding(const struct postgres *p, genair_status *st) {
    const char *encoding = PQparameterStatus(p->connection, "server_encoding");
    if (encoding && strcmp(encoding, "UTF8") == 0) return GENAIR_OK;
    return fail(st, GENAIR_USAGE, "the store of events, PostgreSQL: the database has encoding %s, but names are UTF-8; make "
                "another: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0", encoding ? encoding : "?");
}

/* The table is asked for first: where it is, no permission to make one is needed. */
static genair_code set_up(struct postgres *p, genair_status *st) {
    genair_code code = check_encoding(p, st);
    if (code != GENAIR_OK) return code;
    genair_status none = {0};
    code = postgres_execute(p, "SELECT place, user_name, item, time, key FROM genair_events LIMIT 0", &none);
    if (code == GENAIR_FORMAT) return postgres_execute(p, layout, st);
    return code == GENAIR_OK ? code : fail(st, code, "%s", none.message);
}

static genair_code set_up_writer(struct postgres *p, genair_status *st) {
    const genair_code code = set_up(p, st);
    return code == GENAIR_OK ? prepare_writer(p, st) : code;
}

static void close_store(void *store) {
    struct store *s = store;
    postgres_close(&s->writer);
    for (size_t i = 0; i < READERS; i++) {
        postgres_close(&s->readers[i].link);
        pthread_mutex_destroy(&s->readers[i].lock);
    }
    mem_free(s->url);
    mem_free(s);
}

static genair_code open_store(const char *place, void **out, genair_status *st) {
    struct store *s = mem_zeros(1, sizeof *s);
    if (!s) return fail_memory(st);
    s->url = mem_text(place, strlen(place));
    s->writer = (struct postgres){.url = s->url, .prepare = set_up_writer};
    for (size_t i = 0; i < READERS; i++) {
        s->readers[i].link = (struct postgres){.url = s->url, .prepare = prepare_reader};
        pthread_mutex_init(&s->readers[i].lock, NULL);
    }
    const genair_code code = s->url ? postgres_connect(&s->writer, st) : fail_memory(st);
    if (code == GENAIR_OK)
        *out = s;
    else
        close_store(s);
    return code;
}

const struct event_store postgres_events = {open_store, close_store, write_all, read_events};
