/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/recommend, /v1/similar: a request's names to numbers, a wish to the recommender. */
#include "serve/answers.h"

#include "base/alloc.h"
#include "serve/filters.h"

#include <string.h>

enum { MAX_HISTORIES = 100, MAX_ANSWERS = 20000 };

/* ---- GET ---- */

bool request_item(const struct request *r, const struct catalogue *c, uint32_t *item, struct response *out) {
    genair_status st = {0};
    struct text name;
    const genair_code code = request_text(r, "item", &name) ? check_name(name, "item", &st)
                                                            : fail(&st, GENAIR_USAGE, "'item' is missing");
    if (code != GENAIR_OK)
        response_failure(out, &st);
    else if (!catalogue_find(c, name, item))
        response_error(out, 404, "no such item in the workspace");
    else
        return true;
    return false;
}

struct asked {
    struct wish wish;
    struct text user;
    uint32_t known; /* where the log has the user */
};

static genair_code recommend_user(struct service *s, struct served *v, struct asked *a, json_t *out,
                                  genair_status *st) {
    struct id_list history = {.catalogue = served_catalogue(v)};
    const struct dataset *data = served_catalogue(v)->data;
    genair_code code = id_list_history(&history, service_events(s), a->user, st);
    uint32_t u;
    if (dataset_user_named(data, a->user, &u)) {
        (void)dataset_training(data, u, &a->known);
        a->wish.known = &a->known;
    }
    a->wish.history = history.items;
    a->wish.n_history = history.n;
    if (code == GENAIR_OK &&
        (json_object_set_new(out, "run", json_string(recommender_run(served_recommender(v))->name)) != 0 ||
         json_object_set_new(out, "user", json_stringn(a->user.p, a->user.n)) != 0 ||
         json_object_set_new(out, "history_length", json_integer((json_int_t)history.n)) != 0))
        code = fail_memory(st);
    if (code == GENAIR_OK) code = recommender_answer(served_recommender(v), &a->wish, out, st);
    mem_free(history.items);
    return code;
}

void answer_recommend_user(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    struct asked a = {0};
    struct filters f = {0};
    genair_code code = request_text(r, "user", &a.user) ? check_name(a.user, "user", &st)
                                                        : fail(&st, GENAIR_USAGE, "'user' is missing");
    json_t *result = json_object();
    if (code == GENAIR_OK) {
        struct served *v = service_borrow(s);
        code = filters_of_parameters(v, r, &a.wish, &f, &st);
        if (code == GENAIR_OK) code = recommend_user(s, v, &a, result, &st);
        filters_free(&f);
        served_drop(v);
    }
    response_result(out, code, result, &st);
}

void answer_similar(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    size_t k = 0;
    uint32_t item;
    if (request_count(r, "k", DEFAULT_K, MAX_K, &k, &st) != GENAIR_OK) {
        response_failure(out, &st);
        return;
    }
    struct served *v = service_borrow(s);
    if (request_item(r, served_catalogue(v), &item, out)) {
        json_t *result = json_object();
        const genair_code code = recommender_similar(served_recommender(v), item, k, result, &st);
        response_result(out, code, result, &st);
    }
    served_drop(v);
}

/* ---- POST ---- */

static genair_code recommend_history(struct served *v, const json_t *names, struct asked *a, json_t *out,
                                     genair_status *st) {
    struct id_list history = {.catalogue = served_catalogue(v)};
    genair_code code = id_list_names(&history, names, "history", st);
    a->wish.history = history.items;
    a->wish.n_history = history.n;
    if (code == GENAIR_OK) code = recommender_answer(served_recommender(v), &a->wish, out, st);
    mem_free(history.items);
    return code;
}

static genair_code recommend_histories(struct served *v, const json_t *histories, struct asked *a, json_t *out,
                                       genair_status *st) {
    if (!json_is_array(histories) || json_array_size(histories) > MAX_HISTORIES)
        return fail(st, GENAIR_USAGE, "'histories' must be a list of at most %d lists of items", MAX_HISTORIES);
    if (json_array_size(histories) * a->wish.k > MAX_ANSWERS) /* a small request would take much memory */
        return fail(st, GENAIR_USAGE, "%zu histories with 'k' %zu are more than %d items in one answer", json_array_size(histories),
                    a->wish.k, MAX_ANSWERS);
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

static genair_code recommend_body(struct service *s, struct served *v, const json_t *body, json_t *out,
                                  genair_status *st) {
    const json_t *history = json_object_get(body, "history"), *histories = json_object_get(body, "histories"),
                 *user = json_object_get(body, "user");
    struct filters f;
    struct asked a = {0};
    if ((history != NULL) + (histories != NULL) + (user != NULL) != 1)
        return fail(st, GENAIR_USAGE, "exactly one of 'user', 'history' and 'histories' is needed");
    genair_code code = filters_of_body(v, body, &a.wish, &f, st);
    if (code == GENAIR_OK && user) code = body_name(body, "user", &a.user, st);
    if (code == GENAIR_OK)
        code = user      ? recommend_user(s, v, &a, out, st)
               : history ? recommend_history(v, history, &a, out, st)
                         : recommend_histories(v, histories, &a, out, st);
    filters_free(&f);
    return code;
}

void answer_recommend_body(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    json_t *body = NULL, *result = json_object();
    genair_code code = body_object(r->body, "user|history|histories|k|explain|allow|deny|where|viewed|repeat", &body, &st);
    if (code == GENAIR_OK) {
        struct served *v = service_borrow(s);
        code = recommend_body(s, v, body, result, &st);
        served_drop(v);
    }
    json_decref(body);
    response_result(out, code, result, &st);
}
