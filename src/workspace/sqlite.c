/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/sqlite.h"

bool sqlite_open(const char *path, int flags, int busy_milliseconds, sqlite3 **out) {
    if (sqlite3_open_v2(path, out, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) return false;
    sqlite3_busy_timeout(*out, busy_milliseconds);
    sqlite3_db_config(*out, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(*out, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(*out, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return true;
}

bool sqlite_execute(sqlite3 *db, const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

bool sqlite_ask(sqlite3 *db, const char *sql, int64_t *out) {
    sqlite3_stmt *s = NULL;
    const bool done = sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    if (done) *out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s); /* leaves what went wrong with the connection */
    return done;
}

bool sqlite_bind(sqlite3_stmt *s, int at, struct text t) {
    return sqlite3_bind_text64(s, at, t.p ? t.p : "", t.n, SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK;
}
