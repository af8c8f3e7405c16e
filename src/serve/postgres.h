/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps one connection to a PostgreSQL server: opened when needed and again after it broke, never waited for longer
 * than a few seconds. */
#ifndef GENAIR_SERVE_POSTGRES_H
#define GENAIR_SERVE_POSTGRES_H

#include "base/status.h"

#include <libpq-fe.h>
#include <stdbool.h>

/* One thread at a time. */
struct postgres {
    const char *url; /* borrowed */
    /* Makes a fresh connection ready: prepares statements. */
    genair_code (*prepare)(struct postgres *p, genair_status *st);
    PGconn *connection; /* NULL: none */
    double refused;     /* when the last attempt failed; 0: it did not */
    char why[512];      /* of that failure */
};

/* There is a connection afterwards. Right after a failed attempt it fails at once for the same reason. */
CHECKED genair_code postgres_connect(struct postgres *p, genair_status *st);
void postgres_close(struct postgres *p);
/* Sends what was queued by PQsend… and gives the next result, which PQclear releases; NULL where PQgetResult gives NULL. On
 * failure (the connection broke, or the server did not answer in time) there is no connection any more. */
CHECKED genair_code postgres_result(struct postgres *p, PGresult **out, genair_status *st);
/* The failure after a PQsend… that refused; there is no connection any more. */
genair_code postgres_broken(struct postgres *p, genair_status *st);
/* The failure that a result tells of. It passes by itself (GENAIR_IO) unless the statement is wrong for this database. */
genair_code postgres_fail(struct postgres *p, const PGresult *result, genair_status *st);
/* Whether the same transaction may succeed now: two of them waited for each other. */
bool postgres_may_repeat(const PGresult *result);
/* Statements without parameters, as one transaction. */
CHECKED genair_code postgres_execute(struct postgres *p, const char *sql, genair_status *st);

#endif
