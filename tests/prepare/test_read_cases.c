/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the directories good/ and bad/: a case is a directory whose name begins with
 * "interactions-" or "items-", holding "input", perhaps "format", and "expected" or "message"
 * ("input:LINE: text"). */
#include "reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct test_case {
    char dir[512], name[256], input[600], format[64];
    bool items;
};

static char *case_file(const struct test_case *c, const char *name, size_t *size) {
    char path[700];
    snprintf(path, sizeof path, "%s/%s", c->dir, name);
    return slurp(path, size);
}

static void load_case(struct test_case *c, const char *root, const char *name) {
    snprintf(c->dir, sizeof c->dir, "%s/%s", root, name);
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->input, sizeof c->input, "%s/input", c->dir);
    snprintf(c->format, sizeof c->format, "auto");
    c->items = strncmp(name, "items-", 6) == 0;
    assert_true(c->items || strncmp(name, "interactions-", 13) == 0);
    size_t size;
    char *format = case_file(c, "format", &size);
    if (format) snprintf(c->format, sizeof c->format, "%.*s", (int)strcspn(format, "\n"), format);
    free(format);
}

typedef bool case_check(const struct test_case *c);

static int order_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Runs check on every case below root, and fails when one failed or when there are fewer than
 * least. */
static void walk(const char *kind, case_check *check, size_t least) {
    char root[400], *names[256];
    snprintf(root, sizeof root, "%s/%s", CASES_DIR, kind);
    DIR *dir = opendir(root);
    assert_non_null(dir);
    size_t n = 0, failed = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && n < 256) names[n++] = strdup(entry->d_name);
    closedir(dir);
    qsort(names, n, sizeof *names, order_names);
    for (size_t i = 0; i < n; i++) {
        struct test_case c;
        load_case(&c, root, names[i]);
        failed += !check(&c);
        free(names[i]);
    }
    print_message("%zu cases, %zu failed\n", n, failed);
    assert_true(n >= least);
    assert_int_equal(failed, 0);
}

/* "input:3: text": the directory is not part of what is compared. */
static void short_status(const genair_status *st, char *out, size_t size) {
    genair_status copy = *st;
    const char *slash = strrchr(copy.file, '/');
    if (slash) memmove(copy.file, slash + 1, strlen(slash));
    genair_status_text(&copy, out, size);
}

static bool equal(const struct test_case *c, const char *what, const char *expected,
                  const char *found) {
    if (strcmp(expected, found) == 0) return true;
    print_error("%s, %s\n  expected: %s\n  found:    %s\n", c->name, what, expected, found);
    return false;
}

static bool reads(const struct test_case *c, const char *what, const char *path,
                  const char *expected) {
    struct reading r = read_one(c->items, c->format, false, path);
    char text[2048];
    genair_status_text(&r.st, text, sizeof text);
    const bool good = equal(c, what, "", text) && equal(c, what, expected, r.text);
    reading_free(&r);
    return good;
}

static bool good_case(const struct test_case *c) {
    size_t size, expected_size;
    char *data = case_file(c, "input", &size), *expected = case_file(c, "expected", &expected_size);
    assert_non_null(data);
    assert_non_null(expected);
    char packed[] = "read-cases-XXXXXX";
    close(mkstemp(packed));
    bool good = reads(c, "plain", c->input, expected);
    for (int members = 1; members <= 3; members += 2) {
        spill_gzip(packed, data, size, members);
        good = reads(c, members == 1 ? "gzip" : "gzip in three members", packed, expected) && good;
    }
    remove(packed);
    free(data);
    free(expected);
    return good;
}

static bool bad_case(const struct test_case *c) {
    size_t size;
    char *message = case_file(c, "message", &size), found[2048];
    assert_non_null(message);
    message[strcspn(message, "\n")] = '\0';
    struct reading r = read_one(c->items, c->format, false, c->input);
    short_status(&r.st, found, sizeof found);
    bool good = equal(c, "message", message, r.st.code == GENAIR_OK ? "(no failure)" : found);
    /* A fault of a line can be passed over and is counted; any other fails all the same, and so does a file of which
     * nothing is left. */
    char *advice = strstr(message, "; use --on-bad-line=skip");
    const bool can_skip = advice != NULL;
    struct reading skipped = read_one(c->items, c->format, true, c->input);
    short_status(&skipped.st, found, sizeof found);
    if (can_skip && skipped.n_records == 0) {
        *advice = '\0';
        char *none = strstr(found, "; none of the ");
        if (none) *none = '\0';
        good = none && good;
    }
    good = equal(c, "message with skip", can_skip && skipped.n_records ? "" : message, found) && good;
    if (can_skip && skipped.n_skipped == 0) {
        print_error("%s: nothing was counted with skip\n", c->name);
        good = false;
    }
    reading_free(&r);
    reading_free(&skipped);
    free(message);
    return good;
}

static void good_cases(void **state) {
    (void)state;
    walk("good", good_case, 30);
}

static void bad_cases(void **state) {
    (void)state;
    walk("bad", bad_case, 35);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(good_cases), cmocka_unit_test(bad_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
