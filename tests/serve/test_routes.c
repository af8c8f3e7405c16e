/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes, the files of the page, and the OpenAPI document: one says what the other does. */
#include "serve/answers.h"
#include "serve/page_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Its path ends with '/': a name follows. */
static bool is_of_names(const struct route *r) {
    const size_t n = strlen(r->path);
    return n > 1 && r->path[n - 1] == '/';
}

static void expect_found(const char *method, const char *path, int status) {
    struct response out = {0};
    const struct route *r = service_find(method, text_of(path), &out);
    assert_int_equal(out.status, status);
    assert_true((r == NULL) == (status != 0));
    assert_true((out.allow != NULL) == (status == 405));
    free(out.body);
}

static void the_table_has_no_holes_and_finds_its_rows(void **state) {
    (void)state;
    size_t n;
    const struct route *routes = service_routes(&n);
    for (size_t i = 0; i < n; i++) {
        assert_true(routes[i].method && routes[i].path && routes[i].parameters && routes[i].handle);
        assert_true(routes[i].open || !routes[i].page);
        char path[64];
        snprintf(path, sizeof path, "%s%s", routes[i].path, is_of_names(&routes[i]) ? "a/b" : "");
        expect_found(routes[i].method, path, 0);
        for (size_t j = 0; j < i; j++)
            assert_false(strcmp(routes[i].path, routes[j].path) == 0 && strcmp(routes[i].method, routes[j].method) == 0);
    }
    expect_found("HEAD", "/healthz", 0);
    expect_found("POST", "/healthz", 405);
    expect_found("GET", "/page", 404);
    expect_found("GET", "/healthz/", 404);
    expect_found("GET", "/v1/items/a", 405);
    expect_found("DELETE", "/v1/items/", 404);
    expect_found("DELETE", "/v1/items", 405);
}

static void every_file_of_the_page_is_served(void **state) {
    (void)state;
    size_t n, n_rows = 0;
    const struct route *routes = service_routes(&n);
    for (size_t i = 0; i < n; i++) n_rows += routes[i].handle == answer_page;
    assert_int_equal(n_rows, n_page_files);
    for (size_t i = 0; i < n_page_files; i++) {
        struct response out = {0};
        const struct route *r = service_find("GET", text_of(page_files[i].path), &out);
        assert_non_null(r);
        const struct request request = {.method = "GET", .path = text_of(page_files[i].path)};
        r->handle(NULL, &request, &out);
        assert_int_equal(out.status, 200);
        assert_int_equal(out.size, page_files[i].size);
        assert_memory_equal(out.body, page_files[i].data, out.size);
        assert_non_null(strstr(out.policy, "default-src 'none'"));
        free(out.body);
    }
}

/* ---- openapi.json ---- */

static json_t *document(void) {
    for (size_t i = 0; i < n_page_files; i++)
        if (strcmp(page_files[i].path, "/openapi.json") == 0)
            return json_loadb((const char *)page_files[i].data, page_files[i].size, JSON_REJECT_DUPLICATES, NULL);
    return NULL;
}

/* What "$ref" names, or the object itself; NULL when nothing is there. */
static const json_t *resolve(const json_t *doc, const json_t *o) {
    const char *reference = json_string_value(json_object_get(o, "$ref"));
    if (!reference) return o;
    assert_int_equal(strncmp(reference, "#/", 2), 0);
    for (const char *p = reference + 2; doc && *p;) {
        const size_t n = strcspn(p, "/");
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)n, p);
        doc = json_object_get(doc, key);
        p += n + (p[n] == '/');
    }
    if (!doc) fail_msg("nothing is at %s", reference);
    return doc;
}

static void references_lead_somewhere(const json_t *doc, json_t *o) {
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_object(o)) {
        assert_non_null(resolve(doc, o));
        json_object_foreach(o, key, value) references_lead_somewhere(doc, value);
    }
    if (json_is_array(o))
        json_array_foreach(o, i, value) references_lead_somewhere(doc, value);
}

/* "user|k" as the document has it, in its order. */
static void query_parameters(const json_t *doc, const json_t *operation, char *out, size_t size) {
    const json_t *p;
    size_t i;
    out[0] = '\0';
    json_array_foreach(json_object_get(operation, "parameters"), i, p) {
        p = resolve(doc, p);
        if (strcmp(json_string_value(json_object_get(p, "in")), "query") != 0) continue;
        const size_t n = strlen(out);
        snprintf(out + n, size - n, "%s%s", n ? "|" : "", json_string_value(json_object_get(p, "name")));
    }
}

static const json_t *operation_of(const json_t *doc, const struct route *r) {
    char path[64], method[16] = "";
    snprintf(path, sizeof path, "%s%s", r->path, is_of_names(r) ? "{item}" : "");
    for (size_t i = 0; r->method[i]; i++) method[i] = (char)(r->method[i] | 0x20);
    return json_object_get(json_object_get(json_object_get(doc, "paths"), path), method);
}

static void expect_described(const json_t *doc, const struct route *r) {
    char parameters[256];
    const json_t *operation = operation_of(doc, r);
    if (!operation) fail_msg("%s %s is not in openapi.json", r->method, r->path);
    query_parameters(doc, operation, parameters, sizeof parameters);
    assert_string_equal(parameters, r->parameters);
    assert_int_equal(json_object_get(operation, "requestBody") != NULL, r->max_body > 0);
    const json_t *responses = json_object_get(operation, "responses");
    assert_int_equal(json_object_get(responses, "401") != NULL, !r->open);
    assert_int_equal(json_object_get(operation, "security") != NULL, r->open);
    for (const char *const *s = (const char *const[]){"200", "400", "403", "413", NULL}; *s; s++)
        assert_non_null(json_object_get(responses, *s));
}

static void the_document_describes_the_table(void **state) {
    (void)state;
    json_t *doc = document(), *path;
    size_t n, n_described = 0, n_operations = 0;
    const char *key;
    const struct route *routes = service_routes(&n);
    assert_non_null(doc);
    assert_string_equal(json_string_value(json_object_get(json_object_get(doc, "info"), "version")), GENAIR_VERSION);
    references_lead_somewhere(doc, doc);
    for (size_t i = 0; i < n; i++) {
        if (routes[i].page) continue;
        expect_described(doc, &routes[i]);
        n_described++;
    }
    json_object_foreach(json_object_get(doc, "paths"), key, path) n_operations += json_object_size(path);
    assert_int_equal(n_operations, n_described);
    json_decref(doc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_has_no_holes_and_finds_its_rows),
        cmocka_unit_test(every_file_of_the_page_is_served),
        cmocka_unit_test(the_document_describes_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
