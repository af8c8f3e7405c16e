/* SPDX-License-Identifier: Apache-2.0 */
/* This module makes a small workspace, and runs stages on it, for the tests of embed and fuse.
 *
 * Five items stay, in the order c a b d e; the log also has x, which is filtered out. The metadata
 * have seven records, x a b c d e z. */
#ifndef GENAIR_TESTS_FUSE_SHOP_H
#define GENAIR_TESTS_FUSE_SHOP_H

#include "base/alloc.h"
#include "base/files.h"
#include "support/scratch.h"
#include "workspace/npy.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

enum { SHOP_ITEMS = 5, SHOP_RECORDS = 7 };
static const char shop_order[] = "cabde", shop_records[] = "xabcdez";

struct shop {
    char *workspace, *log, *items;
};

/* Last info or warning lines of the stage that ran. */
static char shop_messages[4096];

static inline void shop_log(void *user, genair_log_level level, const char *line) {
    (void)user;
    if (level == GENAIR_LOG_PROGRESS) return;
    const size_t used = strlen(shop_messages);
    snprintf(shop_messages + used, sizeof shop_messages - used, "%s\n", line);
}

/* Runs a stage with name, value, …, NULL; st and json (caller's, may be NULL) receive what it
 * gives. */
static inline genair_code shop_run(const struct shop *s, const char *command, int threads,
                                   genair_status *st, char **json, ...) {
    static const struct {
        const char *name;
        genair_code (*run)(genair_context *, const genair_options *, char **, genair_status *);
    } stages[] = {{"prepare", genair_prepare}, {"embed", genair_embed}, {"fuse", genair_fuse}};
    genair_context *ctx = NULL;
    genair_options *o = NULL;
    shop_messages[0] = '\0';
    assert_int_equal(genair_context_create(threads, shop_log, NULL, &ctx, NULL), GENAIR_OK);
    assert_int_equal(genair_options_create(command, &o, NULL), GENAIR_OK);
    assert_int_equal(genair_options_set(o, "workspace", s->workspace, NULL), GENAIR_OK);
    va_list args;
    va_start(args, json);
    for (const char *name; (name = va_arg(args, const char *));)
        assert_int_equal(genair_options_set(o, name, va_arg(args, const char *), NULL), GENAIR_OK);
    va_end(args);
    genair_code code = GENAIR_INTERNAL;
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        if (strcmp(stages[i].name, command) == 0) code = stages[i].run(ctx, o, json, st);
    genair_options_free(o);
    genair_context_free(ctx);
    return code;
}

static inline void shop_ok(genair_code code, const genair_status *st) {
    if (code != GENAIR_OK) fail_msg("%s: %s", st->file, st->message);
}

static inline void shop_prepare(const struct shop *s, bool with_items) {
    genair_status st = {0};
    if (with_items)
        shop_ok(shop_run(s, "prepare", 1, &st, NULL, "interactions", s->log, "items", s->items,
                         "user-core", "1", "item-core", "2", NULL),
                &st);
    else
        shop_ok(shop_run(s, "prepare", 1, &st, NULL, "interactions", s->log, "user-core", "1",
                         "item-core", "2", NULL),
                &st);
}

static inline struct shop shop_open(const char *name) {
    static const char log[] = "user_id\titem_id\ttimestamp\n"
                              "u1\tc\t1\nu1\ta\t2\nu1\tb\t3\nu1\td\t4\nu1\tx\t5\n"
                              "u2\ta\t1\nu2\td\t2\nu2\te\t3\nu2\tc\t4\n"
                              "u3\te\t1\nu3\tb\t2\nu3\ta\t3\nu3\td\t4\n";
    char text[SHOP_RECORDS * 64] = "", file[64];
    for (size_t i = 0; i < SHOP_RECORDS; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "{\"item_id\": \"%c\", \"title\": \"thing %c\"}\n", shop_records[i],
                 shop_records[i]);
    struct shop s = {.workspace = scratch_path(name)};
    snprintf(file, sizeof file, "%s.tsv", name);
    s.log = scratch_path(file);
    snprintf(file, sizeof file, "%s.jsonl", name);
    s.items = scratch_path(file);
    scratch_write(s.log, log, strlen(log));
    scratch_write(s.items, text, strlen(text));
    shop_prepare(&s, true);
    return s;
}

static inline void shop_close(struct shop *s) {
    mem_free(s->workspace);
    mem_free(s->log);
    mem_free(s->items);
}

/* The vector that the tests give an item: different for each, column and part. */
static inline float shop_value(char item, size_t column, int part) {
    const double x = (double)(item - 'a') + 1;
    return (float)(x * (double)(column + 1) + (double)((item * 7 + (int)column * 3) % 11) +
                   100 * part);
}

/* A matrix with a row for each letter of order. The caller's path. */
static inline char *shop_matrix(const char *name, const char *order, size_t width, int part) {
    const size_t n = strlen(order);
    float *values = mem_array(n * width, sizeof *values);
    assert_non_null(values);
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c < width; c++)
            values[r * width + c] = shop_value(order[r], c, part);
    char *path = scratch_path(name);
    assert_int_equal(npy_write_f32(path, n, width, values, NULL), GENAIR_OK);
    mem_free(values);
    return path;
}

/* A file of the workspace, whole. Caller frees. */
static inline char *shop_file(const struct shop *s, const char *name, size_t *size) {
    char *path = path_join(s->workspace, name), *data = NULL;
    assert_int_equal(file_read(path, 1 << 24, &data, size, NULL), GENAIR_OK);
    mem_free(path);
    return data;
}

static inline bool shop_has(const struct shop *s, const char *name) {
    char *path = path_join(s->workspace, name);
    const bool found = file_exists(path);
    mem_free(path);
    return found;
}

#endif
