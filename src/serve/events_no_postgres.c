/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of events_postgres.c where libpq was missing when the program was built. */
#include "serve/events_store.h"

static genair_code open_store(const char *place, void **out, genair_status *st) {
    (void)place, (void)out;
    return fail(st, GENAIR_USAGE, "--store postgresql://…: this program was built without PostgreSQL; install libpq-dev and "
                                  "build it again");
}

const struct event_store postgres_events = {.open = open_store};
