/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/recommend, /v1/similar: a request's names to numbers, a wish to the recommender. */
#include "serve/answers.h"

#include "base/alloc.h"
#include "base/size.h"

#include <string.h>

enum { DEFAULT_K = 10, MAX_K = 1000, MAX_HISTORY = 10000, MAX_HISTORIES = 100 };

/* Item numbers of a list under construction. */
struct ids {
    const struct dataset *data;
    uint32_t *items;
    size_t n, capacity, skipped; /* skipped: events of items that this run does not know */
};

static bool ids_push(struct ids *l, uint32_t item) {
    if (!mem_grow(&l->items, &l->capacity, l->n + 1, sizeof *l->items)) return false;
    l->items[l->n++] = item;
    return true;
}

static genair_code ids_of_names(struct ids *l, const json_t *names, const char *what, genair_status *st) {
    if (!json_is_array(names)) return fail(st, GENAIR_USAGE, "'%s' must be a list of items", what);
    if (json_array_size(names) > MAX_HISTORY)
        return fail(st, GENAIR_USAGE, "'%s' has more than %d items", what, MAX_HISTORY);
    const json_t *name;
    size_t i;
    json_array_foreach(names, i, name) {
        uint32_t item;
        char shown[TEXT_EXCERPT];
        const struct text t = {json_string_value(name), json_string_length(name)};
        if (!t.p) return fail(st, GENAIR_USAGE, "item %zu of '%s' must be a string", i, what);
        text_excerpt(t, shown);
        if (!dataset_item_named(l->data, t, &item))
            return fail(st, GENAIR_USAGE, "no item '%s' in the workspace", shown);
        if (!ids_push(l, item)) return fail_memory(st);
    }
    return GENAIR_OK;
}

/* ---- a user's history: what the log says, and behind it what happened since ---- */

static bool visit_event(void *context, struct text name) {
    struct ids *l = context;
    uint32_t item;
    if (dataset_item_named(l->data, name, &item)) return ids_push(l, item);
    l->skipped++;
    return true;
}

static genair_code history_of_user(struct service *s, struct ids *l, struct text user, genair_status *st) {
    const struct dataset *d = l->data;
    uint32_t u;
    const bool logged = dataset_user_named(d, user, &u);
    for (uint64_t i = logged ? d->start[u] : 0; logged && i < d->start[u + 1]; i++)
        if (!ids_push(l, d->item[i])) return fail_memory(st);
    return events_of_user(service_events(s), user, MAX_HISTORY, visit_event, l, st);
}

/* ---- GET ---- */

struct asked {
    struct wish wish;
    struct text user;
    uint32_t known; /* where the log has the user */
};

static genair_code recommend_user(struct service *s, struct served *v, struct asked *a, json_t *out,
                                  genair_status *st) {
    struct ids history = {.data = recommender_catalogue(v->recommender)->data};
    genair_code code = history_of_user(s, &history, a->user, st);
    uint32_t u;
    if (dataset_user_named(history.data, a->user, &u)) {
        (void)dataset_training(history.data, u, &a->known);
        a->wish.known = &a->known;
    }
    a->wish.history = history.items;
    a->wish.n_history = history.n;
    if (code == GENAIR_OK &&
        (json_object_set_new(out, "run", json_string(recommender_run(v->recommender)->name)) != 0 ||
         json_object_set_new(out, "user", json_stringn(a->user.p, a->user.n)) != 0 ||
         json_object_set_new(out, "history_length", json_integer((json_int_t)history.n)) != 0))
        code = fail_memory(st);
    if (code == GENAIR_OK) code = recommender_answer(v->recommender, &a->wish, out, st);
    mem_free(history.items);
    return code;
}

static void respond(struct response *out, genair_code code, json_t *result, const genair_status *st) {
    if (code == GENAIR_OK) {
        response_json(out, 200, result);
        return;
    }
    json_decref(result);
    response_failure(out, st);
}

void answer_recommend_user(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    struct asked a = {0};
    genair_code code = request_text(r, "user", &a.user) ? check_name(a.user, "user", &st)
                                                        : fail(&st, GENAIR_USAGE, "'user' is missing");
    if (code == GENAIR_OK) code = request_count(r, "k", DEFAULT_K, MAX_K, &a.wish.k, &st);
    if (code == GENAIR_OK) code = request_flag(r, "explain", &a.wish.explain, &st);
    json_t *result = json_object();
    if (code == GENAIR_OK) {
        struct served *v = service_borrow(s);
        code = recommend_user(s, v, &a, result, &st);
        service_return(s, v);
    }
    respond(out, code, result, &st);
}

void answer_similar(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    struct text name;
    size_t k = 0;
    uint32_t item;
    genair_code code = request_text(r, "item", &name) ? check_name(name, "item", &st)
                                                      : fail(&st, GENAIR_USAGE, "'item' is missing");
    if (code == GENAIR_OK) code = request_count(r, "k", DEFAULT_K, MAX_K, &k, &st);
    if (code != GENAIR_OK) {
        response_failure(out, &st);
        return;
    }
    struct served *v = service_borrow(s);
    json_t *result = json_object();
    if (dataset_item_named(recommender_catalogue(v->recommender)->data, name, &item)) {
        code = recommender_similar(v->recommender, item, k, result, &st);
        respond(out, code, result, &st);
    } else {
        json_decref(result);
        response_error(out, 404, "no such item in the workspace");
    }
    service_return(s, v);
}

/* ---- POST ---- */

static genair_code recommend_history(struct served *v, const json_t *names, struct asked *a, json_t *out,
                                     genair_status *st) {
    struct ids history = {.data = recommender_catalogue(v->recommender)->data};
    genair_code code = ids_of_names(&history, names, "history", st);
    a->wish.history = history.items;
    a->wish.n_history = history.n;
    if (code == GENAIR_OK) code = recommender_answer(v->recommender, &a->wish, out, st);
    mem_free(history.items);
    return code;
}

static genair_code recommend_histories(struct served *v, const json_t *histories, struct asked *a, json_t *out,
                                       genair_status *st) {
    if (!json_is_array(histories) || json_array_size(histories) > MAX_HISTORIES)
        return fail(st, GENAIR_USAGE, "'histories' must be a list of at most %d lists of items", MAX_HISTORIES);
    json_t *list = json_array();
    genair_code code = json_object_set_new(out, "histories", list) == 0 ? GENAIR_OK : fail_memory(st);
    const json_t *names;
    size_t i;
    if (code == GENAIR_OK)
        json_array_foreach(histories, i, names) {
            json_t *one = json_object();
            code = json_array_append_new(list, one) == 0 ? recommend_history(v, names, a, one, st) : fail_memory(st);
            if (code != GENAIR_OK) break;
        }
    return code;
}

static genair_code read_count_and_flag(const json_t *body, struct wish *w, genair_status *st) {
    const json_t *k = json_object_get(body, "k"), *explain = json_object_get(body, "explain");
    w->k = DEFAULT_K;
    if (k && (!json_is_integer(k) || json_integer_value(k) < 1 || json_integer_value(k) > MAX_K))
        return fail(st, GENAIR_USAGE, "'k' must be an integer from 1 to %d", MAX_K);
    if (k) w->k = (size_t)json_integer_value(k);
    if (explain && !json_is_boolean(explain)) return fail(st, GENAIR_USAGE, "'explain' must be true or false");
    w->explain = json_is_true(explain);
    return GENAIR_OK;
}

static genair_code read_filters(const json_t *body, struct wish *w, struct ids *allow, struct ids *deny,
                                genair_status *st) {
    const json_t *allowed = json_object_get(body, "allow"), *denied = json_object_get(body, "deny");
    genair_code code = GENAIR_OK;
    if (allowed && json_array_size(allowed) == 0) return fail(st, GENAIR_USAGE, "'allow' is an empty list");
    if (allowed) code = ids_of_names(allow, allowed, "allow", st);
    if (code == GENAIR_OK && denied) code = ids_of_names(deny, denied, "deny", st);
    w->allow = allow->items, w->n_allow = allow->n;
    w->deny = deny->items, w->n_deny = deny->n;
    return code;
}

static genair_code recommend_body(struct service *s, struct served *v, const json_t *body, json_t *out,
                                  genair_status *st) {
    const json_t *history = json_object_get(body, "history"), *histories = json_object_get(body, "histories"),
                 *user = json_object_get(body, "user");
    struct ids allow = {.data = recommender_catalogue(v->recommender)->data}, deny = allow;
    struct asked a = {0};
    if ((history != NULL) + (histories != NULL) + (user != NULL) != 1)
        return fail(st, GENAIR_USAGE, "exactly one of 'user', 'history' and 'histories' is needed");
    genair_code code = read_count_and_flag(body, &a.wish, st);
    if (code == GENAIR_OK) code = read_filters(body, &a.wish, &allow, &deny, st);
    if (code == GENAIR_OK && user) code = body_name(body, "user", &a.user, st);
    if (code == GENAIR_OK)
        code = user      ? recommend_user(s, v, &a, out, st)
               : history ? recommend_history(v, history, &a, out, st)
                         : recommend_histories(v, histories, &a, out, st);
    mem_free(allow.items);
    mem_free(deny.items);
    return code;
}

void answer_recommend_body(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    json_t *body = NULL, *result = json_object();
    genair_code code = body_object(r->body, "user|history|histories|k|explain|allow|deny", &body, &st);
    if (code == GENAIR_OK) {
        struct served *v = service_borrow(s);
        code = recommend_body(s, v, body, result, &st);
        service_return(s, v);
    }
    json_decref(body);
    respond(out, code, result, &st);
}
