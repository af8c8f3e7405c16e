/* SPDX-License-Identifier: Apache-2.0 */
/* This module holds the handlers of the service's table and what they share with it. */
#ifndef GENAIR_SERVE_ANSWERS_H
#define GENAIR_SERVE_ANSWERS_H

#include "serve/measures.h"
#include "serve/service.h"

struct served {
    genair_context *ctx;
    struct recommender *recommender;
    size_t users; /* requests that use it, and one while it is current */
};

struct served *service_borrow(struct service *s); /* given back with service_return */
void service_return(struct service *s, struct served *v);
struct events *service_events(struct service *s);
struct measures *service_measures(struct service *s);
bool service_retired(const struct service *s);

void response_json(struct response *out, int status, json_t *value); /* takes value; NULL: out of memory */
void response_failure(struct response *out, const genair_status *st);

typedef void answer(struct service *s, const struct request *r, struct response *out);
answer answer_recommend_user, answer_recommend_body, answer_similar, answer_events, answer_reload, answer_health,
    answer_ready, answer_metrics, answer_openapi;

#endif
