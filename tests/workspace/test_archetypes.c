/* SPDX-License-Identifier: Apache-2.0 */
/* The store of archetypes: what goes in comes out, settings are held to, damage is told, and a
 * process that is killed loses at most the row it was writing. */
#include "workspace/archetypes.h"

#include "base/alloc.h"
#include "support/scratch.h"

#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 8 };

static const struct archetype_setting settings[] = {
    {"model", "0123", true}, {"model_file", "m.gguf", false}, {"greedy", "yes", true}};

static char *new_workspace(const char *name) {
    char *path = scratch_path(name);
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

static struct archetypes *opened(const char *workspace) {
    struct archetypes *a = NULL;
    genair_status st = {0};
    if (archetypes_open(workspace, ARCHETYPES_FILE, WIDTH, settings, 3, &a, &st) != GENAIR_OK)
        fail_msg("%s: %s", st.file, st.message);
    return a;
}

/* Row i, made of i alone; its texts stay until the next call. */
static struct archetype row_of(uint32_t i, bool done) {
    static char item[32], prompt[64], text[64];
    static float vectors[2 * WIDTH];
    snprintf(item, sizeof item, "i%u", i);
    snprintf(prompt, sizeof prompt, "prompt of %u \xE2\x82\xAC", i);
    snprintf(text, sizeof text, "text of %u", i);
    for (size_t c = 0; c < 2 * WIDTH; c++)
        vectors[c] = (float)i + (float)c / 16;
    return (struct archetype){.item = text_of(item),
                              .done = done,
                              .prompt = text_of(prompt),
                              .text = text_of(done ? text : ""),
                              .n_prompt = i + 5,
                              .n_generated = i,
                              .finish = text_of(done ? "end" : "it broke"),
                              .prefill = vectors,
                              .decoding = vectors + WIDTH};
}

static void put(struct archetypes *a, uint32_t i, bool done) {
    const struct archetype row = row_of(i, done);
    genair_status st = {0};
    if (archetypes_put(a, &row, &st) != GENAIR_OK) fail_msg("%s", st.message);
}

static bool same(struct text a, struct text b) {
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static void expect_row(struct archetypes *a, uint32_t i, bool done) {
    const struct archetype expected = row_of(i, done);
    struct archetype found;
    bool there = false;
    genair_status st = {0};
    if (archetypes_get(a, expected.item, &found, &there, &st) != GENAIR_OK)
        fail_msg("%s", st.message);
    assert_true(there);
    assert_int_equal(found.done, done);
    assert_true(same(found.prompt, expected.prompt) && same(found.text, expected.text) &&
                same(found.finish, expected.finish));
    assert_int_equal(found.n_prompt, expected.n_prompt);
    assert_int_equal(found.n_generated, expected.n_generated);
    if (!done) return;
    assert_memory_equal(found.prefill, expected.prefill, WIDTH * sizeof(float));
    assert_memory_equal(found.decoding, expected.decoding, WIDTH * sizeof(float));
}

struct seen {
    uint32_t n, n_sound, n_done;
};

static void count(void *user, const struct archetype *row, bool sound) {
    struct seen *s = user;
    s->n++;
    s->n_sound += sound;
    s->n_done += sound && row->done;
}

static struct seen counted(struct archetypes *a) {
    struct seen s = {0};
    assert_int_equal(archetypes_each(a, count, &s, NULL), GENAIR_OK);
    return s;
}

static void rows_come_back(void **state) {
    (void)state;
    char *ws = new_workspace("rows"), *log = path_join(ws, ARCHETYPES_FILE "-wal");
    struct archetypes *a = opened(ws), *reader = NULL;
    bool found = true;
    struct archetype row;
    assert_int_equal(archetypes_get(a, text_of("i1"), &row, &found, NULL), GENAIR_OK);
    assert_false(found);
    for (uint32_t i = 1; i <= 50; i++)
        put(a, i, i % 10 != 0);
    put(a, 10, true); /* tried again */
    assert_true(file_exists(log));
    assert_int_equal(archetypes_open_read(ws, ARCHETYPES_FILE, &reader, NULL), GENAIR_OK); /* meanwhile */
    expect_row(reader, 10, true);
    archetypes_close(reader);
    archetypes_close(a);
    assert_false(file_exists(log)); /* one file again */
    a = opened(ws);
    for (uint32_t i = 1; i <= 50; i++)
        expect_row(a, i, i == 10 || i % 10 != 0);
    const struct seen s = counted(a);
    assert_int_equal(s.n, 50);
    assert_int_equal(s.n_sound, 50);
    assert_int_equal(s.n_done, 46);
    archetypes_close(a);
    mem_free(log);
    mem_free(ws);
}

static void settings_are_held_to(void **state) {
    (void)state;
    char *ws = new_workspace("settings");
    struct archetypes *a = opened(ws);
    assert_string_equal(archetypes_setting(a, "model_file"), "m.gguf");
    assert_string_equal(archetypes_setting(a, "version"), GENAIR_VERSION);
    assert_null(archetypes_setting(a, "nothing"));
    assert_int_equal(archetypes_width(a), WIDTH);
    archetypes_close(a);
    struct archetype_setting other[] = {
        {"model", "4567", true}, {"model_file", "n.gguf", false}, {"greedy", "no", true}};
    genair_status st = {0};
    /* nothing was made yet: the new ones hold */
    assert_int_equal(archetypes_open(ws, ARCHETYPES_FILE, 2 * WIDTH, other, 3, &a, &st), GENAIR_OK);
    assert_int_equal(archetypes_width(a), 2 * WIDTH);
    assert_string_equal(archetypes_setting(a, "greedy"), "no");
    archetypes_close(a);
    a = opened(ws);
    put(a, 1, true);
    archetypes_close(a);
    assert_int_equal(archetypes_open(ws, ARCHETYPES_FILE, WIDTH, other, 3, &a, &st), GENAIR_USAGE);
    assert_string_equal(st.message,
                        "it holds 1 archetypes made with model 0123 (now 4567), greedy yes (now "
                        "no); go on with what they were made with, throw them away with --restart, "
                        "or use another workspace");
    other[0].value = "0123";
    other[2].value = "yes"; /* the file's name alone does not matter */
    assert_int_equal(archetypes_open(ws, ARCHETYPES_FILE, WIDTH, other, 3, &a, NULL), GENAIR_OK);
    archetypes_close(a);
    assert_int_equal(archetypes_remove(ws, ARCHETYPES_FILE, NULL), GENAIR_OK);
    assert_int_equal(archetypes_open_read(ws, ARCHETYPES_FILE, &a, NULL), GENAIR_OK);
    assert_null(a);
    mem_free(ws);
}

static void run_sql(const char *workspace, const char *sql) {
    char *path = path_join(workspace, ARCHETYPES_FILE);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    mem_free(path);
}

/* Whatever byte of a row is another one, the row is not believed. */
static void damaged_rows_are_told(void **state) {
    (void)state;
    static const char *const changes[] = {
        "UPDATE items SET prompt = prompt || 'x' WHERE item = 'i2'",
        "UPDATE items SET archetype = 'y' WHERE item = 'i2'",
        "UPDATE items SET generated_tokens = 77 WHERE item = 'i2'",
        "UPDATE items SET decoding = prefill WHERE item = 'i2'",
        "UPDATE items SET prefill = zeroblob(31) WHERE item = 'i2'",
        "UPDATE items SET prefill = NULL WHERE item = 'i2'",
        "UPDATE items SET status = 'failed' WHERE item = 'i2'",
        "UPDATE items SET checksum = '' WHERE item = 'i2'"};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "damaged%zu", i);
        char *ws = new_workspace(name);
        struct archetypes *a = opened(ws);
        put(a, 1, true);
        put(a, 2, true);
        archetypes_close(a);
        run_sql(ws, changes[i]);
        a = opened(ws);
        struct archetype row;
        bool found;
        genair_status st = {0};
        assert_int_equal(archetypes_get(a, text_of("i2"), &row, &found, &st), GENAIR_FORMAT);
        assert_non_null(strstr(st.message, "item 'i2' is damaged"));
        const struct seen s = counted(a);
        assert_int_equal(s.n, 2);
        assert_int_equal(s.n_sound, 1);
        put(a, 2, true); /* made again */
        expect_row(a, 2, true);
        archetypes_close(a);
        mem_free(ws);
    }
}

static void expect_refused(const char *workspace, const char *message) {
    struct archetypes *a = NULL;
    genair_status st = {0};
    assert_int_not_equal(archetypes_open(workspace, ARCHETYPES_FILE, WIDTH, settings, 3, &a, &st), GENAIR_OK);
    if (!strstr(st.message, message)) fail_msg("expected '%s', found '%s'", message, st.message);
    assert_non_null(strstr(st.file, ARCHETYPES_FILE));
    st = (genair_status){0};
    assert_int_not_equal(archetypes_open_read(workspace, ARCHETYPES_FILE, &a, &st), GENAIR_OK);
    assert_true(st.message[0] != '\0');
}

static void other_files_are_refused(void **state) {
    (void)state;
    char *ws = new_workspace("other"), *path = path_join(ws, ARCHETYPES_FILE);
    char noise[4096];
    memset(noise, 'x', sizeof noise);
    scratch_write(path, noise, sizeof noise);
    expect_refused(ws, "damaged (file is not a database)");
    assert_int_equal(archetypes_remove(ws, ARCHETYPES_FILE, NULL), GENAIR_OK);
    run_sql(ws, "CREATE TABLE t (a)");
    expect_refused(ws, "a database of another program");
    run_sql(ws, "PRAGMA application_id = 0x47414952; PRAGMA user_version = 9");
    expect_refused(ws, "written in layout 9");
    run_sql(ws, "PRAGMA user_version = 1");
    expect_refused(ws, "not as this program wrote it");
    assert_int_equal(archetypes_remove(ws, ARCHETYPES_FILE, NULL), GENAIR_OK);
    struct archetypes *a = opened(ws); /* and then it can be made */
    for (uint32_t i = 1; i <= 400; i++)
        put(a, i, true);
    archetypes_close(a);
    assert_int_equal(truncate(path, 4096 * 5), 0);
    a = NULL;
    genair_status st = {0};
    genair_code code = archetypes_open(ws, ARCHETYPES_FILE, WIDTH, settings, 3, &a, &st);
    struct seen s = {0};
    if (code == GENAIR_OK) code = archetypes_each(a, count, &s, &st);
    archetypes_close(a);
    assert_int_equal(code, GENAIR_FORMAT);
    assert_non_null(strstr(st.message, "damaged (database disk image is malformed)"));
    mem_free(path);
    mem_free(ws);
}

/* A child writes rows and tells each one through a pipe; killed, all that were told are there. */
static void killed_processes_lose_nothing(void **state) {
    (void)state;
    char *ws = new_workspace("killed");
    uint32_t next = 1;
    for (int round = 0; round < 8; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct archetypes *a = opened(ws);
            for (uint32_t i = next;; i++) {
                put(a, i, true);
                if (write(ends[1], &i, sizeof i) != sizeof i) _exit(1);
            }
        }
        close(ends[1]);
        uint32_t told = next - 1, i;
        while (told < next + 20 + (uint32_t)round && read(ends[0], &i, sizeof i) == sizeof i)
            told = i;
        kill(child, SIGKILL);
        while (read(ends[0], &i, sizeof i) == sizeof i)
            told = i;
        waitpid(child, NULL, 0);
        close(ends[0]);
        struct archetypes *a = opened(ws);
        const struct seen s = counted(a);
        assert_int_equal(s.n, s.n_sound);
        assert_in_range(s.n, told, told + 1); /* the last may be there and not told */
        for (i = 1; i <= s.n; i++)
            expect_row(a, i, true);
        archetypes_close(a);
        next = s.n + 1;
    }
    mem_free(ws);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(settings_are_held_to),
        cmocka_unit_test(damaged_rows_are_told),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(killed_processes_lose_nothing),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
