/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/added_items.h"

#include "base/alloc.h"

#include "support/scratch.h"

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

static const float prefill[] = {1, 2, 3}, decoding[] = {-1, 0.5f};

static struct added_item item(const char *name, const char *record, bool both) {
    struct added_item a = {text_of(name), text_of(record), text_of("for people"), {NULL, decoding}, {0, 2}};
    if (both) {
        a.part[PREFILL] = prefill;
        a.width[PREFILL] = 3;
    }
    return a;
}

static void put(const struct added_item *a, size_t n, size_t expected) {
    size_t replaced = 99;
    genair_status st = {0};
    if (added_items_put(scratch_directory, a, n, &replaced, &st) != GENAIR_OK) fail_msg("%s", st.message);
    assert_int_equal(replaced, expected);
}

static void items_come_back_in_their_order(void **state) {
    (void)state;
    struct added_items all;
    assert_int_equal(added_items_load(scratch_directory, &all, NULL), GENAIR_OK);
    assert_int_equal(all.n, 0);
    const struct text none = text_of("z");
    assert_int_equal(added_items_remove(scratch_directory, &none, 1, NULL), GENAIR_USAGE);
    const struct added_item two[] = {item("z", "{}", true), item("a", "{\"x\": \"\xc3\xa4\"}", false)};
    put(two, 2, 0);
    const struct added_item again = item("z", "{\"new\": \"1\"}", true), third = item("b", "{}", false);
    put(&again, 1, 1);
    put(&third, 1, 0);
    assert_int_equal(added_items_load(scratch_directory, &all, NULL), GENAIR_OK);
    assert_int_equal(all.n, 3);
    assert_true(text_equal(all.items[0].item, "z") && text_equal(all.items[1].item, "a") && text_equal(all.items[2].item, "b"));
    assert_true(text_equal(all.items[0].record, "{\"new\": \"1\"}"));
    assert_true(text_equal(all.items[1].archetype, "for people"));
    assert_memory_equal(all.items[0].part[PREFILL], prefill, sizeof prefill);
    assert_int_equal(all.items[0].width[PREFILL], 3);
    assert_null(all.items[1].part[PREFILL]);
    assert_memory_equal(all.items[1].part[DECODING], decoding, sizeof decoding);
    added_items_free(&all);
}

static void items_go_all_or_none(void **state) {
    (void)state;
    struct added_items all;
    const struct added_item two[] = {item("away", "{}", true), item("too", "{}", false)};
    put(two, 2, 0);
    const struct text wrong[] = {text_of("away"), text_of("nobody")}, twice[] = {text_of("too"), text_of("too")},
                      right[] = {text_of("too"), text_of("away")};
    genair_status st = {0};
    assert_int_equal(added_items_remove(scratch_directory, wrong, 2, &st), GENAIR_USAGE);
    assert_string_equal(st.message, "no item 'nobody' was added to the workspace");
    assert_int_equal(added_items_remove(scratch_directory, twice, 2, &st), GENAIR_USAGE);
    assert_int_equal(added_items_load(scratch_directory, &all, NULL), GENAIR_OK);
    assert_int_equal(all.n, 5);
    added_items_free(&all);
    assert_int_equal(added_items_remove(scratch_directory, right, 2, &st), GENAIR_OK);
    assert_int_equal(added_items_load(scratch_directory, &all, NULL), GENAIR_OK);
    assert_int_equal(all.n, 3);
    assert_true(text_equal(all.items[2].item, "b"));
    added_items_free(&all);
}

static void a_damaged_row_is_named(void **state) {
    (void)state;
    char *path = scratch_path(ADDED_ITEMS_FILE);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE items SET record = '{\"x\": \"other\"}' WHERE item = 'a'", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct added_items all;
    genair_status st = {0};
    assert_int_equal(added_items_load(scratch_directory, &all, &st), GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "item 'a' is damaged"));
    assert_int_equal(all.n, 0);
    unlink(path);
    scratch_write(path, "no database at all, but text", 28);
    st = (genair_status){0};
    assert_int_equal(added_items_load(scratch_directory, &all, &st), GENAIR_FORMAT);
    assert_string_equal(st.file, path);
    unlink(path);
    scratch_write(path, "", 0); /* whose maker was killed */
    assert_int_equal(added_items_load(scratch_directory, &all, NULL), GENAIR_OK);
    assert_int_equal(all.n, 0);
    added_items_free(&all);
    mem_free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_back_in_their_order),
        cmocka_unit_test(items_go_all_or_none),
        cmocka_unit_test(a_damaged_row_is_named),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
