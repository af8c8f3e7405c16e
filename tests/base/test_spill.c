/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spill.h"

#include "base/alloc.h"
#include "base/files.h"
#include "support/scratch.h"

#include <dirent.h>
#include <string.h>

struct record {
    uint32_t a;
    uint8_t rest[8];
};

static struct record record_at(uint64_t i) {
    struct record r = {.a = (uint32_t)(i * 2654435761u)};
    memset(r.rest, (int)(i % 251), sizeof r.rest);
    return r;
}

static void check_all(struct spill *s, uint64_t n) {
    const void *block;
    size_t n_block;
    uint64_t i = 0;
    assert_int_equal(spill_rewind(s, NULL), GENAIR_OK);
    for (;;) {
        assert_int_equal(spill_next(s, &block, &n_block, NULL), GENAIR_OK);
        if (n_block == 0) break;
        for (size_t k = 0; k < n_block; k++, i++) {
            const struct record expected = record_at(i);
            assert_memory_equal((const char *)block + k * sizeof expected, &expected,
                                sizeof expected);
        }
    }
    assert_int_equal(i, n);
}

static void check_limit(size_t limit, uint64_t n, bool on_disk) {
    struct spill *s;
    assert_int_equal(spill_create(scratch_directory, sizeof(struct record), limit, &s, NULL),
                     GENAIR_OK);
    for (uint64_t i = 0; i < n;) {
        struct record piece[7];
        size_t k = 0;
        while (k < 1 + i % 7 && i + k < n)
            piece[k] = record_at(i + k), k++;
        assert_int_equal(spill_add(s, piece, k, NULL), GENAIR_OK);
        i += k;
    }
    assert_int_equal(spill_count(s), n);
    check_all(s, n);
    check_all(s, n); /* any number of times */
    assert_int_equal(spill_on_disk(s), on_disk);
    for (uint64_t i = 0; i + 3 <= n; i += 1 + n / 50) {
        struct record found[3], expected = record_at(i + 2);
        assert_int_equal(spill_read(s, i, found, 3, NULL), GENAIR_OK);
        assert_memory_equal(&found[2], &expected, sizeof expected);
    }
    struct record one;
    assert_int_equal(spill_read(s, n, &one, 1, NULL), GENAIR_INTERNAL);
    spill_free(s);
}

static void test_memory_and_disk_agree(void **state) {
    (void)state;
    check_limit(1 << 20, 0, false);
    check_limit(1, 0, false);
    check_limit(1 << 20, 50000, false);
    check_limit(1, 50000, true);
    check_limit(12 * 100, 100, false);
    check_limit(12 * 100, 101, true);
    check_limit(12 * 1000, 200000, true);
}

/* The file has no name, so nothing is left whatever happens to the process. */
static void test_no_file_is_seen(void **state) {
    (void)state;
    struct spill *s;
    const uint64_t data[4] = {0};
    assert_int_equal(spill_create(scratch_directory, 8, 8, &s, NULL), GENAIR_OK);
    assert_int_equal(spill_add(s, data, 4, NULL), GENAIR_OK);
    assert_true(spill_on_disk(s));
    DIR *d = opendir(scratch_directory);
    for (struct dirent *e; (e = readdir(d));)
        assert_true(strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0);
    closedir(d);
    spill_free(s);
    spill_free(NULL);
}

static void test_missing_directory(void **state) {
    (void)state;
    struct spill *s;
    genair_status st = {0};
    const uint64_t data[4] = {0};
    assert_int_equal(spill_create("/no/such/place", 8, 8, &s, NULL), GENAIR_OK);
    assert_int_equal(spill_add(s, data, 4, &st), GENAIR_IO);
    assert_string_equal(st.file, "/no/such/place");
    assert_string_equal(st.message, "cannot create a temporary file: No such file or directory");
    spill_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_and_disk_agree),
        cmocka_unit_test(test_no_file_is_seen),
        cmocka_unit_test(test_missing_directory),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
