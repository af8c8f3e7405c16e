/* SPDX-License-Identifier: Apache-2.0 */
/* A store's arrays come back as they were put, also one that is checked in several pieces; a byte that changed in any of them is told. */
#include "workspace/store.h"

#include "base/alloc.h"
#include "support/scratch.h"

#include <string.h>

enum { N = (7 << 20) / 8 + 5 }; /* 3.5 MiB and a bit: whole pieces and a part */
static const char made_from[] = "0123456789abcdef0123456789abcdef";

static uint32_t element(size_t i) {
    return (uint32_t)i * 2654435761u;
}

static char *written(void) {
    char *path = scratch_path("numbers.bin");
    uint32_t *numbers = mem_array(N, sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < N; i++) numbers[i] = element(i);
    struct store_writer *w;
    assert_int_equal(store_create(path, "TEST", made_from, &w, NULL), GENAIR_OK);
    assert_int_equal(store_array(w, "few", 4, numbers, 3, NULL), GENAIR_OK);
    assert_int_equal(store_array(w, "many", 4, numbers, N, NULL), GENAIR_OK);
    assert_int_equal(store_commit(w, NULL), GENAIR_OK);
    mem_free(numbers);
    return path;
}

static void comes_back(void **state) {
    (void)state;
    char *path = written();
    struct store *s;
    const void *at;
    assert_int_equal(store_open(path, "TEST", "prepare", &s, NULL), GENAIR_OK);
    assert_int_equal(store_find_n(s, "many", 4, N, &at, NULL), GENAIR_OK);
    for (size_t i = 0; i < N; i++)
        if (((const uint32_t *)at)[i] != element(i)) fail_msg("element %zu", i);
    assert_string_equal(store_made_from(s), made_from);
    store_close(s);
    mem_free(path);
}

static void a_changed_byte_is_told(void **state) {
    (void)state;
    static const size_t places[] = {0, (1 << 20) - 1, 1 << 20, 2 << 20, (3 << 20) + 77, (size_t)N * 4 - 1};
    char *path = written();
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        FILE *f = fopen(path, "r+b");
        assert_non_null(f);
        const long at = 128 + (long)places[i]; /* head and "few", each up to a multiple of 64 */
        assert_int_equal(fseek(f, at, SEEK_SET), 0);
        const int byte = fgetc(f);
        assert_int_equal(byte, element(places[i] / 4) >> (places[i] % 4 * 8) & 0xFF);
        for (int wrong = 1; wrong >= 0; wrong--) {
            assert_int_equal(fseek(f, at, SEEK_SET), 0);
            assert_true(fputc(wrong ? byte ^ 4 : byte, f) != EOF);
            assert_int_equal(fflush(f), 0);
            struct store *s = NULL;
            genair_status st = {0};
            assert_int_equal(store_open(path, "TEST", "prepare", &s, &st), wrong ? GENAIR_FORMAT : GENAIR_OK);
            if (wrong) assert_non_null(strstr(st.message, "checksum"));
            store_close(s);
        }
        assert_int_equal(fclose(f), 0);
    }
    mem_free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(a_changed_byte_is_told),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
