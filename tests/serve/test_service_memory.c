/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of opening a service and of each kind of request, refused in turn: the client is told to come again, and what
 * was asked before the failure is answered as before. usage: test_service_memory [-m MODEL] [-s STORE]: new items are described by
 * the language model; events go to a store elsewhere. */
#include "failing_alloc.h"
#include "support/small_shop.h"
#include "support/spoken.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct service_setting setting = {.run = "one"};
static char store[128];

static int set_up(void **state) {
    (void)state;
    setting.workspace = small_shop_create(setting.model);
    snprintf(store, sizeof store, "sqlite:%s/events.sqlite", setting.workspace);
    if (!setting.store) setting.store = store;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    small_shop_remove();
    return 0;
}

static int ask(struct service *s, const char *text, char **body) {
    struct response out;
    assert_true(spoken_answer(s, text, strlen(text), &out));
    assert_true(!out.body || out.body[0]);
    if (body)
        *body = out.body;
    else
        free(out.body);
    return out.status;
}

static void opening_reports_it(void **state) {
    (void)state;
    for (long n = 1;; n = failing_alloc_next(n)) {
        struct service *s = NULL;
        genair_status st = {0};
        failing_alloc_start(n);
        const genair_code code = service_open(&setting, &s, &st);
        if (!failing_alloc_stop()) {
            assert_int_equal(code, GENAIR_OK);
            assert_true(n > 50);
            service_close(s);
            return;
        }
        assert_int_equal(code, GENAIR_MEMORY);
        assert_int_equal(st.code, GENAIR_MEMORY);
    }
}

#define NEW_ITEM "POST /v1/items\n{\"item_id\": \"new\", \"vectors\": {\"prefill\": [1, 2, 3, 4], \"decoding\": [1, 0, 1, 0]}}"
#define TOLD_ITEM "POST /v1/items\n{\"item_id\": \"told\", \"name\": \"Tent 99\", \"brand\": \"Acme\"}"

/* before: asked each time, with memory; NULL: nothing. */
static void refuse_in_turn(struct service *s, const char *text, const char *before) {
    for (long n = 1;; n = failing_alloc_next(n)) {
        if (before) assert_int_equal(ask(s, before, NULL), 200);
        failing_alloc_start(n);
        const int status = ask(s, text, NULL);
        if (!failing_alloc_stop()) {
            if (status != 200) fail_msg("%s: status %d with all memory", text, status);
            return;
        }
        if (status != 503) fail_msg("%s: status %d without allocation %ld", text, status, n);
        assert_int_equal(ask(s, "GET /v1/similar?item=i1&k=3", NULL), 200);
    }
}

static void describing_reports_it(void **state) {
    (void)state;
    struct service *s = NULL;
    if (!setting.model) skip();
    assert_int_equal(service_open(&setting, &s, NULL), GENAIR_OK);
    refuse_in_turn(s, TOLD_ITEM, NULL);
    assert_int_equal(ask(s, "GET /v1/item?item=told", NULL), 200);
    service_close(s);
}

static void requests_report_it(void **state) {
    (void)state;
    struct service *s = NULL;
    if (setting.model) skip(); /* they are the same */
    assert_int_equal(service_open(&setting, &s, NULL), GENAIR_OK);
    static const char *const requests[] = {
        "GET /v1/recommend?user=u3&k=5&explain=1", "GET /v1/recommend?user=u3&where=brand:Acme", "GET /v1/recommend?user=x&viewed=i5&explain=1",
        "POST /v1/recommend\n{\"histories\": [[\"i1\", \"i2\"], []], \"allow\": [\"i4\", \"i5\"], \"deny\": [\"i5\"], \"explain\": true}",
        "POST /v1/recommend\n{\"user\": \"u1\", \"where\": {\"categories\": \"Tents\", \"brand\": \"Acme\"}, \"repeat\": true}",
        "GET /v1/similar?item=i5&k=2", "GET /v1/items?q=acme&k=3", "GET /v1/item?item=i2", "GET /v1/users?q=u1", "GET /v1/user?user=u3",
        "GET /v1/map", "GET /v1/run", "POST /v1/events\n{\"user\": \"u1\", \"item\": \"i5\"}\n{\"user\": \"u2\", \"item\": \"i6\"}",
        "GET /v1/recommend?user=u1", "POST /v1/reload\n", NEW_ITEM, "GET /v1/item?item=new"};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        if (strstr(requests[i], "GET /v1/")) assert_int_equal(ask(s, "POST /v1/reload\n", NULL), 200); /* what is made at need is made anew */
        refuse_in_turn(s, requests[i], NULL);
    }
    refuse_in_turn(s, "DELETE /v1/items/new", NEW_ITEM);
    service_close(s);
}

static void nothing_is_kept_of_what_failed(void **state) {
    (void)state;
    struct service *s = NULL;
    char *before, *after;
    assert_int_equal(service_open(&setting, &s, NULL), GENAIR_OK);
    assert_int_equal(ask(s, "GET /v1/user?user=counted", &before), 200);
    for (long n = 1; n < 4; n++) { /* in the request's own thread, before the store has it */
        failing_alloc_start(n);
        const int status = ask(s, "POST /v1/events\n{\"user\": \"counted\", \"item\": \"i5\"}\n{\"user\": \"counted\", \"item\": \"i6\"}", NULL);
        if (failing_alloc_stop()) assert_int_equal(status, 503);
        else break;
        assert_int_equal(ask(s, "GET /v1/user?user=counted", &after), 200);
        assert_string_equal(before, after);
        free(after);
    }
    free(before);
    service_close(s);
}

int main(int argc, char **argv) {
    for (int opt; (opt = getopt(argc, argv, "m:s:")) != -1;) {
        if (opt == 'm') setting.model = optarg;
        if (opt == 's') setting.store = optarg;
        if (opt == '?') return 2;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_reports_it),
        cmocka_unit_test(requests_report_it),
        cmocka_unit_test(describing_reports_it),
        cmocka_unit_test(nothing_is_kept_of_what_failed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
