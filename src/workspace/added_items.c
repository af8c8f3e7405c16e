/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/added_items.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/files.h"
#include "workspace/sqlite.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum { APPLICATION = 0x47414941 /* "GAIA" */, LAYOUT = 1, BUSY_MILLISECONDS = 10000, HASH_BYTES = 32 };

struct store {
    char *path;
    sqlite3 *db;
    bool empty; /* its maker was killed */
};

static genair_code fail_store(const struct store *s, genair_status *st) {
    const int code = sqlite3_errcode(s->db) & 0xff;
    if (code == SQLITE_NOMEM) return fail_memory(st);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR)
        return fail_line(st, GENAIR_FORMAT, s->path, 0,
                         "damaged, or no store of added items (%s); put a copy in its place, or remove it and add them again",
                         sqlite3_errmsg(s->db));
    return fail_line(st, GENAIR_IO, s->path, 0, "the store of added items: %s", sqlite3_errmsg(s->db));
}

static genair_code execute(const struct store *s, const char *sql, genair_status *st) {
    return sqlite_execute(s->db, sql) ? GENAIR_OK : fail_store(s, st);
}

static void close_store(struct store *s) {
    sqlite3_close(s->db);
    mem_free(s->path);
}

static genair_code ask(const struct store *s, const char *sql, int64_t *out, genair_status *st) {
    return sqlite_ask(s->db, sql, out) ? GENAIR_OK : fail_store(s, st);
}

static genair_code check_layout(struct store *s, genair_status *st) {
    int64_t application = 0, n_tables = 0, layout = 0;
    genair_code code = ask(s, "PRAGMA application_id", &application, st);
    if (code == GENAIR_OK) code = ask(s, "PRAGMA user_version", &layout, st);
    if (code == GENAIR_OK) code = ask(s, "SELECT count(*) FROM sqlite_schema", &n_tables, st);
    s->empty = n_tables == 0;
    if (code != GENAIR_OK || s->empty || (application == APPLICATION && layout == LAYOUT)) return code;
    return fail_line(st, GENAIR_FORMAT, s->path, 0,
                     "a database of another program or version; move it out of the workspace");
}

/* A rollback journal: a file that nobody writes can be read where nothing may be written. */
static genair_code open_store(const char *workspace, bool writes, struct store *s, genair_status *st) {
    static const char layout[] =
        "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; BEGIN IMMEDIATE;"
        "PRAGMA application_id = 1195460929; PRAGMA user_version = 1;"
        "CREATE TABLE IF NOT EXISTS items (place INTEGER PRIMARY KEY AUTOINCREMENT, item TEXT NOT NULL UNIQUE, "
        "record TEXT NOT NULL, archetype TEXT NOT NULL, prefill BLOB, decoding BLOB, checksum TEXT NOT NULL); COMMIT";
    static_assert(APPLICATION == 1195460929, "the number in the text");
    const int flags = SQLITE_OPEN_READWRITE | (writes ? SQLITE_OPEN_CREATE : 0);
    *s = (struct store){.path = path_join(workspace, ADDED_ITEMS_FILE)};
    if (!s->path) return fail_memory(st);
    if (!sqlite_open(s->path, flags, BUSY_MILLISECONDS, &s->db)) return s->db ? fail_store(s, st) : fail_memory(st);
    const genair_code code = check_layout(s, st);
    return code == GENAIR_OK && writes ? execute(s, layout, st) : code;
}

/* ---- rows ---- */

static bool checksum(const struct added_item *a, char out[33]) {
    struct hasher *h = hasher_create();
    if (!h) return false;
    const struct text texts[] = {a->item, a->record, a->archetype};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const uint64_t n = texts[i].n;
        hasher_add(h, &n, sizeof n);
        hasher_add(h, texts[i].p, texts[i].n);
    }
    for (size_t i = 0; i < N_PARTS; i++) {
        const uint64_t n = a->width[i];
        hasher_add(h, &n, sizeof n);
        if (n) hasher_add(h, a->part[i], n * sizeof(float));
    }
    hasher_finish(h, out);
    return true;
}

static genair_code put_row(const struct store *s, sqlite3_stmt *q, const struct added_item *a, genair_status *st) {
    char digits[HASH_BYTES + 1];
    if (!checksum(a, digits)) return fail_memory(st);
    bool bound = sqlite_bind(q, 1, a->item) && sqlite_bind(q, 2, a->record) && sqlite_bind(q, 3, a->archetype) &&
                 sqlite3_bind_text(q, 6, digits, HASH_BYTES, SQLITE_STATIC) == SQLITE_OK;
    for (int i = 0; bound && i < N_PARTS; i++)
        bound = (a->part[i] ? sqlite3_bind_blob64(q, 4 + i, a->part[i], a->width[i] * sizeof(float), SQLITE_STATIC)
                            : sqlite3_bind_null(q, 4 + i)) == SQLITE_OK;
    const genair_code code = bound && sqlite3_step(q) == SQLITE_DONE ? GENAIR_OK : fail_store(s, st);
    sqlite3_reset(q);
    return code;
}

static genair_code put_rows(const struct store *s, const struct added_item *items, size_t n, size_t *replaced,
                            genair_status *st) {
    sqlite3_stmt *q = NULL;
    int64_t before = 0, after = 0;
    genair_code code = ask(s, "SELECT count(*) FROM items", &before, st);
    if (code == GENAIR_OK &&
        sqlite3_prepare_v2(s->db,
                           "INSERT INTO items (item, record, archetype, prefill, decoding, checksum) VALUES (?1, ?2, ?3, ?4, "
                           "?5, ?6) ON CONFLICT (item) DO UPDATE SET record = ?2, archetype = ?3, prefill = ?4, "
                           "decoding = ?5, checksum = ?6", -1, &q, NULL) != SQLITE_OK)
        code = fail_store(s, st);
    for (size_t i = 0; i < n && code == GENAIR_OK; i++) code = put_row(s, q, &items[i], st);
    sqlite3_finalize(q);
    if (code == GENAIR_OK) code = ask(s, "SELECT count(*) FROM items", &after, st);
    *replaced = n - (size_t)(after - before);
    return code;
}

static genair_code finish(struct store *s, genair_code code, genair_status *st) {
    if (code == GENAIR_OK) code = execute(s, "COMMIT", st);
    if (code != GENAIR_OK && s->db && !sqlite3_get_autocommit(s->db)) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    close_store(s);
    return code;
}

genair_code added_items_put(const char *workspace, const struct added_item *items, size_t n, size_t *replaced,
                            genair_status *st) {
    struct store s;
    genair_code code = open_store(workspace, true, &s, st);
    if (code == GENAIR_OK) code = execute(&s, "BEGIN IMMEDIATE", st);
    if (code == GENAIR_OK) code = put_rows(&s, items, n, replaced, st);
    return finish(&s, code, st);
}

static genair_code remove_row(const struct store *s, sqlite3_stmt *q, struct text item, genair_status *st) {
    char name[TEXT_EXCERPT];
    genair_code code = sqlite_bind(q, 1, item) && sqlite3_step(q) == SQLITE_DONE ? GENAIR_OK : fail_store(s, st);
    if (code == GENAIR_OK && sqlite3_changes(s->db) == 0) {
        text_excerpt(item, name);
        code = fail(st, GENAIR_USAGE, "no item '%s' was added to the workspace", name);
    }
    sqlite3_reset(q);
    return code;
}

static genair_code remove_rows(const struct store *s, const struct text *items, size_t n, genair_status *st) {
    sqlite3_stmt *q = NULL;
    genair_code code = sqlite3_prepare_v2(s->db, "DELETE FROM items WHERE item = ?1", -1, &q, NULL) == SQLITE_OK
                           ? GENAIR_OK
                           : fail_store(s, st);
    for (size_t i = 0; i < n && code == GENAIR_OK; i++) code = remove_row(s, q, items[i], st);
    sqlite3_finalize(q);
    return code;
}

static genair_code store_exists(const char *workspace, bool *out, genair_status *st) {
    char *path = path_join(workspace, ADDED_ITEMS_FILE);
    if (!path) return fail_memory(st);
    *out = file_exists(path);
    mem_free(path);
    return GENAIR_OK;
}

genair_code added_items_remove(const char *workspace, const struct text *items, size_t n, genair_status *st) {
    struct store s;
    bool there = false;
    genair_code code = store_exists(workspace, &there, st);
    if (code != GENAIR_OK) return code;
    if (!there) return fail_line(st, GENAIR_USAGE, workspace, 0, "no items were added to this workspace");
    code = open_store(workspace, true, &s, st);
    if (code == GENAIR_OK) code = execute(&s, "BEGIN IMMEDIATE", st);
    if (code == GENAIR_OK) code = remove_rows(&s, items, n, st);
    return finish(&s, code, st);
}

/* ---- all of them ---- */

static bool copy_text(struct arena *a, sqlite3_stmt *q, int column, struct text *out) {
    const void *p = sqlite3_column_text(q, column);
    const size_t n = (size_t)sqlite3_column_bytes(q, column);
    char *to = p ? arena_array(a, n + 1, 1) : NULL;
    if (to) memcpy(to, p, n);
    *out = (struct text){to, n};
    return to != NULL;
}

static bool read_vector(struct arena *a, sqlite3_stmt *q, int column, struct added_item *out, size_t part) {
    const void *p = sqlite3_column_blob(q, column);
    const size_t bytes = (size_t)sqlite3_column_bytes(q, column);
    if (!p) return true;
    out->width[part] = bytes / sizeof(float);
    float *values = arena_array(a, out->width[part], sizeof *values);
    if (values) memcpy(values, p, out->width[part] * sizeof *values);
    out->part[part] = values;
    return values != NULL;
}

static genair_code read_row(const struct store *s, struct arena *a, sqlite3_stmt *q, struct added_item *out,
                            genair_status *st) {
    char digits[HASH_BYTES + 1], name[TEXT_EXCERPT];
    *out = (struct added_item){0};
    bool done = copy_text(a, q, 0, &out->item) && copy_text(a, q, 1, &out->record) && copy_text(a, q, 2, &out->archetype);
    for (int i = 0; done && i < N_PARTS; i++) done = read_vector(a, q, 3 + i, out, (size_t)i);
    if (!done || !checksum(out, digits)) return fail_memory(st);
    const char *stored = (const char *)sqlite3_column_text(q, 5);
    if (stored && strcmp(stored, digits) == 0) return GENAIR_OK;
    text_excerpt(out->item, name);
    return fail_line(st, GENAIR_FORMAT, s->path, 0, "what it holds of item '%s' is damaged; 'genair add-items' puts it anew",
                     name);
}

static genair_code read_rows(const struct store *s, struct arena *a, struct added_items *out, genair_status *st) {
    sqlite3_stmt *q = NULL;
    size_t capacity = 0;
    genair_code code = GENAIR_OK;
    if (sqlite3_prepare_v2(s->db, "SELECT item, record, archetype, prefill, decoding, checksum FROM items ORDER BY place", -1,
                           &q, NULL) != SQLITE_OK)
        code = fail_store(s, st);
    int step = SQLITE_DONE;
    while (code == GENAIR_OK && (step = sqlite3_step(q)) == SQLITE_ROW) {
        if (!mem_grow(&out->items, &capacity, (size_t)out->n + 1, sizeof *out->items))
            code = fail_memory(st);
        else
            code = read_row(s, a, q, &out->items[out->n++], st);
    }
    if (code == GENAIR_OK && step != SQLITE_DONE) code = fail_store(s, st);
    sqlite3_finalize(q);
    return code;
}

genair_code added_items_load(const char *workspace, struct added_items *out, genair_status *st) {
    *out = (struct added_items){0};
    struct store s;
    bool there = false;
    genair_code code = store_exists(workspace, &there, st);
    if (code != GENAIR_OK || !there) return code;
    code = open_store(workspace, false, &s, st);
    struct arena *a = code == GENAIR_OK ? out->private_ = arena_create() : NULL;
    if (code == GENAIR_OK && !a) code = fail_memory(st);
    if (code == GENAIR_OK && !s.empty) code = read_rows(&s, a, out, st);
    close_store(&s);
    if (code != GENAIR_OK) added_items_free(out);
    return code;
}

void added_items_free(struct added_items *a) {
    mem_free(a->items);
    arena_free(a->private_);
    *a = (struct added_items){0};
}
