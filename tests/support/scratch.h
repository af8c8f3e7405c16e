/* SPDX-License-Identifier: Apache-2.0 */
/* This module gives a test program cmocka with its prerequisites, and a directory that is removed
 * at the end. */
#ifndef GENAIR_TESTS_SUPPORT_SCRATCH_H
#define GENAIR_TESTS_SUPPORT_SCRATCH_H

#include "base/files.h" /* before cmocka, which makes a macro of fail */
#include "genair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static char scratch_directory[] = "/tmp/genair-test-XXXXXX";

/* Group fixtures: cmocka_run_group_tests(tests, scratch_open, scratch_close). */
static inline int scratch_open(void **state) {
    (void)state;
    return mkdtemp(scratch_directory) ? 0 : -1;
}

static inline int scratch_close(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", scratch_directory,
             scratch_directory);
    return system(command);
}

/* A path below the directory, released with mem_free. */
static inline char *scratch_path(const char *name) {
    char *path = path_join(scratch_directory, name);
    assert_non_null(path);
    return path;
}

/* For genair_context_create, with the path of a file: it is a line longer from the first message on, which comes when inputs are
 * hashed. */
static inline void scratch_add_line(void *path, genair_log_level level, const char *message) {
    (void)level, (void)message;
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    assert_int_not_equal(fputs("\n", f), EOF);
    assert_int_equal(fclose(f), 0);
}

/* Without the care and cost of file_replace. */
static inline void scratch_write(const char *path, const void *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    if (n) assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

#endif
