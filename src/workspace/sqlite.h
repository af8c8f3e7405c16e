/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what all stores in SQLite files ask of SQLite. A false is told by the store, in its own words, from what
 * sqlite3_errcode and sqlite3_errmsg say of the connection. */
#ifndef GENAIR_WORKSPACE_SQLITE_H
#define GENAIR_WORKSPACE_SQLITE_H

#include "base/status.h"
#include "base/text.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* A connection for one thread, which waits for others' locks. flags: SQLITE_OPEN_READWRITE and so on. The file may come from anywhere: nothing in
 * its schema is run. *out: to be closed whatever comes back; NULL when memory is out. */
CHECKED bool sqlite_open(const char *path, int flags, int busy_milliseconds, sqlite3 **out);
/* Statements without parameters whose rows, if any, nobody needs. */
CHECKED bool sqlite_execute(sqlite3 *db, const char *sql);
/* *out: the one integer that a statement gives; as it was on failure. */
CHECKED bool sqlite_ask(sqlite3 *db, const char *sql, int64_t *out);
/* The text is borrowed until another is bound, or bindings are cleared. One without bytes is an empty text, not NULL. */
CHECKED bool sqlite_bind(sqlite3_stmt *s, int at, struct text t);

#endif
