/* SPDX-License-Identifier: Apache-2.0 */
/* The tables are drawn in docs/formats.md. While it is written the store keeps a write-ahead log
 * (a commit appends to it, readers are not held up); closed in order it is one file again, so that
 * it can be copied, and read where nothing may be written. */
#include "workspace/archetypes.h"

#include "base/alloc.h"
#include "base/files.h"
#include "workspace/sqlite.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    APPLICATION = 0x47414952, /* "GAIR", in the file's header */
    LAYOUT = 1,
    BUSY_MILLISECONDS = 5000,
    HASH_BYTES = 32
};

struct archetypes {
    char *path;
    sqlite3 *db;
    sqlite3_stmt *put, *get;
    json_t *settings; /* texts by name */
    size_t width;
    float *vectors; /* [2, width] of the row read last */
    bool writes;
};

/* ---- failures ---- */

static genair_code fail_store(const struct archetypes *a, genair_status *st) {
    const int code = sqlite3_errcode(a->db) & 0xff;
    const int error = a->db ? sqlite3_system_errno(a->db) : 0;
    const char *what = sqlite3_errmsg(a->db);
    if (code == SQLITE_NOMEM) return fail_memory(st);
    if (code == SQLITE_FULL || error == ENOSPC || error == EDQUOT)
        return fail_line(st, GENAIR_IO, a->path, 0,
                         "%s; make space and give the same command again: it goes on where this "
                         "one stopped",
                         strerror(error == EDQUOT ? EDQUOT : ENOSPC));
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return fail_line(st, GENAIR_FORMAT, a->path, 0,
                         "damaged (%s); put a copy in its place, or throw it away with 'genair "
                         "archetype --restart'",
                         what);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return fail_line(st, GENAIR_IO, a->path, 0,
                         "another program holds it (%s); end that one and try again", what);
    if (code == SQLITE_ERROR) /* a table or column that should be there is not */
        return fail_line(st, GENAIR_FORMAT, a->path, 0,
                         "not as this program wrote it (%s); put a copy in its place, or throw it "
                         "away with 'genair archetype --restart'",
                         what);
    return fail_line(st, GENAIR_IO, a->path, 0, "cannot be %s: %s%s%s",
                     a->writes ? "written" : "read", what, error ? ": " : "",
                     error ? strerror(error) : "");
}

static genair_code execute(struct archetypes *a, const char *sql, genair_status *st) {
    return sqlite_execute(a->db, sql) ? GENAIR_OK : fail_store(a, st);
}

static genair_code prepare(struct archetypes *a, const char *sql, sqlite3_stmt **out,
                           genair_status *st) {
    return sqlite3_prepare_v2(a->db, sql, -1, out, NULL) == SQLITE_OK ? GENAIR_OK
                                                                      : fail_store(a, st);
}

static genair_code ask(struct archetypes *a, const char *sql, int64_t *out, genair_status *st) {
    return sqlite_ask(a->db, sql, out) ? GENAIR_OK : fail_store(a, st);
}

/* ---- settings ---- */

static genair_code put_setting(sqlite3_stmt *s, struct archetypes *a, const char *name,
                               const char *value, genair_status *st) {
    if (sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_text(s, 2, value, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_DONE)
        return fail_store(a, st);
    sqlite3_reset(s);
    return GENAIR_OK;
}

static genair_code put_settings(struct archetypes *a, size_t width,
                                const struct archetype_setting *settings, size_t n,
                                genair_status *st) {
    char text[32];
    snprintf(text, sizeof text, "%zu", width);
    sqlite3_stmt *s = NULL;
    genair_code code = prepare(a, "INSERT INTO meta (key, value) VALUES (?1, ?2)", &s, st);
    if (code == GENAIR_OK) code = put_setting(s, a, "version", GENAIR_VERSION, st);
    if (code == GENAIR_OK) code = put_setting(s, a, "hidden", text, st);
    for (size_t i = 0; i < n && code == GENAIR_OK; i++)
        code = put_setting(s, a, settings[i].name, settings[i].value, st);
    sqlite3_finalize(s);
    return code;
}

/* All of it in one transaction: an empty file is one whose maker was killed. */
static genair_code create_tables(struct archetypes *a, size_t width,
                                 const struct archetype_setting *settings, size_t n,
                                 genair_status *st) {
    char header[96];
    snprintf(header, sizeof header, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION, LAYOUT);
    genair_code code = execute(a, "BEGIN IMMEDIATE", st);
    if (code == GENAIR_OK) code = execute(a, header, st);
    if (code == GENAIR_OK)
        code = execute(a,
                       "DROP TABLE IF EXISTS meta; DROP TABLE IF EXISTS items;"
                       "CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);"
                       "CREATE TABLE items (item TEXT PRIMARY KEY NOT NULL, status TEXT NOT NULL, "
                       "prompt TEXT NOT NULL, archetype TEXT, prompt_tokens INTEGER NOT NULL, "
                       "generated_tokens INTEGER NOT NULL, finish TEXT NOT NULL, "
                       "checksum TEXT NOT NULL, prefill BLOB, decoding BLOB)",
                       st);
    if (code == GENAIR_OK) code = put_settings(a, width, settings, n, st);
    return code == GENAIR_OK ? execute(a, "COMMIT", st) : code;
}

static genair_code load_settings(struct archetypes *a, genair_status *st) {
    json_decref(a->settings);
    mem_free(a->vectors);
    a->vectors = NULL;
    a->settings = json_object();
    if (!a->settings) return fail_memory(st);
    sqlite3_stmt *s = NULL;
    genair_code code = prepare(a, "SELECT key, value FROM meta", &s, st);
    int step = SQLITE_DONE;
    while (code == GENAIR_OK && (step = sqlite3_step(s)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(s, 0),
                   *value = (const char *)sqlite3_column_text(s, 1);
        if (!key || !value || json_object_set_new(a->settings, key, json_string(value)) != 0)
            code = fail_memory(st);
    }
    if (code == GENAIR_OK && step != SQLITE_DONE) code = fail_store(a, st);
    sqlite3_finalize(s);
    if (code != GENAIR_OK) return code;
    const char *hidden = archetypes_setting(a, "hidden");
    int64_t width = 0;
    if (!hidden || !text_i64(text_of(hidden), &width) || width < 1 || width > 1 << 24)
        return fail_line(st, GENAIR_FORMAT, a->path, 0,
                         "the width of its vectors is '%s', not a number of columns; throw it away "
                         "with 'genair archetype --restart'",
                         hidden ? hidden : "");
    a->width = (size_t)width;
    a->vectors = mem_array(2 * a->width, sizeof *a->vectors);
    return a->vectors ? GENAIR_OK : fail_memory(st);
}

static bool differs(const struct archetypes *a, const struct archetype_setting *setting) {
    const char *then = archetypes_setting(a, setting->name);
    return setting->fixed && then && strcmp(then, setting->value) != 0;
}

bool archetypes_made_with(const struct archetypes *a, const struct archetype_setting *settings,
                          size_t n_settings) {
    for (size_t i = 0; i < n_settings; i++)
        if (differs(a, &settings[i])) return false;
    return true;
}

genair_code archetypes_count(struct archetypes *a, int64_t *n, genair_status *st) {
    return ask(a, "SELECT count(*) FROM items WHERE status = 'done'", n, st);
}

/* *outdated: they differ, but nothing was made with the earlier ones. */
static genair_code compare_settings(struct archetypes *a, const struct archetype_setting *settings,
                                    size_t n, bool *outdated, genair_status *st) {
    char differences[600] = "";
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (!differs(a, &settings[i])) continue;
        const char *then = archetypes_setting(a, settings[i].name);
        const int more = snprintf(differences + used, sizeof differences - used,
                                  "%s%s %.100s (now %.100s)", used ? ", " : "", settings[i].name,
                                  then, settings[i].value);
        if (more < 0 || (size_t)more >= sizeof differences - used) break;
        used += (size_t)more;
    }
    if (!used) return GENAIR_OK;
    int64_t n_items;
    const genair_code code = archetypes_count(a, &n_items, st);
    if (code != GENAIR_OK) return code;
    if (n_items == 0) {
        *outdated = true;
        return GENAIR_OK;
    }
    return fail_line(st, GENAIR_USAGE, a->path, 0,
                     "it holds %lld archetypes made with %s; go on with what they were made with, "
                     "throw them away with --restart, or use another workspace",
                     (long long)n_items, differences);
}

/* ---- opening ---- */

static genair_code check_header(struct archetypes *a, bool *empty, genair_status *st) {
    int64_t application, layout, n_tables;
    genair_code code = ask(a, "SELECT count(*) FROM sqlite_schema", &n_tables, st);
    if (code == GENAIR_OK) code = ask(a, "PRAGMA application_id", &application, st);
    if (code == GENAIR_OK) code = ask(a, "PRAGMA user_version", &layout, st);
    if (code != GENAIR_OK) return code;
    *empty = n_tables == 0;
    if (*empty || (application == APPLICATION && layout == LAYOUT)) return GENAIR_OK;
    if (application == APPLICATION)
        return fail_line(st, GENAIR_FORMAT, a->path, 0,
                         "written in layout %lld, this program knows %d; use the program that made "
                         "it, or throw it away with 'genair archetype --restart'",
                         (long long)layout, LAYOUT);
    return fail_line(st, GENAIR_FORMAT, a->path, 0,
                     "a database of another program; move it out of the workspace");
}

static genair_code open_database(const char *workspace, const char *file, bool writes, struct archetypes **out,
                                 genair_status *st) {
    struct archetypes *a = mem_zeros(1, sizeof *a);
    if (!a) return fail_memory(st);
    a->writes = writes;
    a->path = path_join(workspace, file);
    genair_code code = a->path ? GENAIR_OK : fail_memory(st);
    const int flags =
        writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    if (code == GENAIR_OK && !sqlite_open(a->path, flags, BUSY_MILLISECONDS, &a->db))
        code = a->db ? fail_store(a, st) : fail_memory(st);
    if (code == GENAIR_OK)
        *out = a;
    else
        archetypes_close(a);
    return code;
}

/* synchronous = NORMAL: the log is not synced at each commit. A killed process loses nothing by
 * that; when the power fails, the latest items may be missing and are made again, which is what
 * happens to the items in flight anyway. */
static genair_code set_up_writing(struct archetypes *a, size_t width,
                                  const struct archetype_setting *settings, size_t n,
                                  genair_status *st) {
    bool empty, outdated = false;
    genair_code code = check_header(a, &empty, st);
    if (code == GENAIR_OK) code = execute(a, "PRAGMA journal_mode = WAL", st);
    if (code == GENAIR_OK) code = execute(a, "PRAGMA synchronous = NORMAL", st);
    if (code == GENAIR_OK && !empty) code = load_settings(a, st);
    if (code == GENAIR_OK && !empty) code = compare_settings(a, settings, n, &outdated, st);
    if (code == GENAIR_OK && (empty || outdated)) {
        code = create_tables(a, width, settings, n, st);
        if (code == GENAIR_OK) code = load_settings(a, st);
    }
    if (code == GENAIR_OK && a->width != width) /* another file of the same hash cannot be */
        code = fail_line(st, GENAIR_FORMAT, a->path, 0,
                         "its vectors have %zu columns, the model's %zu; throw it away with "
                         "'genair archetype --restart'",
                         a->width, width);
    return code;
}

genair_code archetypes_open(const char *workspace, const char *file, size_t width,
                            const struct archetype_setting *settings, size_t n_settings,
                            struct archetypes **out, genair_status *st) {
    struct archetypes *a = NULL;
    genair_code code = open_database(workspace, file, true, &a, st);
    if (code != GENAIR_OK) return code;
    code = set_up_writing(a, width, settings, n_settings, st);
    if (code == GENAIR_OK)
        *out = a;
    else
        archetypes_close(a);
    return code;
}

genair_code archetypes_open_read(const char *workspace, const char *file, struct archetypes **out,
                                 genair_status *st) {
    char *path = path_join(workspace, file);
    if (!path) return fail_memory(st);
    const bool there = file_exists(path);
    mem_free(path);
    *out = NULL;
    if (!there) return GENAIR_OK;
    struct archetypes *a = NULL;
    bool empty = false;
    genair_code code = open_database(workspace, file, false, &a, st);
    if (code == GENAIR_OK) code = check_header(a, &empty, st);
    if (code == GENAIR_OK && !empty) code = load_settings(a, st);
    if (code == GENAIR_OK && !empty)
        *out = a;
    else
        archetypes_close(a);
    return code;
}

void archetypes_close(struct archetypes *a) {
    if (!a) return;
    sqlite3_finalize(a->put);
    sqlite3_finalize(a->get);
    /* not while somebody reads it: then it stays as it is, which is fine too */
    if (a->writes && a->db) {
        sqlite3_busy_timeout(a->db, 0);
        sqlite3_exec(a->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    }
    sqlite3_close(a->db);
    json_decref(a->settings);
    mem_free(a->vectors);
    mem_free(a->path);
    mem_free(a);
}

genair_code archetypes_remove(const char *workspace, const char *file, genair_status *st) {
    /* the log first: without it the file is an older state, without the file it is nothing */
    static const char *const endings[] = {"-wal", "-shm", "-journal", ""};
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0] && code == GENAIR_OK; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", file, endings[i]);
        char *path = path_join(workspace, name);
        if (!path)
            code = fail_memory(st);
        else if (unlink(path) != 0 && errno != ENOENT)
            code = fail_errno(st, path, "remove");
        mem_free(path);
    }
    return code;
}

genair_code archetypes_settle(struct archetypes *a, genair_status *st) {
    return execute(a, "PRAGMA wal_checkpoint(TRUNCATE)", st);
}

static int by_number(const void *a, const void *b) {
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* The ranks of which there is a store. */
static genair_code list_ranks(const char *workspace, int **ranks, size_t *n, genair_status *st) {
    DIR *d = opendir(workspace);
    if (!d) return fail_errno(st, workspace, "list the directory");
    size_t capacity = 0;
    genair_code code = GENAIR_OK;
    for (struct dirent *e; code == GENAIR_OK && (e = readdir(d));) {
        char name[64];
        int rank;
        if (sscanf(e->d_name, ARCHETYPES_RANK_FILE, &rank) != 1 || rank < 0) continue;
        snprintf(name, sizeof name, ARCHETYPES_RANK_FILE, rank);
        if (strcmp(name, e->d_name) != 0) continue; /* what belongs to a store */
        if (!mem_grow(ranks, &capacity, *n + 1, sizeof **ranks))
            code = fail_memory(st);
        else
            (*ranks)[(*n)++] = rank;
    }
    closedir(d);
    if (*n) qsort(*ranks, *n, sizeof **ranks, by_number);
    return code;
}

genair_code archetypes_each_rank(const char *workspace, archetypes_file *visit, void *user, genair_status *st) {
    int *ranks = NULL;
    size_t n = 0;
    genair_code code = list_ranks(workspace, &ranks, &n, st);
    for (size_t i = 0; code == GENAIR_OK && i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, ARCHETYPES_RANK_FILE, ranks[i]);
        code = visit(user, name, st);
    }
    mem_free(ranks);
    return code;
}

size_t archetypes_width(const struct archetypes *a) {
    return a->width;
}

const char *archetypes_setting(const struct archetypes *a, const char *name) {
    return json_string_value(json_object_get(a->settings, name));
}

/* ---- rows ---- */

static void hash_text(struct hasher *h, struct text t) {
    const uint64_t n = t.n;
    hasher_add(h, &n, sizeof n);
    hasher_add(h, t.p, t.n);
}

/* Over all columns, lengths included, so that no byte can move from one to the next. */
static bool checksum(const struct archetypes *a, const struct archetype *row, char out[33]) {
    struct hasher *h = hasher_create();
    if (!h) return false;
    const uint64_t numbers[] = {row->n_prompt, row->n_generated, row->done};
    hash_text(h, row->item);
    hash_text(h, row->prompt);
    hash_text(h, row->text);
    hash_text(h, row->finish);
    hasher_add(h, numbers, sizeof numbers);
    if (row->done) {
        hasher_add(h, row->prefill, a->width * sizeof *row->prefill);
        hasher_add(h, row->decoding, a->width * sizeof *row->decoding);
    }
    hasher_finish(h, out);
    return true;
}

static bool bind_row(const struct archetypes *a, const struct archetype *row, const char *digits) {
    sqlite3_stmt *s = a->put;
    const size_t bytes = a->width * sizeof *row->prefill;
    bool bound = sqlite_bind(s, 1, row->item) && sqlite_bind(s, 3, row->prompt) &&
                 sqlite3_bind_text(s, 2, row->done ? "done" : "failed", -1, SQLITE_STATIC) ==
                     SQLITE_OK &&
                 sqlite3_bind_int64(s, 5, (int64_t)row->n_prompt) == SQLITE_OK &&
                 sqlite3_bind_int64(s, 6, (int64_t)row->n_generated) == SQLITE_OK &&
                 sqlite_bind(s, 7, row->finish) &&
                 sqlite3_bind_text(s, 8, digits, HASH_BYTES, SQLITE_STATIC) == SQLITE_OK;
    if (bound && row->done) /* else they stay NULL */
        bound = sqlite_bind(s, 4, row->text) &&
                sqlite3_bind_blob64(s, 9, row->prefill, bytes, SQLITE_STATIC) == SQLITE_OK &&
                sqlite3_bind_blob64(s, 10, row->decoding, bytes, SQLITE_STATIC) == SQLITE_OK;
    return bound;
}

genair_code archetypes_put(struct archetypes *a, const struct archetype *archetype,
                           genair_status *st) {
    genair_code code = GENAIR_OK;
    if (!a->put)
        code = prepare(a,
                       "INSERT OR REPLACE INTO items (item, status, prompt, archetype, "
                       "prompt_tokens, generated_tokens, finish, checksum, prefill, decoding) "
                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                       &a->put, st);
    if (code != GENAIR_OK) return code;
    char digits[HASH_BYTES + 1];
    if (!checksum(a, archetype, digits)) return fail_memory(st);
    /* a statement outside a transaction is one */
    if (!bind_row(a, archetype, digits) || sqlite3_step(a->put) != SQLITE_DONE)
        code = fail_store(a, st);
    sqlite3_reset(a->put);
    sqlite3_clear_bindings(a->put); /* they point to what is the caller's */
    return code;
}

static struct text column_text(sqlite3_stmt *s, int column) {
    const char *p = (const char *)sqlite3_column_text(s, column);
    return (struct text){p ? p : "", (size_t)sqlite3_column_bytes(s, column)};
}

#define COLUMNS                                                                                    \
    "item, status, prompt, archetype, prompt_tokens, generated_tokens, finish, checksum, "         \
    "prefill, decoding"

static bool column_vector(const struct archetypes *a, sqlite3_stmt *s, int column, float *out) {
    const void *p = sqlite3_column_blob(s, column);
    const size_t bytes = a->width * sizeof *out;
    if (!p || (size_t)sqlite3_column_bytes(s, column) != bytes) return false;
    memcpy(out, p, bytes); /* a blob may lie at any address */
    return true;
}

/* The row at which s stands. false: not what was written. */
static bool read_row(struct archetypes *a, sqlite3_stmt *s, struct archetype *out) {
    *out = (struct archetype){.item = column_text(s, 0),
                              .done = text_equal(column_text(s, 1), "done"),
                              .prompt = column_text(s, 2),
                              .text = column_text(s, 3),
                              .n_prompt = (uint64_t)sqlite3_column_int64(s, 4),
                              .n_generated = (uint64_t)sqlite3_column_int64(s, 5),
                              .finish = column_text(s, 6)};
    if (out->done) {
        if (!column_vector(a, s, 8, a->vectors) || !column_vector(a, s, 9, a->vectors + a->width))
            return false;
        out->prefill = a->vectors;
        out->decoding = a->vectors + a->width;
    }
    char digits[HASH_BYTES + 1];
    return checksum(a, out, digits) && text_equal(column_text(s, 7), digits);
}

genair_code archetypes_get(struct archetypes *a, struct text item, struct archetype *out,
                           bool *found, genair_status *st) {
    genair_code code = GENAIR_OK;
    if (!a->get) code = prepare(a, "SELECT " COLUMNS " FROM items WHERE item = ?1", &a->get, st);
    if (code != GENAIR_OK) return code;
    sqlite3_reset(a->get);
    if (!sqlite_bind(a->get, 1, item)) return fail_store(a, st);
    const int step = sqlite3_step(a->get);
    *found = step == SQLITE_ROW;
    if (step == SQLITE_DONE) return GENAIR_OK;
    if (step != SQLITE_ROW) return fail_store(a, st);
    if (read_row(a, a->get, out)) return GENAIR_OK;
    char name[TEXT_EXCERPT];
    text_excerpt(item, name);
    return fail_line(st, GENAIR_FORMAT, a->path, 0,
                     "what it holds of item '%s' is damaged; 'genair archetype' makes it again",
                     name);
}

genair_code archetypes_each(struct archetypes *a, archetypes_visit *visit, void *user,
                            genair_status *st) {
    sqlite3_stmt *s = NULL;
    const genair_code code = prepare(a, "SELECT " COLUMNS " FROM items", &s, st);
    if (code != GENAIR_OK) return code;
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        struct archetype row;
        const bool sound = read_row(a, s, &row);
        visit(user, &row, sound);
    }
    const genair_code ended = step == SQLITE_DONE ? GENAIR_OK : fail_store(a, st);
    sqlite3_finalize(s);
    return ended;
}
