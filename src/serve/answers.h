/* SPDX-License-Identifier: Apache-2.0 */
/* This module holds the handlers of the service's table and what they share with it. */
#ifndef GENAIR_SERVE_ANSWERS_H
#define GENAIR_SERVE_ANSWERS_H

#include "serve/id_list.h"
#include "serve/measures.h"
#include "serve/served.h"
#include "serve/service.h"

enum { DEFAULT_K = 10, MAX_K = 1000 };

struct intake;
struct intake_result;

struct served *service_borrow(struct service *s); /* given back with served_drop */
/* Stores new items and serves them. */
CHECKED genair_code service_take(struct service *s, struct intake *in, struct intake_result *n, genair_status *st);
/* Takes an added item away, from the disk and from what is served. GENAIR_USAGE when there is none such. */
CHECKED genair_code service_remove(struct service *s, struct text item, genair_status *st);
const struct service_setting *service_setting(const struct service *s);
struct events *service_events(struct service *s);
struct measures *service_measures(struct service *s);
bool service_retired(const struct service *s);

/* The item that the parameter "item" names; false with the refusal in out: 400, or 404 when there is none such. */
bool request_item(const struct request *r, const struct catalogue *c, uint32_t *item, struct response *out);

typedef void answer(struct service *s, const struct request *r, struct response *out);
answer answer_recommend_user, answer_recommend_body, answer_similar, answer_events, answer_reload, answer_health,
    answer_ready, answer_metrics, answer_page, answer_find_items, answer_item, answer_find_users,
    answer_user, answer_map, answer_run, answer_add_items, answer_remove_item;

#endif
