/* SPDX-License-Identifier: Apache-2.0 */
/* This module turns the names of a request, and a user's past, into item numbers. */
#ifndef GENAIR_SERVE_ID_LIST_H
#define GENAIR_SERVE_ID_LIST_H

#include "serve/events.h"
#include "workspace/catalogue.h"

#include <jansson.h>

enum { MAX_HISTORY = 10000 };

struct id_list {
    const struct catalogue *catalogue;
    uint32_t *items; /* [n] released with mem_free */
    size_t n, capacity;
    size_t n_events; /* of a history: items that come from events */
};

bool id_list_push(struct id_list *l, uint32_t item); /* false when memory is out */
/* One item; GENAIR_USAGE when there is none such. */
CHECKED genair_code id_list_name(struct id_list *l, struct text name, genair_status *st);
/* names: a JSON list of items. what: for messages. GENAIR_USAGE for another thing, or an item that there is not. */
CHECKED genair_code id_list_names(struct id_list *l, const json_t *names, const char *what, genair_status *st);
/* What the log says of a user, and behind it the latest MAX_HISTORY events, without those of items that the run does
 * not know. */
CHECKED genair_code id_list_history(struct id_list *l, struct events *events, struct text user, genair_status *st);

#endif
