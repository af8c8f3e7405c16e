/* SPDX-License-Identifier: Apache-2.0 */
#include "base/files.h"

#include "base/alloc.h"
#include "base/mapping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static char *place; /* a new directory for each test */

static int setup(void **state) {
    (void)state;
    char pattern[] = "/tmp/genair-files-XXXXXX";
    if (!mkdtemp(pattern)) return -1;
    place = mem_text(pattern, strlen(pattern));
    return place ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", place, place);
    mem_free(place);
    return system(command);
}

static int n_entries(void) {
    int n = 0;
    DIR *d = opendir(place);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void check_content(const char *path, const char *expected) {
    char *data;
    size_t size;
    assert_int_equal(file_read(path, 1 << 20, &data, &size, NULL), GENAIR_OK);
    assert_int_equal(size, strlen(expected));
    assert_string_equal(data, expected);
    mem_free(data);
}

static void test_replace_and_read(void **state) {
    (void)state;
    char *path = path_join(place, "a.txt");
    assert_int_equal(file_replace(path, "old", 3, NULL), GENAIR_OK);
    check_content(path, "old");
    struct writer *w;
    assert_int_equal(writer_open(path, &w, NULL), GENAIR_OK);
    assert_int_equal(writer_printf(w, NULL, "%s %d", "new", 7), GENAIR_OK);
    check_content(path, "old"); /* until the end */
    assert_int_equal(n_entries(), 2);
    assert_int_equal(writer_bytes(w), 5);
    assert_int_equal(writer_commit(w, NULL), GENAIR_OK);
    check_content(path, "new 7");
    assert_int_equal(n_entries(), 1);
    mem_free(path);
}

static void test_abandon_leaves_nothing(void **state) {
    (void)state;
    char *path = path_join(place, "a.txt");
    assert_int_equal(file_replace(path, "old", 3, NULL), GENAIR_OK);
    struct writer *w;
    assert_int_equal(writer_open(path, &w, NULL), GENAIR_OK);
    assert_int_equal(writer_put(w, "x", 1, NULL), GENAIR_OK);
    writer_abandon(w);
    writer_abandon(NULL);
    check_content(path, "old");
    assert_int_equal(n_entries(), 1);
    mem_free(path);
}

static void test_large_pieces(void **state) {
    (void)state;
    enum { N = 3 * 1000 * 1000 };
    unsigned char *data = mem_array(N, 1);
    for (size_t i = 0; i < N; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    char *path = path_join(place, "large");
    struct writer *w;
    assert_int_equal(writer_open(path, &w, NULL), GENAIR_OK);
    for (size_t i = 0, step = 1; i < N; i += step, step = step * 3 + 1) {
        if (step > N - i) step = N - i;
        assert_int_equal(writer_put(w, data + i, step, NULL), GENAIR_OK);
    }
    assert_int_equal(writer_commit(w, NULL), GENAIR_OK);
    struct mapping m;
    assert_int_equal(mapping_open(path, &m, NULL), GENAIR_OK);
    assert_int_equal(m.size, N);
    assert_memory_equal(m.data, data, N);
    mapping_close(&m);
    char a[33], b[33], c[33];
    hash_bytes(data, N, a);
    assert_int_equal(hash_file(NULL, path, b, NULL), GENAIR_OK);
    struct hasher *h = hasher_create();
    for (size_t i = 0; i < N; i += 1000)
        hasher_add(h, data + i, 1000);
    hasher_finish(h, c);
    assert_string_equal(a, b);
    assert_string_equal(a, c);
    mem_free(path);
    mem_free(data);
}

/* From the reference implementation's `xxhsum -H2`. */
static void test_hash_is_xxh3_128(void **state) {
    (void)state;
    char digits[33];
    hash_bytes("", 0, digits);
    assert_string_equal(digits, "99aa06d3014798d86001c324468d497f");
}

static void test_empty_file(void **state) {
    (void)state;
    char *path = path_join(place, "empty");
    assert_int_equal(file_replace(path, NULL, 0, NULL), GENAIR_OK);
    struct mapping m;
    assert_int_equal(mapping_open(path, &m, NULL), GENAIR_OK);
    assert_non_null(m.data);
    assert_int_equal(m.size, 0);
    mapping_close(&m);
    check_content(path, "");
    mem_free(path);
}

static void test_limit(void **state) {
    (void)state;
    char *path = path_join(place, "five"), *data;
    size_t size;
    assert_int_equal(file_replace(path, "12345", 5, NULL), GENAIR_OK);
    genair_status st = {0};
    assert_int_equal(file_read(path, 4, &data, &size, &st), GENAIR_FORMAT);
    assert_string_equal(st.message, "more than 4 bytes, which is the most allowed here");
    assert_int_equal(file_read(path, 5, &data, &size, NULL), GENAIR_OK);
    assert_int_equal(size, 5);
    mem_free(data);
    /* A file whose size is not known beforehand. */
    assert_int_equal(file_read("/proc/self/status", 1 << 20, &data, &size, NULL), GENAIR_OK);
    assert_true(size > 100 && strlen(data) == size);
    mem_free(data);
    mem_free(path);
}

static void test_failures_name_the_file(void **state) {
    (void)state;
    char *missing = path_join(place, "no/such"), digits[33], *data;
    size_t size;
    struct mapping m;
    struct writer *w;
    genair_status st[6] = {0};
    assert_int_equal(mapping_open(missing, &m, &st[0]), GENAIR_IO);
    assert_int_equal(writer_open(missing, &w, &st[1]), GENAIR_IO);
    assert_int_equal(file_read(missing, 10, &data, &size, &st[2]), GENAIR_IO);
    assert_int_equal(hash_file(NULL, missing, digits, &st[3]), GENAIR_IO);
    assert_int_equal(file_replace(missing, "", 0, &st[4]), GENAIR_IO);
    for (int i = 0; i < 5; i++)
        assert_string_equal(st[i].file, missing);
    assert_string_equal(st[0].message, "cannot open: No such file or directory");
    assert_string_equal(st[1].message, "cannot create: No such file or directory");
    assert_int_equal(mapping_open(place, &m, &st[5]), GENAIR_IO);
    assert_non_null(strstr(st[5].message, "not a regular file"));
    mem_free(missing);
}

static void test_replacing_a_directory_fails(void **state) {
    (void)state;
    char *path = path_join(place, "d"), *inner = path_join(path, "x");
    assert_int_equal(directory_make(path, NULL), GENAIR_OK);
    assert_int_equal(file_replace(inner, "", 0, NULL), GENAIR_OK);
    genair_status st = {0};
    assert_int_equal(file_replace(path, "a", 1, &st), GENAIR_IO);
    assert_string_equal(st.file, path);
    assert_int_equal(n_entries(), 1); /* the partial file is gone */
    mem_free(inner);
    mem_free(path);
}

/* A limit on the file's size stands in for a full disk: both make write() fail midway. */
static void test_failed_write_sticks(void **state) {
    (void)state;
    char *path = path_join(place, "limited");
    static const char piece[1000 * 1000];
    struct rlimit before, tight;
    assert_int_equal(file_replace(path, "old", 3, NULL), GENAIR_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 1500 * 1000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    struct writer *w;
    genair_status st[3] = {0};
    assert_int_equal(writer_open(path, &w, NULL), GENAIR_OK);
    assert_int_equal(writer_put(w, piece, sizeof piece, &st[0]), GENAIR_OK);
    assert_int_equal(writer_put(w, piece, sizeof piece, &st[0]), GENAIR_IO);
    assert_int_equal(writer_put(w, piece, 1, &st[1]), GENAIR_IO);
    assert_int_equal(writer_commit(w, &st[2]), GENAIR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    for (int i = 0; i < 3; i++)
        assert_string_equal(st[i].message, "cannot write: File too large");
    check_content(path, "old");
    assert_int_equal(n_entries(), 1);
    mem_free(path);
}

static void test_directories(void **state) {
    (void)state;
    char *path = path_join(place, "x/y//z/"), *file = path_join(place, "f"),
         *below = path_join(file, "g");
    assert_int_equal(directory_make(path, NULL), GENAIR_OK);
    assert_int_equal(directory_make(path, NULL), GENAIR_OK);
    assert_true(file_exists(path));
    assert_int_equal(file_replace(file, "", 0, NULL), GENAIR_OK);
    genair_status st = {0};
    assert_int_equal(directory_make(below, &st), GENAIR_IO);
    assert_non_null(strstr(st.message, "cannot create the directory"));
    assert_int_equal(directory_make("", NULL), GENAIR_USAGE);
    char *joined = path_join("a/", "b");
    assert_string_equal(joined, "a/b");
    mem_free(joined);
    mem_free(path);
    mem_free(file);
    mem_free(below);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replace_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abandon_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hash_is_xxh3_128, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures_name_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replacing_a_directory_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_write_sticks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directories, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
