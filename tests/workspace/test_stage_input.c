/* SPDX-License-Identifier: Apache-2.0 */
/* What is noted of a stage's inputs when they are hashed, against what may become of them until they are read. */
#include "workspace/stage_input.h"

#include "base/alloc.h"
#include "base/context.h"
#include "base/files.h"
#include "support/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void append(const char *path) {
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    assert_int_not_equal(fputs("more", f), EOF);
    assert_int_equal(fclose(f), 0);
}

static void touch(const char *path) {
    const struct timespec times[2] = {{1, 0}, {1, 1}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void rewrite(const char *path) {
    scratch_write(path, "54321", 5);
}

static void replace(const char *path) {
    char *beside = scratch_path("beside");
    scratch_write(beside, "other", 5);
    assert_int_equal(rename(beside, path), 0);
    mem_free(beside);
}

static void take_away(const char *path) {
    assert_int_equal(unlink(path), 0);
}

static void whatever_becomes_of_a_file_is_seen(void **state) {
    (void)state;
    static void (*const changes[])(const char *) = {append, rewrite, replace, take_away};
    char *path = scratch_path("input"), *other = scratch_path("other"), digits[33], expected[33];
    scratch_write(other, "12345", 5);
    hash_bytes("12345", 5, expected);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct stage_inputs s = {0};
        genair_status st = {0};
        scratch_write(path, "12345", 5);
        assert_int_equal(stage_inputs_hash(&s, NULL, other, digits, &st), GENAIR_OK);
        assert_int_equal(stage_inputs_hash(&s, NULL, path, digits, &st), GENAIR_OK);
        assert_string_equal(digits, expected);
        assert_int_equal(stage_inputs_unchanged(&s, &st), GENAIR_OK);
        touch(path); /* of the same content still */
        assert_int_equal(stage_inputs_unchanged(&s, &st), GENAIR_OK);
        changes[i](path);
        assert_int_equal(stage_inputs_unchanged(&s, &st), GENAIR_IO);
        assert_string_equal(st.file, path);
        assert_string_equal(st.message, "the file changed while it was read; run the command again, on a copy if others write to it");
        stage_inputs_free(&s);
    }
    mem_free(path);
    mem_free(other);
}

static void hashing_is_stopped(void **state) {
    (void)state;
    char *path = scratch_path("input"), digits[33];
    struct stage_inputs s = {0};
    genair_context *ctx;
    scratch_write(path, "12345", 5);
    assert_int_equal(genair_context_create(1, NULL, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(stage_inputs_hash(&s, ctx, path, digits, NULL), GENAIR_OK);
    genair_context_stop(ctx);
    assert_int_equal(stage_inputs_hash(&s, ctx, path, digits, NULL), GENAIR_INTERRUPTED);
    genair_context_free(ctx);
    stage_inputs_free(&s);
    mem_free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_becomes_of_a_file_is_seen),
                                       cmocka_unit_test(hashing_is_stopped)};
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
