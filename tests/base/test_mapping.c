/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that begins as a part of a file. */
#include "base/mapping.h"

#include "base/alloc.h"
#include "base/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char place[64]; /* a directory for all tests */

static int set_up(void **state) {
    (void)state;
    snprintf(place, sizeof place, "/tmp/genair-mapping-XXXXXX");
    return mkdtemp(place) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", place);
    return system(command);
}

static void check_overlay(const char *path, const unsigned char *content, size_t offset, size_t n, size_t at, size_t size) {
    struct overlay o;
    assert_int_equal(overlay_open(&(struct file_part){path, offset, n}, size, at, &o, NULL), GENAIR_OK);
    for (size_t i = 0; i < size; i++) assert_int_equal(o.bytes[i], i >= at && i - at < n ? content[offset + i - at] : 0);
    unsigned char read[40], *whole = o.bytes;
    for (size_t from = 0; from < size; from += 977) {
        const size_t n_read = size - from < sizeof read ? size - from : sizeof read;
        overlay_read(&o, from, read, n_read);
        assert_memory_equal(read, whole + from, n_read);
    }
    memset(o.bytes, 1, size); /* all of it is ours to write */
    overlay_close(&o);
}

static void test_overlay(void **state) {
    (void)state;
    enum { SIZE = 40000 };
    static unsigned char content[SIZE];
    for (size_t i = 0; i < SIZE; i++) content[i] = (unsigned char)(1 + i % 251);
    char *path = path_join(place, "rows");
    assert_int_equal(file_replace(path, content, SIZE, NULL), GENAIR_OK);
    static const size_t places[] = {0, 1, 8, 4095, 4096, 4097, 9000};
    for (size_t offset = 0; offset < 7; offset++)
        for (size_t at = 0; at < 7; at++)
            for (size_t n = 0; n < 7; n++) {
                check_overlay(path, content, places[offset], places[n], places[at], places[at] + places[n]);
                check_overlay(path, content, places[offset], places[n], places[at], places[at] + places[n] + 10000);
            }
    check_overlay(path, content, 100, SIZE - 100, 512, SIZE + 4096);
    char *now;
    size_t n;
    assert_int_equal(file_read(path, SIZE, &now, &n, NULL), GENAIR_OK);
    assert_memory_equal(now, content, SIZE); /* the file has seen nothing of it */
    mem_free(now);
    mem_free(path);
}

static void test_overlay_of_a_part_that_is_not_there(void **state) {
    (void)state;
    char *path = path_join(place, "short"), *none = path_join(place, "none");
    struct overlay o = {0};
    genair_status st = {0};
    assert_int_equal(file_replace(path, "0123456789", 10, NULL), GENAIR_OK);
    assert_int_equal(overlay_open(&(struct file_part){path, 0, 11}, 11, 0, &o, &st), GENAIR_IO);
    assert_string_equal(st.file, path);
    assert_int_equal(overlay_open(&(struct file_part){path, 11, 0}, 11, 0, &o, NULL), GENAIR_IO);
    assert_int_equal(overlay_open(&(struct file_part){path, UINT64_MAX, 2}, 11, 0, &o, NULL), GENAIR_IO);
    assert_int_equal(overlay_open(&(struct file_part){path, 0, 1}, SIZE_MAX, 0, &o, NULL), GENAIR_MEMORY);
    assert_int_equal(overlay_open(&(struct file_part){path, 0, 1}, SIZE_MAX / 2, 0, &o, NULL), GENAIR_MEMORY);
    assert_int_equal(overlay_open(&(struct file_part){none, 0, 1}, 11, 0, &o, NULL), GENAIR_IO);
    assert_int_equal(overlay_open(&(struct file_part){place, 0, 0}, 11, 0, &o, NULL), GENAIR_IO);
    assert_null(o.bytes);
    mem_free(path);
    mem_free(none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlay),
        cmocka_unit_test(test_overlay_of_a_part_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
