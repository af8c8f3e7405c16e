/* SPDX-License-Identifier: Apache-2.0 */
/* A store in an SQLite file, with a write-ahead log and synchronous = FULL. Readers have a connection of their own: they see what
 * is committed and hold nobody up. */
#include "serve/events_store.h"

#include "base/alloc.h"
#include "workspace/sqlite.h"

#include <pthread.h>
#include <string.h>

enum { BUSY_MILLISECONDS = 5000, APPLICATION = 1195460933 /* "GAIE" */ };

struct sqlite {
    char *path;
    sqlite3 *writing, *reading;
    sqlite3_stmt *insert, *select;
    pthread_mutex_t reader;
};

static genair_code fail_store(const struct sqlite *s, sqlite3 *db, genair_status *st) {
    const int code = sqlite3_errcode(db) & 0xff;
    if (code == SQLITE_NOMEM) return fail_memory(st);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return fail_line(st, GENAIR_FORMAT, s->path, 0, "damaged, or no store of events (%s); put a copy in its place, without the -wal and -shm files beside it",
                         sqlite3_errmsg(db));
    return fail_line(st, GENAIR_IO, s->path, 0, "the store of events: %s%s", sqlite3_errmsg(db),
                     code == SQLITE_CANTOPEN || code == SQLITE_READONLY ? "; --store sqlite:FILE keeps it elsewhere" : "");
}

static genair_code execute(const struct sqlite *s, const char *sql, genair_status *st) {
    return sqlite_execute(s->writing, sql) ? GENAIR_OK : fail_store(s, s->writing, st);
}

/* ---- writing ---- */

static genair_code insert(struct sqlite *s, const struct event *e, size_t *repeated, genair_status *st) {
    sqlite3_stmt *i = s->insert;
    const bool bound = sqlite_bind(i, 1, e->user) && sqlite_bind(i, 2, e->item) &&
                       sqlite3_bind_int64(i, 3, e->time) == SQLITE_OK &&
                       (e->key.n ? sqlite_bind(i, 4, e->key) : sqlite3_bind_null(i, 4) == SQLITE_OK);
    const int step = bound ? sqlite3_step(i) : SQLITE_ERROR;
    const genair_code code = step == SQLITE_DONE ? GENAIR_OK : fail_store(s, s->writing, st);
    if (code == GENAIR_OK) *repeated += sqlite3_changes(s->writing) == 0;
    sqlite3_reset(i);
    return code;
}

static genair_code write_all(void *store, struct event_request *first, genair_status *st) {
    struct sqlite *s = store;
    genair_code code = execute(s, "BEGIN IMMEDIATE", st);
    if (code != GENAIR_OK) return code;
    for (struct event_request *w = first; w && code == GENAIR_OK; w = w->next) {
        w->repeated = 0;
        for (size_t i = 0; i < w->n && code == GENAIR_OK; i++)
            code = insert(s, &w->events[i], &w->repeated, st);
    }
    if (code == GENAIR_OK) code = execute(s, "COMMIT", st);
    if (code != GENAIR_OK && !sqlite3_get_autocommit(s->writing))
        sqlite3_exec(s->writing, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

/* ---- reading ---- */

static genair_code read_events(void *store, struct text user, size_t limit, events_visit *visit, void *context,
                               genair_status *st) {
    struct sqlite *s = store;
    pthread_mutex_lock(&s->reader);
    sqlite3_stmt *q = s->select;
    genair_code code = GENAIR_OK;
    int step = SQLITE_ERROR;
    if (sqlite_bind(q, 1, user) && sqlite3_bind_int64(q, 2, (sqlite3_int64)limit) == SQLITE_OK)
        while (code == GENAIR_OK && (step = sqlite3_step(q)) == SQLITE_ROW) {
            const char *item = (const char *)sqlite3_column_text(q, 0);
            const struct text t = {item, (size_t)sqlite3_column_bytes(q, 0)};
            if (!item || !visit(context, t)) code = fail_memory(st);
        }
    if (code == GENAIR_OK && step != SQLITE_DONE) code = fail_store(s, s->reading, st);
    sqlite3_reset(q);
    pthread_mutex_unlock(&s->reader);
    return code;
}

/* ---- opening ---- */

static genair_code connect(const struct sqlite *s, sqlite3 **db, genair_status *st) {
    if (sqlite_open(s->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, BUSY_MILLISECONDS, db)) return GENAIR_OK;
    return *db ? fail_store(s, *db, st) : fail_memory(st);
}

static genair_code check_layout(const struct sqlite *s, genair_status *st) {
    sqlite3_stmt *q = NULL;
    int64_t application = 0, n_tables = 0;
    if (sqlite3_prepare_v2(s->writing, "SELECT application_id, (SELECT count(*) FROM sqlite_schema) FROM "
                                       "pragma_application_id", -1, &q, NULL) != SQLITE_OK ||
        sqlite3_step(q) != SQLITE_ROW) {
        sqlite3_finalize(q);
        return fail_store(s, s->writing, st);
    }
    application = sqlite3_column_int64(q, 0);
    n_tables = sqlite3_column_int64(q, 1);
    sqlite3_finalize(q);
    if (application == APPLICATION || (application == 0 && n_tables == 0)) return GENAIR_OK;
    return fail_line(st, GENAIR_USAGE, s->path, 0, "a database of something else; name another file with --store");
}

static genair_code set_up(struct sqlite *s, genair_status *st) {
    static const char layout[] =
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE;"
        "PRAGMA application_id = 1195460933; PRAGMA user_version = 1;"
        "CREATE TABLE IF NOT EXISTS events (place INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, "
        "item TEXT NOT NULL, time INTEGER NOT NULL, key TEXT UNIQUE);"
        "CREATE INDEX IF NOT EXISTS events_of_user ON events (user, place, item); COMMIT";
    genair_code code = connect(s, &s->writing, st);
    if (code == GENAIR_OK) code = check_layout(s, st);
    if (code == GENAIR_OK) code = execute(s, layout, st);
    if (code == GENAIR_OK) code = connect(s, &s->reading, st);
    if (code != GENAIR_OK) return code;
    if (sqlite3_prepare_v2(s->writing, "INSERT INTO events (user, item, time, key) VALUES (?1, ?2, ?3, ?4) "
                                       "ON CONFLICT (key) DO NOTHING", -1, &s->insert, NULL) != SQLITE_OK)
        return fail_store(s, s->writing, st);
    if (sqlite3_prepare_v2(s->reading, "SELECT item FROM (SELECT place, item FROM events WHERE user = ?1 "
                                       "ORDER BY place DESC LIMIT ?2) ORDER BY place", -1, &s->select, NULL) != SQLITE_OK)
        return fail_store(s, s->reading, st);
    return GENAIR_OK;
}

static void close_store(void *store) {
    struct sqlite *s = store;
    sqlite3_finalize(s->insert);
    sqlite3_finalize(s->select);
    sqlite3_close(s->reading);
    sqlite3_close(s->writing);
    pthread_mutex_destroy(&s->reader);
    mem_free(s->path);
    mem_free(s);
}

static genair_code open_store(const char *place, void **out, genair_status *st) {
    struct sqlite *s = mem_zeros(1, sizeof *s);
    if (!s) return fail_memory(st);
    pthread_mutex_init(&s->reader, NULL);
    s->path = mem_text(place, strlen(place));
    const genair_code code = s->path ? set_up(s, st) : fail_memory(st);
    if (code == GENAIR_OK)
        *out = s;
    else
        close_store(s);
    return code;
}

const struct event_store sqlite_events = {open_store, close_store, write_all, read_events};
