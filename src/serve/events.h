/* SPDX-License-Identifier: Apache-2.0 */
/* This module keeps what users did after the workspace was prepared, in an SQLite file or a PostgreSQL database.
 *
 * An accepted event is on the disk: it survives the end of the process and of the power. One thread writes, and
 * commits together whatever waits for it, so that the disk is waited for once for many. All functions: any thread. */
#ifndef GENAIR_SERVE_EVENTS_H
#define GENAIR_SERVE_EVENTS_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct events;

struct event {
    struct text user, item; /* names; valid UTF-8 */
    struct text key; /* whatever tells this event from all others; empty: none. A key seen before is a repetition. */
    int64_t time;    /* milliseconds since 1970 */
};

/* place: sqlite:FILE, or postgresql://… (libpq's form). GENAIR_IO when the server cannot be reached. */
CHECKED genair_code events_open(const char *place, struct events **out, genair_status *st);
void events_close(struct events *s); /* waits for what is under way; NULL is fine */

/* Returns when all are on the disk, or, on failure, none of them is (unless the disk failed while it was told). *repeated: those left out as repetitions. */
CHECKED genair_code events_add(struct events *s, const struct event *events, size_t n, size_t *repeated,
                               genair_status *st);
/* The items of a user in the order of acceptance, the latest limit of them: calls visit for each. */
typedef bool events_visit(void *context, struct text item); /* false: memory is out */
CHECKED genair_code events_of_user(struct events *s, struct text user, size_t limit, events_visit *visit,
                                   void *context, genair_status *st);

#endif
