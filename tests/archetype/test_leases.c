/* SPDX-License-Identifier: Apache-2.0 */
/* Leases of items: one holder each, free again when the holder is gone, marks that all see. */
#include "support/scratch.h"

#include "archetype/leases.h"
#include "base/alloc.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 3 * LEASE_ITEMS + 2 };
static const char one[] = "0123456789abcdef0123456789abcdef", other[] = "ffffffffffffffff0123456789abcdef";

static struct leases *joined(const char *identity, bool expected_fresh) {
    struct leases *l;
    bool fresh;
    genair_status st = {0};
    if (leases_open(scratch_directory, identity, N, &l, &fresh, &st) != GENAIR_OK) fail_msg("%s", st.message);
    assert_int_equal(fresh, expected_fresh);
    return l;
}

static struct leases *begun(const char *identity) {
    assert_int_equal(leases_remove(scratch_directory, NULL), GENAIR_OK);
    struct leases *l = joined(identity, true);
    assert_int_equal(leases_ready(l, NULL), GENAIR_OK);
    return l;
}

static bool takes(struct leases *l, uint32_t item, uint32_t *first, uint32_t *last) {
    bool taken;
    assert_int_equal(leases_take(l, item, &taken, first, last, NULL), GENAIR_OK);
    return taken;
}

static void one_holder(void **state) {
    (void)state;
    uint32_t first, last;
    struct leases *a = begun(one), *b = joined(one, false);
    assert_true(takes(a, LEASE_ITEMS + 3, &first, &last));
    assert_int_equal(first, LEASE_ITEMS + 1);
    assert_int_equal(last, 2 * LEASE_ITEMS);
    assert_false(takes(b, LEASE_ITEMS + 1, &first, &last));
    assert_true(takes(b, N, &first, &last)); /* the last one is short */
    assert_int_equal(first, 3 * LEASE_ITEMS + 1);
    assert_int_equal(last, N);
    assert_false(takes(a, N, &first, &last));
    leases_close(a);
    assert_false(takes(b, LEASE_ITEMS + 1, &first, &last)); /* tried before */
    assert_int_equal(leases_again(b, NULL), GENAIR_OK);
    assert_true(takes(b, LEASE_ITEMS + 1, &first, &last));
    leases_close(b);
}

static void marks_are_seen_and_end_a_lease(void **state) {
    (void)state;
    uint32_t first, last;
    struct leases *a = begun(one), *b = joined(one, false);
    assert_true(takes(a, 1, &first, &last));
    for (uint32_t i = first; i < last; i++) assert_int_equal(leases_mark(a, i, ITEM_DONE, NULL), GENAIR_OK);
    assert_false(takes(b, 1, &first, &last));
    assert_int_equal(leases_mark(a, last, ITEM_FAILED, NULL), GENAIR_OK);
    assert_int_equal(leases_again(b, NULL), GENAIR_OK);
    assert_int_equal(leases_mark_of(b, 1), ITEM_DONE);
    assert_int_equal(leases_mark_of(b, last), ITEM_FAILED);
    assert_int_equal(leases_mark_of(b, last + 1), ITEM_OPEN);
    assert_true(takes(b, 1, &first, &last)); /* a failed item may be tried again */
    assert_int_equal(leases_mark(b, last, ITEM_DONE, NULL), GENAIR_OK);
    leases_close(b);
    assert_int_equal(leases_again(a, NULL), GENAIR_OK);
    assert_false(takes(a, 1, &first, &last)); /* all of it is done */
    leases_close(a);
    struct leases *c = joined(one, false);
    assert_int_equal(leases_mark_of(c, LEASE_ITEMS), ITEM_DONE); /* also when nobody is left */
    leases_close(c);
}

static void a_killed_process_holds_nothing(void **state) {
    (void)state;
    uint32_t first, last;
    int ready[2];
    struct leases *a = begun(one);
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        bool fresh, taken;
        struct leases *l;
        if (leases_open(scratch_directory, one, N, &l, &fresh, NULL) != GENAIR_OK || fresh ||
            leases_take(l, 1, &taken, &first, &last, NULL) != GENAIR_OK || !taken || write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;) pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_false(takes(a, 1, &first, &last));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(leases_again(a, NULL), GENAIR_OK);
    assert_true(takes(a, 1, &first, &last));
    leases_close(a);
    close(ready[0]);
    close(ready[1]);
}

static void other_work_begins_anew_but_not_among_others(void **state) {
    (void)state;
    struct leases *a = begun(one), *b;
    bool fresh;
    genair_status st = {0};
    assert_int_equal(leases_mark(a, 5, ITEM_DONE, NULL), GENAIR_OK);
    assert_int_equal(leases_open(scratch_directory, other, N, &b, &fresh, &st), GENAIR_USAGE);
    assert_non_null(strstr(st.message, "other ranks are at work"));
    leases_close(a);
    b = joined(other, true);
    assert_int_equal(leases_mark_of(b, 5), ITEM_OPEN);
    leases_note_done(b, 7);
    leases_close(b); /* killed before it was ready: whoever comes begins anew */
    b = joined(other, true);
    leases_note_done(b, 9);
    assert_int_equal(leases_ready(b, NULL), GENAIR_OK);
    struct leases *c = joined(other, false);
    assert_int_equal(leases_mark_of(c, 7), ITEM_OPEN);
    assert_int_equal(leases_mark_of(c, 9), ITEM_DONE);
    leases_close(b);
    leases_close(c);
}

static void a_file_cut_short_is_no_lease(void **state) {
    (void)state;
    struct leases *a = begun(one);
    char *path = scratch_path("archetypes.leases");
    assert_int_equal(truncate(path, 70), 0);
    genair_status st = {0};
    assert_int_equal(leases_again(a, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.file, "archetypes.leases"));
    leases_close(a);
    leases_close(joined(one, true));
    mem_free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holder),
        cmocka_unit_test(marks_are_seen_and_end_a_lease),
        cmocka_unit_test(a_killed_process_holds_nothing),
        cmocka_unit_test(other_work_begins_anew_but_not_among_others),
        cmocka_unit_test(a_file_cut_short_is_no_lease),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
