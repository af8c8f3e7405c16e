/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/map, /v1/run: what the whole looks like, and how it was made. */
#include "serve/answers.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "recommend/recommender.h"

#include <string.h>

enum { MAX_FILE_BYTES = 64 << 20 };

static bool set(json_t *o, const char *key, json_t *value) {
    return json_object_set_new(o, key, value) == 0;
}

void answer_map(struct service *s, const struct request *r, struct response *out) {
    (void)r;
    genair_status st = {0};
    json_t *map = NULL;
    struct served *v = service_borrow(s);
    const genair_code code = served_map(v, &map, &st);
    if (code != GENAIR_OK)
        response_failure(out, &st);
    else if (json_array_size(json_object_get(map, "item")) == 0)
        response_error(out, 404, "there is no map: this run has no item vectors, and 'genair analyze' has not been run");
    else
        response_json(out, 200, json_incref(map));
    served_drop(v);
}

/* ---- the run ---- */

/* The JSON values of a file of the run, a list; empty where there is no such file. */
static genair_code read_values(const struct run *run, const char *name, json_t **out, genair_status *st) {
    char *path = path_join(run->directory, name), *text = NULL;
    size_t size = 0, at = 0;
    json_t *values = json_array();
    genair_code code = path && values ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK && file_exists(path)) code = file_read(path, MAX_FILE_BYTES, &text, &size, st);
    mem_free(path);
    while (code == GENAIR_OK && at < size) {
        json_error_t error;
        json_t *value;
        code = json_read((struct text){text + at, size - at}, JSON_DISABLE_EOF_CHECK, &value, &error, st);
        if (code == GENAIR_FORMAT) { /* white space at the end */
            code = GENAIR_OK;
            break;
        }
        if (code != GENAIR_OK) break;
        at += (size_t)error.position;
        if (json_array_append_new(values, value) != 0) code = fail_memory(st);
    }
    mem_free(text);
    if (code == GENAIR_OK)
        *out = values;
    else
        json_decref(values);
    return code;
}

static genair_code describe_run(const struct run *run, json_t *out, genair_status *st) {
    const struct dataset *d = run->data;
    json_t *epochs = NULL, *results = NULL;
    genair_code code = read_values(run, "metrics.jsonl", &epochs, st);
    if (code == GENAIR_OK) code = read_values(run, "result.json", &results, st);
    if (code == GENAIR_OK) {
        json_t *result = json_array_get(results, 0);
        const bool done =
            set(out, "run", json_string(run->name)) &&
            json_object_set(out, "method", json_object_get(run->config, "method")) == 0 &&
            (!run->scorer.encode || json_object_set(out, "backbone", json_object_get(run->config, "backbone")) == 0) &&
            json_object_set(out, "config", run->config) == 0 && json_object_set(out, "epochs", epochs) == 0 &&
            set(out, "result", result ? json_incref(result) : json_object()) &&
            set(out, "data", json_pack("{s:I, s:I, s:I, s:I}", "users", (json_int_t)d->n_users, "items", (json_int_t)d->n_items,
                                       "added_items", (json_int_t)(run->scorer.n_items - d->n_items), "interactions",
                                       (json_int_t)d->n_interactions));
        if (!done) code = fail_memory(st);
    }
    json_decref(epochs);
    json_decref(results);
    return code;
}

void answer_run(struct service *s, const struct request *r, struct response *out) {
    (void)r;
    genair_status st = {0};
    json_t *result = json_object();
    struct served *v = service_borrow(s);
    const genair_code code = describe_run(recommender_run(served_recommender(v)), result, &st);
    served_drop(v);
    response_result(out, code, result, &st);
}
