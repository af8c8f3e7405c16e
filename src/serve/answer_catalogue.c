/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/items, /v1/item, /v1/users, /v1/user: what there is to look at. */
#include "serve/answers.h"

#include "base/alloc.h"
#include "recommend/recommender.h"
#include "serve/search.h"

#include <string.h>

enum { SHOWN_HISTORY = 200 };

static bool set(json_t *o, const char *key, json_t *value) {
    return json_object_set_new(o, key, value) == 0;
}

/* "q" and "k" of a search. */
static genair_code read_query(const struct request *r, struct text *q, size_t *k, genair_status *st) {
    *q = (struct text){"", 0};
    if (request_text(r, "q", q) && text_characters(*q, MAX_NAME).n < text_trim(*q).n)
        return fail(st, GENAIR_USAGE, "'q' may have %d characters", MAX_NAME);
    return request_count(r, "k", DEFAULT_K, MAX_K, k, st);
}

/* ---- items ---- */

static bool describe_item(const struct catalogue *c, uint32_t item, json_t *o) {
    return catalogue_describe(c, item, "item", "name", o) &&
           set(o, "popularity", json_integer(catalogue_popularity(c, item))) &&
           set(o, "cold", json_boolean(catalogue_cold(c, item)));
}

static genair_code find_items(struct served *v, struct text q, size_t k, json_t *out, genair_status *st) {
    const struct search *search;
    struct topk best = {.k = k, .entries = mem_array(k, sizeof *best.entries)};
    genair_code code = best.entries ? served_search(v, &search, st) : fail_memory(st);
    if (code == GENAIR_OK) code = search_find(search, q, &best, st);
    json_t *items = json_array();
    if (code == GENAIR_OK && !set(out, "items", json_incref(items))) code = fail_memory(st);
    for (size_t i = 0; code == GENAIR_OK && i < best.n; i++) {
        json_t *o = json_object();
        if (json_array_append_new(items, o) != 0 || !describe_item(served_catalogue(v), best.entries[i].id, o))
            code = fail_memory(st);
    }
    json_decref(items);
    mem_free(best.entries);
    return code;
}

void answer_find_items(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    struct text q;
    size_t k = 0;
    genair_code code = read_query(r, &q, &k, &st);
    json_t *result = json_object();
    if (code == GENAIR_OK) {
        struct served *v = service_borrow(s);
        code = find_items(v, q, k, result, &st);
        served_drop(v);
    }
    response_result(out, code, result, &st);
}

static genair_code describe_whole(struct served *v, uint32_t item, json_t *out, genair_status *st) {
    const struct catalogue *c = served_catalogue(v);
    json_t *record;
    genair_code code = catalogue_record(c, item, &record, st);
    if (code != GENAIR_OK) return code;
    if (record) json_object_del(record, "item_id");
    if (record) json_object_del(record, "name");
    const bool kept = set(out, "attributes", record ? record : json_object()); /* takes it, also when it fails */
    if (!kept || !describe_item(c, item, out) || !set(out, "added", json_boolean(item > c->data->n_items)))
        return fail_memory(st);
    return recommender_archetype(served_recommender(v), item, out, st);
}

void answer_item(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    uint32_t item;
    struct served *v = service_borrow(s);
    if (request_item(r, served_catalogue(v), &item, out)) {
        json_t *result = json_object();
        const genair_code code = describe_whole(v, item, result, &st);
        response_result(out, code, result, &st);
    }
    served_drop(v);
}

/* ---- users ---- */

/* The first k in the order of the log whose name holds q, the one with just that name before them. */
static bool find_users(const struct dataset *d, struct text q, size_t k, json_t *users) {
    uint32_t exact = DATASET_NONE;
    if (q.n && dataset_user_named(d, q, &exact)) {
        const json_int_t n = (json_int_t)(d->start[exact + 1] - d->start[exact]);
        if (json_array_append_new(users, json_pack("{s:s%, s:I}", "user", q.p, q.n, "history_length", n)) != 0) return false;
    }
    for (uint32_t u = 0; u < d->n_users && json_array_size(users) < k; u++) {
        const struct text name = dataset_user_name(d, u);
        if (u == exact || (q.n && !memmem(name.p, name.n, q.p, q.n))) continue;
        const json_int_t n = (json_int_t)(d->start[u + 1] - d->start[u]);
        if (json_array_append_new(users, json_pack("{s:s%, s:I}", "user", name.p, name.n, "history_length", n)) != 0)
            return false;
    }
    return true;
}

void answer_find_users(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    struct text q;
    size_t k = 0;
    genair_code code = read_query(r, &q, &k, &st);
    json_t *result = json_object(), *users = json_array();
    if (code == GENAIR_OK && !set(result, "users", json_incref(users))) code = fail_memory(&st);
    if (code == GENAIR_OK) {
        struct served *v = service_borrow(s);
        if (!find_users(served_catalogue(v)->data, q, k, users)) code = fail_memory(&st);
        served_drop(v);
    }
    json_decref(users);
    response_result(out, code, result, &st);
}

static bool list_history(const struct id_list *l, json_t *items) {
    bool done = true;
    for (size_t i = l->n > SHOWN_HISTORY ? l->n - SHOWN_HISTORY : 0; done && i < l->n; i++) {
        json_t *o = json_object();
        done = json_array_append_new(items, o) == 0 && catalogue_describe(l->catalogue, l->items[i], "item", "name", o);
    }
    return done;
}

static genair_code describe_user(struct service *s, const struct catalogue *c, struct text user, json_t *out,
                                 genair_status *st) {
    struct id_list l = {.catalogue = c};
    genair_code code = id_list_history(&l, service_events(s), user, st);
    json_t *history = json_array();
    const bool done = code == GENAIR_OK && set(out, "user", json_stringn(user.p, user.n)) &&
                      set(out, "history_length", json_integer((json_int_t)l.n)) &&
                      set(out, "events", json_integer((json_int_t)l.n_events)) &&
                      set(out, "history", json_incref(history)) && list_history(&l, history);
    json_decref(history);
    mem_free(l.items);
    return code != GENAIR_OK ? code : done ? GENAIR_OK : fail_memory(st);
}

void answer_user(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    struct text user;
    genair_code code = request_text(r, "user", &user) ? check_name(user, "user", &st)
                                                      : fail(&st, GENAIR_USAGE, "'user' is missing");
    json_t *result = json_object();
    if (code == GENAIR_OK) {
        struct served *v = service_borrow(s);
        code = describe_user(s, served_catalogue(v), user, result, &st);
        served_drop(v);
    }
    response_result(out, code, result, &st);
}
