/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/filters.h"

#include "base/alloc.h"
#include "serve/answers.h"
#include "serve/facets.h"

#include <string.h>

enum { MAX_CONDITIONS = 16 };

void filters_free(struct filters *f) {
    mem_free(f->allow.items);
    mem_free(f->deny.items);
    mem_free(f->viewed.items);
    *f = (struct filters){0};
}

static struct filters filters_start(struct served *v) {
    const struct id_list none = {.catalogue = served_catalogue(v)};
    return (struct filters){none, none, none};
}

/* The lists are complete: the wish may point into them. */
static void hand_over(const struct filters *f, struct wish *w) {
    w->allow = f->allow.items, w->n_allow = f->allow.n;
    w->deny = f->deny.items, w->n_deny = f->deny.n;
    w->viewed = f->viewed.items, w->n_viewed = f->viewed.n;
}

/* ---- where: attributes with values, all of which must hold ---- */

struct conditions {
    uint8_t *held; /* [n_items + 1] how many hold of the item */
    unsigned n;
};

static genair_code add_condition(struct served *v, struct conditions *c, struct text attribute, struct text value,
                                 genair_status *st) {
    const struct facets *facets;
    char name[TEXT_EXCERPT], shown[TEXT_EXCERPT];
    size_t n;
    if (c->n == MAX_CONDITIONS) return fail(st, GENAIR_USAGE, "'where' may have %d attributes", MAX_CONDITIONS);
    genair_code code = check_name(attribute, "where", st);
    if (code == GENAIR_OK) code = check_name(value, "where", st);
    if (code == GENAIR_OK) code = served_facets(v, attribute, &facets, st);
    if (code != GENAIR_OK) return code;
    const uint32_t *items = facets_items(facets, value, &n);
    text_excerpt(attribute, name);
    text_excerpt(value, shown);
    if (!items) return fail(st, GENAIR_USAGE, "no item has '%s' among its '%s'", shown, name);
    c->n++;
    for (size_t i = 0; i < n; i++) c->held[items[i]]++;
    return GENAIR_OK;
}

/* What is allowed becomes what also fulfils all conditions. */
static bool restrict_to(const struct conditions *c, struct id_list *allow, bool listed) {
    size_t kept = 0;
    for (size_t i = 0; listed && i < allow->n; i++)
        if (c->held[allow->items[i]] == c->n) allow->items[kept++] = allow->items[i];
    allow->n = kept;
    for (uint32_t i = 1; !listed && i <= catalogue_items(allow->catalogue); i++)
        if (c->held[i] == c->n && !id_list_push(allow, i)) return false;
    return true;
}

static genair_code conditions_start(struct served *v, struct conditions *c, genair_status *st) {
    *c = (struct conditions){.held = mem_zeros((size_t)catalogue_items(served_catalogue(v)) + 1, 1)};
    return c->held ? GENAIR_OK : fail_memory(st);
}

static genair_code conditions_finish(struct conditions *c, genair_code code, struct filters *f, struct wish *w,
                                     genair_status *st) {
    if (code == GENAIR_OK && c->n > 0 && !restrict_to(c, &f->allow, w->only_allowed)) code = fail_memory(st);
    w->only_allowed |= c->n > 0;
    mem_free(c->held);
    return code;
}

/* ---- parameters ---- */

/* where=ATTRIBUTE:VALUE */
static genair_code where_of_parameter(struct served *v, struct text where, struct filters *f, struct wish *w,
                                      genair_status *st) {
    struct conditions c;
    const char *colon = memchr(where.p, ':', where.n);
    if (!colon) return fail(st, GENAIR_USAGE, "'where' must be ATTRIBUTE:VALUE, as in categories:Tents");
    const size_t n = (size_t)(colon - where.p);
    genair_code code = conditions_start(v, &c, st);
    if (code == GENAIR_OK)
        code = add_condition(v, &c, (struct text){where.p, n}, (struct text){colon + 1, where.n - n - 1}, st);
    return conditions_finish(&c, code, f, w, st);
}

genair_code filters_of_parameters(struct served *v, const struct request *r, struct wish *w, struct filters *f,
                                  genair_status *st) {
    struct text where, viewed;
    *f = filters_start(v);
    genair_code code = request_count(r, "k", DEFAULT_K, MAX_K, &w->k, st);
    if (code == GENAIR_OK) code = request_flag(r, "explain", &w->explain, st);
    if (code == GENAIR_OK) code = request_flag(r, "repeat", &w->repeat, st);
    if (code == GENAIR_OK && request_text(r, "viewed", &viewed)) code = id_list_name(&f->viewed, viewed, st);
    if (code == GENAIR_OK && request_text(r, "where", &where)) code = where_of_parameter(v, where, f, w, st);
    hand_over(f, w);
    return code;
}

/* ---- bodies ---- */

static genair_code read_flag(const json_t *body, const char *key, bool *out, genair_status *st) {
    const json_t *value = json_object_get(body, key);
    if (value && !json_is_boolean(value)) return fail(st, GENAIR_USAGE, "'%s' must be true or false", key);
    *out = json_is_true(value);
    return GENAIR_OK;
}

static genair_code read_k(const json_t *body, size_t *out, genair_status *st) {
    const json_t *k = json_object_get(body, "k");
    int64_t n = DEFAULT_K;
    if (k && (!json_whole(k, &n) || n < 1 || n > MAX_K))
        return fail(st, GENAIR_USAGE, "'k' must be an integer from 1 to %d", MAX_K);
    *out = (size_t)n;
    return GENAIR_OK;
}

static genair_code read_list(const json_t *body, const char *key, struct id_list *l, genair_status *st) {
    const json_t *names = json_object_get(body, key);
    return names ? id_list_names(l, names, key, st) : GENAIR_OK;
}

static genair_code where_of_body(struct served *v, json_t *where, struct filters *f, struct wish *w, genair_status *st) {
    struct conditions c;
    const char *key;
    json_t *value;
    if (!json_is_object(where) || json_object_size(where) == 0)
        return fail(st, GENAIR_USAGE, "'where' must be an object of attributes and values, as in {\"categories\": \"Tents\"}");
    genair_code code = conditions_start(v, &c, st);
    if (code == GENAIR_OK)
        json_object_foreach(where, key, value) {
            const struct text t = {json_string_value(value), json_string_length(value)};
            code = t.p ? add_condition(v, &c, text_of(key), t, st)
                       : fail(st, GENAIR_USAGE, "values of 'where' must be strings");
            if (code != GENAIR_OK) break;
        }
    return conditions_finish(&c, code, f, w, st);
}

genair_code filters_of_body(struct served *v, const json_t *body, struct wish *w, struct filters *f, genair_status *st) {
    json_t *where = json_object_get(body, "where");
    *f = filters_start(v);
    w->only_allowed = json_object_get(body, "allow") != NULL;
    genair_code code = read_k(body, &w->k, st);
    if (code == GENAIR_OK) code = read_flag(body, "explain", &w->explain, st);
    if (code == GENAIR_OK) code = read_flag(body, "repeat", &w->repeat, st);
    if (code == GENAIR_OK) code = read_list(body, "allow", &f->allow, st);
    if (code == GENAIR_OK && w->only_allowed && f->allow.n == 0)
        code = fail(st, GENAIR_USAGE, "'allow' is an empty list");
    if (code == GENAIR_OK) code = read_list(body, "deny", &f->deny, st);
    if (code == GENAIR_OK) code = read_list(body, "viewed", &f->viewed, st);
    if (code == GENAIR_OK && where) code = where_of_body(v, where, f, w, st);
    hand_over(f, w);
    return code;
}
