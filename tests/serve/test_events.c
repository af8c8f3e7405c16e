/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/events.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

enum { THREADS = 8, EVENTS = 50 };

struct fixture {
    char directory[64], path[96], place[128];
    struct events *events;
};

static const char *given; /* a store of another kind: test_events postgresql://… */

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->directory, "/tmp/genair-events-XXXXXX");
    if (!mkdtemp(f->directory)) return -1;
    snprintf(f->path, sizeof f->path, "%s/events.sqlite", f->directory);
    snprintf(f->place, sizeof f->place, "%s%s", given ? given : "sqlite:", given ? "" : f->path);
    *state = f;
    return events_open(f->place, &f->events, NULL);
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    events_close(f->events);
    unlink(f->path);
    rmdir(f->directory);
    free(f);
    return 0;
}

static void add(struct events *s, const char *user, const char *item, const char *key, size_t repeated) {
    const struct event e = {text_of(user), text_of(item), text_of(key), 1};
    size_t found = 99;
    assert_int_equal(events_add(s, &e, 1, &found, NULL), GENAIR_OK);
    assert_int_equal(found, repeated);
}

static bool join(void *context, struct text item) {
    char *list = context;
    strncat(list, item.p, item.n);
    strcat(list, " ");
    return true;
}

static void expect_history(struct events *s, const char *user, size_t limit, const char *expected) {
    char list[256] = "";
    assert_int_equal(events_of_user(s, text_of(user), limit, join, list, NULL), GENAIR_OK);
    assert_string_equal(list, expected);
}

static void events_come_back_in_order_and_once(void **state) {
    struct fixture *f = *state;
    add(f->events, "u", "a", "", 0);
    add(f->events, "u", "b", "k1", 0);
    add(f->events, "v", "z", "", 0);
    add(f->events, "u", "c", "k1", 1);
    add(f->events, "u", "a", "", 0);
    expect_history(f->events, "u", 10, "a b a ");
    expect_history(f->events, "u", 2, "b a ");
    expect_history(f->events, "'; DROP TABLE events; --", 2, "");
    events_close(f->events);
    f->events = NULL;
    assert_int_equal(events_open(f->place, &f->events, NULL), GENAIR_OK);
    expect_history(f->events, "u", 10, "a b a ");
    add(f->events, "u", "b", "k1", 1);
}

struct client {
    struct events *events;
    int number;
};

static void *send_all(void *context) {
    const struct client *c = context;
    char user[8], item[8];
    snprintf(user, sizeof user, "u%d", c->number);
    for (int i = 0; i < EVENTS; i++) {
        snprintf(item, sizeof item, "i%d", i);
        const struct event e = {text_of(user), text_of(item), text_of(""), i};
        size_t repeated;
        if (events_add(c->events, &e, 1, &repeated, NULL) != GENAIR_OK) return context;
    }
    return NULL;
}

static bool count(void *context, struct text item) {
    int *n = context;
    char expected[8];
    snprintf(expected, sizeof expected, "i%d", *n);
    *n += text_equal(item, expected);
    return true;
}

static void many_threads_lose_nothing(void **state) {
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    struct client clients[THREADS];
    for (int i = 0; i < THREADS; i++) {
        clients[i] = (struct client){f->events, i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &clients[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (int i = 0; i < THREADS; i++) {
        char user[8];
        int n = 0;
        snprintf(user, sizeof user, "u%d", i);
        assert_int_equal(events_of_user(f->events, text_of(user), 1000, count, &n, NULL), GENAIR_OK);
        assert_int_equal(n, EVENTS);
    }
}

static void what_is_no_store_is_refused(void **state) {
    struct fixture *f = *state;
    events_close(f->events);
    f->events = NULL;
    FILE *file = fopen(f->path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("no database ", file);
    fclose(file);
    genair_status st = {0};
    struct events *s = NULL;
    assert_int_equal(events_open(f->place, &s, &st), GENAIR_FORMAT);
    assert_null(s);
    assert_true(st.message[0]);
}

static void other_schemes_are_refused(void **state) {
    (void)state;
    static const char *const places[] = {"", "sqlite:", "mysql://x", "events.sqlite", "postgresql://"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct events *s = NULL;
        assert_int_equal(events_open(places[i], &s, NULL), GENAIR_USAGE);
        assert_null(s);
    }
}

int main(int argc, char **argv) {
    given = argc > 1 ? argv[1] : NULL;
    const struct CMUnitTest everywhere[] = {
        cmocka_unit_test_setup_teardown(events_come_back_in_order_and_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_threads_lose_nothing, set_up, tear_down),
    };
    if (given) return cmocka_run_group_tests(everywhere, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_come_back_in_order_and_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_threads_lose_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_store_is_refused, set_up, tear_down),
        cmocka_unit_test(other_schemes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
