/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/items: JSON objects, each on lines of its own; all are taken, or none. DELETE /v1/items/ID takes one away. */
#include "serve/answers.h"

#include "base/alloc.h"
#include "intake/intake.h"
#include "prepare/read.h"

#include <string.h>

enum { MAX_NEW_ITEMS = 1000 };

/* The texts of a list as numbers. */
static genair_code read_vector(struct intake *in, enum item_part part, const json_t *list, genair_status *st) {
    const size_t n = json_array_size(list);
    float *values = mem_array(n, sizeof *values);
    if (!values) return fail_memory(st);
    genair_code code = json_is_array(list) && n > 0 ? GENAIR_OK : GENAIR_USAGE;
    for (size_t i = 0; code == GENAIR_OK && i < n; i++) {
        const json_t *number = json_array_get(list, i);
        double x;
        if (!json_is_string(number) || !text_f64((struct text){json_string_value(number), json_string_length(number)}, &x))
            code = GENAIR_USAGE;
        else
            values[i] = (float)x;
    }
    if (code != GENAIR_OK) fail(st, code, "'%s' of 'vectors' must be a list of numbers", part_names[part]);
    if (code == GENAIR_OK) code = intake_vector(in, part, values, n, st);
    mem_free(values);
    return code;
}

static genair_code read_vectors(struct intake *in, json_t *vectors, genair_status *st) {
    const char *key;
    json_t *list;
    if (vectors && !json_is_object(vectors))
        return fail(st, GENAIR_USAGE, "'vectors' must be an object with 'prefill', 'decoding' or both");
    json_object_foreach(vectors, key, list) {
        size_t part = 0;
        while (part < N_PARTS && strcmp(part_names[part], key) != 0) part++;
        if (part == N_PARTS) return fail(st, GENAIR_USAGE, "'vectors' has 'prefill' and 'decoding', nothing else");
        const genair_code code = read_vector(in, (enum item_part)part, list, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

static genair_code read_item(struct intake *in, struct text line, genair_status *st) {
    json_t *raw, *record = NULL;
    genair_code code = items_parse(line, &raw, st);
    if (code != GENAIR_OK) return code;
    json_t *vectors = json_incref(json_object_get(raw, "vectors"));
    json_object_del(raw, "vectors");
    code = items_normalise(raw, intake_item_name(in), &record, st);
    if (code == GENAIR_OK) code = intake_add(in, record, st);
    if (code == GENAIR_OK) code = read_vectors(in, vectors, st);
    json_decref(record);
    json_decref(vectors);
    json_decref(raw);
    return code;
}

static genair_code read_items(struct intake *in, struct text body, genair_status *st) {
    genair_code code = GENAIR_OK;
    struct text line;
    while (code == GENAIR_OK && body_value(&body, &line)) {
        genair_status own = {0};
        const size_t place = intake_count(in) + 1;
        if (place > MAX_NEW_ITEMS) return fail(st, GENAIR_USAGE, "more than %d items in one request", MAX_NEW_ITEMS);
        code = read_item(in, line, &own);
        if (code != GENAIR_OK) code = fail(st, code, "item %zu: %s", place, own.message);
    }
    return code;
}

static genair_code add_items(struct service *s, const struct dataset *data, struct text body, json_t *out,
                             genair_status *st) {
    const struct service_setting *setting = service_setting(s);
    struct intake *in;
    struct intake_result n;
    genair_code code = intake_create(setting->workspace, setting->run, data, &in, st);
    if (code != GENAIR_OK) return code;
    code = read_items(in, body, st);
    if (code == GENAIR_OK) code = service_take(s, in, &n, st);
    if (code == GENAIR_OK && json_object_update_new(out, json_pack("{s:I, s:I, s:I}", "added", (json_int_t)n.added,
                                                                   "replaced", (json_int_t)n.replaced, "described",
                                                                   (json_int_t)n.described)) != 0)
        code = fail_memory(st);
    intake_free(in);
    return code;
}

void answer_add_items(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    json_t *result = json_object();
    struct served *v = service_borrow(s);
    const genair_code code = add_items(s, served_catalogue(v)->data, r->body, result, &st);
    served_drop(v);
    response_result(out, code, result, &st);
}

/* ---- taking away ---- */

static bool is_of_log(struct service *s, struct text name) {
    uint32_t item;
    struct served *v = service_borrow(s);
    const bool found = dataset_item_named(served_catalogue(v)->data, name, &item);
    served_drop(v);
    return found;
}

void answer_remove_item(struct service *s, const struct request *r, struct response *out) {
    genair_status st = {0};
    const bool named = check_name(r->rest, "item", &st) == GENAIR_OK;
    if (named && is_of_log(s, r->rest)) {
        response_error(out, 404, "this item is of the log, not an added one; requests can leave it out: \"deny\"");
        return;
    }
    const genair_code code = named ? service_remove(s, r->rest, &st) : st.code;
    if (named && code == GENAIR_USAGE)
        response_error(out, 404, st.message);
    else
        response_result(out, code, json_pack("{s:i}", "removed", 1), &st);
}
